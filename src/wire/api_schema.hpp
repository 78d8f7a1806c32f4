// JSON Schemas of everything that has visit(), for the OpenAPI document.
//
//   SchemaBook book;
//   std::string reference = book.schema<Job>();   // {"$ref":"#/components/schemas/Job"}
//   book.schemas();                               // Job and all that it holds, by name
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "wire/json_codec.hpp"

namespace virga {

/// "Job" for virga::Job: what both compilers call the type, without its namespace.
template <class T>
constexpr std::string_view type_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  text = text.substr(0, text.find_first_of(";]"));
  std::size_t colon = text.rfind(':');
  return colon == text.npos ? text : text.substr(colon + 1);
}

class SchemaBook {
 public:
  /// The schema of T as JSON: inline for plain values, a reference for enums and structs.
  template <class T>
  std::string schema() {
    return schema_of(static_cast<T*>(nullptr));
  }
  const std::map<std::string, std::string, std::less<>>& schemas() const { return schemas_; }

 private:
  /// Collects the members of a struct with their schemas and defaults.
  struct Members {
    template <class T>
    void operator()(std::string_view name, const T& value) {
      add(name, book.schema<T>(), std::is_class_v<T> && !k_plain_class<T> ? "" : to_json_text(value));
    }
    void add(std::string_view name, const std::string& schema, const std::string& fallback);
    SchemaBook& book;
    std::string properties;
  };
  template <class T>
  static constexpr bool k_plain_class = std::is_same_v<T, std::string> || std::is_same_v<T, Time> ||
                                        std::is_same_v<T, Duration> || std::is_same_v<T, Money>;

  std::string schema_of(bool*) { return R"({"type":"boolean"})"; }
  std::string schema_of(std::string*) { return R"({"type":"string"})"; }
  std::string schema_of(Time*);
  std::string schema_of(Duration*);
  std::string schema_of(Money*);
  template <class T>
  requires std::is_integral_v<T> std::string schema_of(T*) {
    return std::is_signed_v<T> ? R"({"type":"integer"})" : R"({"type":"integer","minimum":0})";
  }
  template <NamedEnum E>
  std::string schema_of(E*) {
    std::vector<std::string_view> names(std::begin(EnumNames<E>::names), std::end(EnumNames<E>::names));
    return define(type_name<E>(), enum_schema(names));
  }
  template <class Tag, class Rep>
  std::string schema_of(Id<Tag, Rep>*) {
    return R"({"type":"integer","minimum":0})";
  }
  template <class T>
  std::string schema_of(std::optional<T>*) {
    return R"({"oneOf":[)" + schema<T>() + R"(,{"type":"null"}]})";
  }
  template <class T>
  std::string schema_of(std::vector<T>*) {
    return R"({"type":"array","items":)" + schema<T>() + "}";
  }
  template <class K, class T>
  std::string schema_of(std::map<K, T>*) {
    return R"({"type":"object","additionalProperties":)" + schema<T>() + "}";
  }
  template <AnyShared S>
  std::string schema_of(S*) {
    return schema<typename S::Held>();
  }
  template <class T>
  requires std::is_class_v<T> && requires(const T& t, JsonWriter& w) { T::visit(t, w); }
  std::string schema_of(T*) {
    if (!schemas_.contains(type_name<T>())) {
      schemas_.emplace(type_name<T>(), "");  // holds the place while its members are looked at
      Members members{*this, {}};
      const T value{};
      T::visit(value, members);
      define(type_name<T>(), object_schema(members.properties));
    }
    return reference(type_name<T>());
  }

  std::string define(std::string_view name, std::string schema);
  static std::string reference(std::string_view name);
  static std::string enum_schema(const std::vector<std::string_view>& names);
  static std::string object_schema(const std::string& properties);

  std::map<std::string, std::string, std::less<>> schemas_;
};

}  // namespace virga
