// JSON of every type that has visit(): what the API speaks and what `--json` prints.
//
//   std::string text = to_json_text(job);
//   Result<Job> back = from_json_text<Job>(text);      // unknown keys are refused by name, missing ones keep defaults
//
//   JsonWriter w;                                      // a document without a struct of its own
//   w.begin_object();
//   w("now", state.now);
//   w("jobs", jobs);
//   w.end_object();
//   w.take();
//
// Shapes: Time an ISO-8601 UTC string ("" unset, "never"), Duration a number of seconds ("infinite"), Money a number of
// US dollars, enums their names, ids numbers, maps objects, an empty optional null, a variant {"type","body"}.
// Strings are bytes: one that is no UTF-8 is written as \udcXX, as Python's surrogateescape does, and read back
// exactly.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/enum_names.hpp"
#include "base/id_map.hpp"
#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/result.hpp"
#include "base/shared.hpp"
#include "base/time.hpp"

namespace virga {

/// "2026-01-31T12:00:00Z", with nine digits of a second where they are not zero; "" if unset; "never".
std::string iso8601(Time time);
Result<Time> time_from_iso8601(std::string_view text);

class JsonWriter {
 public:
  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }
  void key(std::string_view name);

  template <class T>
  void operator()(std::string_view name, const T& value) {
    key(name);
    put(value);
  }

  void put(bool value) { raw(value ? "true" : "false"); }
  void put(std::string_view text);
  void put(const std::string& text) { put(std::string_view(text)); }
  void put(const char* text) { put(std::string_view(text)); }
  void put(Time time);
  void put(Duration duration);
  void put(Money money);
  void put_null() { raw("null"); }
  /// `json` must be a whole JSON value; it is not looked at.
  void put_json(std::string_view json) { raw(json); }

  template <class T>
  requires std::is_integral_v<T>
  void put(T value) {
    if constexpr (std::is_signed_v<T>) {
      put_signed(value);
    } else {
      put_unsigned(value);
    }
  }
  /// The shortest text that reads back as the same number; null where it is not finite.
  template <class T>
  requires std::is_floating_point_v<T>
  void put(T value) { put_real(value); }
  template <NamedEnum E>
  void put(E value) {
    put(name_of(value));
  }
  template <class Tag, class Rep>
  void put(Id<Tag, Rep> id) {
    put_unsigned(id.value);
  }
  template <class T>
  void put(const std::optional<T>& value) {
    value ? put(*value) : put_null();
  }
  template <class T>
  void put(const std::vector<T>& values) {
    begin_array();
    for (const auto& x : values) put(x);
    end_array();
  }
  template <AnyShared S>
  void put(const S& value) {
    put(*value);
  }
  template <AnyMap M>
  void put(const M& values) {
    begin_object();
    for (const auto& [k, x] : values) {
      if constexpr (std::is_convertible_v<typename M::key_type, std::string_view>) {
        key(k);
      } else {
        key(std::to_string(k.value));
      }
      put(x);
    }
    end_object();
  }
  template <class... T>
  void put(const std::variant<T...>& value) {
    begin_object();
    std::visit(
        [this](const auto& x) {
          (*this)("type", std::decay_t<decltype(x)>::k_name);
          (*this)("body", x);
        },
        value);
    end_object();
  }
  template <class T>
  requires std::is_class_v<T> && requires(const T& t, JsonWriter& w) { T::visit(t, w); }
  void put(const T& value) {
    begin_object();
    T::visit(value, *this);
    end_object();
  }

  const std::string& text() const { return text_; }
  /// What was written since the last take(): a long text can be given away in pieces.
  std::string take() { return std::exchange(text_, {}); }

 private:
  void open(char bracket);
  void close(char bracket);
  void comma();
  void raw(std::string_view text);
  void put_signed(std::int64_t value);
  void put_unsigned(std::uint64_t value);
  void put_real(double value);
  void quoted(std::string_view text);

  std::string text_;
  bool need_comma_ = false;
};

/// One value inside a JsonDocument, which must outlive it.
class JsonNode {
 public:
  enum class Kind { null, boolean, integer, number, string, array, object };
  JsonNode() = default;
  explicit JsonNode(const void* value) : value_(value) {}

  explicit operator bool() const { return value_ != nullptr; }
  Kind kind() const;
  /// The text of its kind, as error messages name it: "a string".
  std::string_view kind_name() const;
  bool boolean() const;
  std::string_view string() const;
  double number() const;  ///< also of an integer
  std::optional<std::uint64_t> unsigned_integer() const;
  std::optional<std::int64_t> signed_integer() const;

  std::size_t size() const;                    ///< of an array or object
  JsonNode element(std::size_t i) const;       ///< of an array
  std::string_view name(std::size_t i) const;  ///< of an object's member
  JsonNode member(std::size_t i) const;
  JsonNode find(std::string_view name) const;

 private:
  const void* value_ = nullptr;
};

class JsonDocument {
 public:
  /// Errors name line and column.
  static Result<JsonDocument> parse(std::string_view text);
  JsonNode root() const;

 private:
  struct Inside;
  std::shared_ptr<const Inside> inside_;
};

/// Fills values from nodes. The first thing that does not fit is kept as error(), with the path to it.
class JsonReader {
 public:
  const std::optional<Error>& error() const { return error_; }

  /// Called by visit(), for the object that is being read.
  template <class T>
  void operator()(std::string_view name, T& value) {
    if (error_) return;
    JsonNode found = object_.find(name);
    if (!found) return;
    ++found_;
    Step step(*this, name);
    get(found, value);
  }

  void get(JsonNode node, bool& value);
  void get(JsonNode node, std::string& value);
  void get(JsonNode node, Time& value);
  void get(JsonNode node, Duration& value);
  void get(JsonNode node, Money& value);

