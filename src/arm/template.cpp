#include "arm/template.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>
#include <vector>

#include "arm/text.hpp"
#include "base/digest.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr int k_depth_max = 40;

struct TemplateError {
  std::string message;
};

json::value evaluate_value(const json::value& raw, const TemplateScope& scope, int depth);

/// About what a copy of it takes.
std::size_t weight_of(const json::value& value) {
  constexpr std::size_t k_node = 16;
  std::size_t weight = k_node;
  if (const json::string* text = value.if_string()) weight += text->size();
  if (const json::array* array = value.if_array()) {
    for (const json::value& element : *array) weight += weight_of(element);
  }
  if (const json::object* object = value.if_object()) {
    for (const auto& [key, inner] : *object) weight += key.size() + weight_of(inner);
  }
  return weight;
}

/// Recursive descent over one expression; a TemplateError stays within this file.
class Expression {
 public:
  Expression(std::string_view text, const TemplateScope& scope, int depth)
      : text_(text), scope_(scope), depth_(depth) {}

  json::value whole() {
    json::value value = expression(depth_);
    skip_blanks();
    if (at_ != text_.size()) wrong("there is more after its end");
    return value;
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const {
    throw TemplateError{fmt::format("Unable to process template language expression '[{}]': {}", text_, what)};
  }
  json::value spent(json::value value) const {
    const std::size_t weight = weight_of(value);
    if (weight > scope_.bytes_left) wrong("the template grows beyond 4 MB");
    scope_.bytes_left -= weight;
    return value;
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string word() {
    skip_blanks();
    const std::size_t start = at_;
    const auto is_word = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    if (start == at_) wrong("a name is missing");
    return std::string(text_.substr(start, at_ - start));
  }

  std::string quoted() {
    std::string result;
    for (;; ++at_) {
      if (at_ >= text_.size()) wrong("a quote is open");
      if (text_[at_] != '\'') {
        result += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '\'') {
        result += text_[at_++];
      } else {
        ++at_;
        return result;
      }
    }
  }

  json::value expression(int depth) {
    if (depth > k_depth_max) wrong("it is too deep");
    json::value value = primary(depth);
    for (;;) {
      if (take('.')) {
        value = member(value, word());
      } else if (take('[')) {
        const json::value index = expression(depth + 1);
        if (!take(']')) wrong("']' is missing");
        value = index.is_string() ? member(value, index.get_string().c_str()) : element(value, index);
      } else {
        return value;
      }
    }
  }

  json::value primary(int depth) {
    if (take('\'')) return json::string(quoted());
    skip_blanks();
    std::int64_t number = 0;
    const auto read = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (read.ec == std::errc{}) {
      at_ = static_cast<std::size_t>(read.ptr - text_.data());
      return number;
    }
    const std::string name = lower_case(word());
    if (!take('(')) wrong("'(' is missing after '" + name + "'");
    std::vector<json::value> arguments;
    if (!take(')')) {
      do {
        arguments.push_back(expression(depth + 1));
      } while (take(','));
      if (!take(')')) wrong("')' is missing");
    }
    return spent(call(name, arguments, depth));
  }

  static const json::value* find_member(const json::object& object, const std::string& name) {
    for (const auto& [key, inner] : object) {
      if (same_word(std::string_view(key.data(), key.size()), name)) return &inner;
    }
    return nullptr;
  }

  json::value member(const json::value& value, const std::string& name) const {
    const json::object* object = value.if_object();
    const json::value* found = object == nullptr ? nullptr : find_member(*object, name);
    if (found != nullptr) return *found;
    wrong("there is no '" + name + "'");
  }

  json::value element(const json::value& value, const json::value& index) const {
    const json::array* array = value.if_array();
    const std::int64_t* i = index.if_int64();
    if (array == nullptr || i == nullptr || *i < 0 || static_cast<std::size_t>(*i) >= array->size()) {
      wrong("an index is out of bounds");
    }
    return json::value(array->at(static_cast<std::size_t>(*i)));
  }

  std::string text_of(const json::value& value) const {
    return value.is_string() ? std::string(value.get_string().c_str()) : json::serialize(value);
  }
  std::string text_at_argument(const std::vector<json::value>& arguments, std::size_t i) const {
    if (i >= arguments.size()) wrong("an argument is missing");
    return text_of(arguments[i]);
  }

  /// resourceId([subscription,] [group,] 'Provider/type[/type]', 'name' [, 'name'])
  std::string resource_id(const std::vector<json::value>& arguments) const {
    std::size_t at = 0;
    while (at < arguments.size() && text_of(arguments[at]).find('/') == std::string::npos) ++at;
    if (at >= arguments.size() || at > 2) wrong("resourceId needs a type and a name");
    const std::string group = at > 0 ? text_of(arguments[at - 1]) : scope_.group;
    const std::string subscription = at > 1 ? text_of(arguments[0]) : scope_.subscription;
    std::string type = text_of(arguments[at++]);
    std::size_t slash = type.find('/');
    std::string id =
        fmt::format("/subscriptions/{}/resourceGroups/{}/providers/{}", subscription, group, type.substr(0, slash));
    while (slash != std::string::npos) {
      const std::size_t next = type.find('/', slash + 1);
      const std::size_t length = next == std::string::npos ? next : next - slash - 1;
      id += "/" + type.substr(slash + 1, length) + "/" + text_at_argument(arguments, at++);
      slash = next;
    }
    return id;
  }

  json::value call(const std::string& name, const std::vector<json::value>& arguments, int depth) const {
    if (name == "resourceid") return json::string(resource_id(arguments));
    if (name == "reference") {
      const Result<Document> found = scope_.reference(text_at_argument(arguments, 0));
      if (!found) wrong(found.error().message);
      return **found;
    }
    if (name == "parameters") {
      const std::string parameter = text_at_argument(arguments, 0);
      if (const json::value* given = find_member(*scope_.parameters, parameter)) return *given;
      return evaluate_value(member(*scope_.defaults, parameter), scope_, depth + 1);
    }
    if (name == "variables") {
      return evaluate_value(member(*scope_.variables, text_at_argument(arguments, 0)), scope_, depth + 1);
    }
    if (name == "concat") {
      std::string all;
      for (const json::value& argument : arguments) {
        all += text_of(argument);
        if (all.size() > scope_.bytes_left) wrong("the template grows beyond 4 MB");
      }
      return json::string(all);
    }
    if (name == "tolower") return json::string(lower_case(text_at_argument(arguments, 0)));
    if (name == "uniquestring") return json::string(unique_text(arguments));
    if (name == "providers") {
      // az takes the newest version of a type with .apiVersions[0]
      const std::string version =
          same_word(text_at_argument(arguments, 0), "Microsoft.Network") ? "2022-07-01" : "2022-08-01";
      return json::object{{"apiVersions", json::array({json::string(version)})}};
    }
    if (name == "resourcegroup") {
      return json::object{{"id", "/subscriptions/" + scope_.subscription + "/resourceGroups/" + scope_.group},
                          {"name", scope_.group},
                          {"location", scope_.location}};
    }
    if (name == "subscription") {
      return json::object{{"id", "/subscriptions/" + scope_.subscription}, {"subscriptionId", scope_.subscription}};
    }
    wrong("the stand-in has no function '" + name + "'");
  }

  std::string unique_text(const std::vector<json::value>& arguments) const {
    Digest digest;
    for (const json::value& argument : arguments) digest.add(text_of(argument));
    return fmt::format("{:013x}", digest.value() & 0xf'ffff'ffff'ffff);
  }

  std::string_view text_;
  const TemplateScope& scope_;
  std::size_t at_ = 0;
  int depth_;
};

json::value evaluate_value(const json::value& raw, const TemplateScope& scope, int depth) {
  if (depth > k_depth_max) throw TemplateError{"the template is too deep"};
  if (const json::string* text = raw.if_string()) {
    const std::string_view view(text->data(), text->size());
    if (view.size() < 2 || view.front() != '[' || view.back() != ']') return raw;
    if (view[1] == '[') return json::string(view.substr(1));
    return Expression(view.substr(1, view.size() - 2), scope, depth).whole();
  }
  if (const json::array* array = raw.if_array()) {
    json::array result;
    for (const json::value& element : *array) result.push_back(evaluate_value(element, scope, depth + 1));
    return result;
  }
  if (const json::object* object = raw.if_object()) {
    json::object result;
    for (const auto& [key, value] : *object) result[key] = evaluate_value(value, scope, depth + 1);
    return result;
  }
  return raw;
}

}  // namespace

Result<Document> evaluate(const json::object& raw, const TemplateScope& scope) {
  try {
    json::value value = evaluate_value(raw, scope, 0);
    return Document(std::move(value.get_object()));
  } catch (const TemplateError& error) {
    return fail(Code::invalid, error.message);
  }
}

Result<std::string> evaluate_text(std::string_view text, const TemplateScope& scope) {
  const Result<Document> wrapped = evaluate(json::object{{"text", text}}, scope);
  if (!wrapped) return unexpected(wrapped.error());
  return text_at(**wrapped, "text");
}

}  // namespace virga::arm