  template <class T>
  requires std::is_integral_v<T>
  void get(JsonNode node, T& value) {
    if constexpr (std::is_signed_v<T>) {
      std::int64_t wide = 0;
      get_signed(node, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(), wide);
      value = static_cast<T>(wide);
    } else {
      std::uint64_t wide = 0;
      get_unsigned(node, std::numeric_limits<T>::max(), wide);
      value = static_cast<T>(wide);
    }
  }
  template <NamedEnum E>
  void get(JsonNode node, E& value) {
    std::string name;
    get(node, name);
    if (error_) return;
    std::optional<E> known = enum_from_name<E>(name);
    if (known) {
      value = *known;
      return;
    }
    std::string names;
    for (std::string_view n : EnumNames<E>::names) names.append(names.empty() ? "" : ", ").append(n);
    fail_here("is '" + name + "', which must be one of: " + names);
  }
  template <class Tag, class Rep>
  void get(JsonNode node, Id<Tag, Rep>& id) {
    get(node, id.value);
  }
  template <class T>
  void get(JsonNode node, std::optional<T>& value) {
    if (node.kind() == JsonNode::Kind::null) {
      value.reset();
    } else {
      get(node, value.emplace());
    }
  }
  template <class T>
  void get(JsonNode node, std::vector<T>& values) {
    values.clear();
    if (!expect(node, JsonNode::Kind::array, "an array")) return;
    values.reserve(node.size());
    for (std::size_t i = 0; i < node.size() && !error_; ++i) {
      Step step(*this, i);
      get(node.element(i), values.emplace_back());
    }
  }
  template <AnyShared S>
  void get(JsonNode node, S& shared) {
    typename S::Held value = *shared;
    get(node, value);
    shared = std::move(value);
  }
  template <AnyMap M>
  void get(JsonNode node, M& values) {
    values.clear();
    if (!expect(node, JsonNode::Kind::object, "an object")) return;
    for (std::size_t i = 0; i < node.size() && !error_; ++i) {
      Step step(*this, node.name(i));
      typename M::key_type key{};
      get_key(node.name(i), key);
      if (!error_) get(node.member(i), values[key]);
    }
  }
  template <class... T>
  void get(JsonNode node, std::variant<T...>& value) {
    if (!expect(node, JsonNode::Kind::object, "an object")) return;
    get_variant(node.find("type"), node.find("body"), value);
  }
  /// A variant whose two halves lie beside other members.
  template <class... T>
  void get_variant(JsonNode type, JsonNode body, std::variant<T...>& value) {
    std::string name;
    if (!type || !body) return fail_here("needs the keys 'type' and 'body'");
    get(type, name);
    if (error_) return;
    bool known = ((name == T::k_name && (get(body, value.template emplace<T>()), true)) || ...);
    if (!known) fail_here("has the unknown type '" + name + "'");
  }
  template <class T>
  requires std::is_class_v<T> && requires(T& t, JsonReader& r) { T::visit(t, r); }
  void get(JsonNode node, T& value) {
    if (!expect(node, JsonNode::Kind::object, "an object")) return;
    JsonNode outer_object = std::exchange(object_, node);
    std::size_t outer_found = std::exchange(found_, 0);
    T::visit(value, *this);
    if (!error_ && found_ != node.size()) {
      Names names;
      T::visit(value, names);
      fail_unknown(node, names.list);
    }
    object_ = outer_object;
    found_ = outer_found;
  }

  bool expect(JsonNode node, JsonNode::Kind kind, std::string_view what);
  void fail_here(const std::string& what);

 private:
  /// One step of the path to the value that is being read: a member's name or an element's number.
  struct Step {
    Step(JsonReader& r, std::string_view n) : reader(r), outer(r.path_), name(n) { r.path_ = this; }
    Step(JsonReader& r, std::size_t i) : reader(r), outer(r.path_), index(i) { r.path_ = this; }
    ~Step() { reader.path_ = outer; }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    JsonReader& reader;
    Step* outer;
    std::string_view name;
    std::optional<std::size_t> index;
  };
  struct Names {
    template <class T>
    void operator()(std::string_view name, const T&) {
      list.push_back(name);
    }
    std::vector<std::string_view> list;
  };

  void get_signed(JsonNode node, std::int64_t min, std::int64_t max, std::int64_t& value);
  void get_unsigned(JsonNode node, std::uint64_t max, std::uint64_t& value);
  void get_key(std::string_view text, std::string& key) { key = text; }
  void get_key_number(std::string_view text, std::uint64_t max, std::uint64_t& key);
  template <class Tag, class Rep>
  void get_key(std::string_view text, Id<Tag, Rep>& key) {
    std::uint64_t wide = 0;
    get_key_number(text, std::numeric_limits<Rep>::max(), wide);
    key.value = static_cast<Rep>(wide);
  }
  void fail_unknown(JsonNode object, const std::vector<std::string_view>& known);
  std::string path() const;

  std::optional<Error> error_;
  JsonNode object_;
  std::size_t found_ = 0;
  Step* path_ = nullptr;
};

template <class T>
std::string to_json_text(const T& value) {
  JsonWriter w;
  w.put(value);
  return w.take();
}

template <class T>
Result<T> from_json(JsonNode node) {
  JsonReader r;
  T value{};
  r.get(node, value);
  if (r.error()) return unexpected(*r.error());
  return value;
}

template <class T>
Result<T> from_json_text(std::string_view text) {
  Result<JsonDocument> document = JsonDocument::parse(text);
  if (!document) return unexpected(document.error());
  return from_json<T>(document->root());
}

}  // namespace virga
