#include "arm/document.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace virga::arm {
namespace json = boost::json;

namespace {

/// Members that are null are as good as absent, at any depth.
json::value without_nulls(const json::value& value) {
  if (const json::object* object = value.if_object()) {
    json::object result;
    merge(result, *object);
    return result;
  }
  if (const json::array* array = value.if_array()) {
    json::array result;
    for (const json::value& element : *array) result.push_back(without_nulls(element));
    return result;
  }
  return value;
}

}  // namespace

Document::Document() : object_(std::make_unique<json::object>()) {}
Document::Document(json::object object) : object_(std::make_unique<json::object>(std::move(object))) {}
Document::Document(const Document& other) : object_(std::make_unique<json::object>(*other.object_)) {}
Document::Document(Document&& other) noexcept : object_(std::make_unique<json::object>()) {
  std::swap(object_, other.object_);
}
Document& Document::operator=(Document other) noexcept {
  std::swap(object_, other.object_);
  return *this;
}
Document::~Document() = default;

Result<Document> parse_document(std::string_view text) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return Document();
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return fail(Code::invalid, "the body is not JSON: " + error.message());
  if (!value.is_object()) return fail(Code::invalid, "the body is JSON, but not an object");
  return Document(std::move(value.get_object()));
}

void merge(json::object& into, const json::object& from) {
  for (const auto& [key, value] : from) {
    if (value.is_null()) {
      into.erase(key);
      continue;
    }
    json::value* old = into.if_contains(key);
    if (old != nullptr && old->is_object() && value.is_object()) {
      merge(old->get_object(), value.get_object());
    } else {
      into.insert_or_assign(key, without_nulls(value));
    }
  }
}

const json::value* find_at(const json::object& object, std::string_view path) {
  const std::size_t dot = std::min(path.find('.'), path.size());
  const json::value* value = object.if_contains(json::string_view(path.data(), dot));
  if (value == nullptr || dot == path.size()) return value;
  return value->is_object() ? find_at(value->get_object(), path.substr(dot + 1)) : nullptr;
}

json::value* find_at(json::object& object, std::string_view path) {
  return const_cast<json::value*>(find_at(static_cast<const json::object&>(object), path));
}

json::value& make_at(json::object& object, std::string_view path) {
  const std::size_t dot = std::min(path.find('.'), path.size());
  json::value& value = object[json::string_view(path.data(), dot)];
  if (dot == path.size()) return value;
  if (!value.is_object()) value.emplace_object();
  return make_at(value.get_object(), path.substr(dot + 1));
}

void set_number_at(json::object& object, std::string_view path, std::int64_t value) { make_at(object, path) = value; }

void erase_at(json::object& object, std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) {
    object.erase(json::string_view(path.data(), path.size()));
    return;
  }
  json::value* parent = find_at(object, path.substr(0, dot));
  if (parent != nullptr && parent->is_object()) {
    parent->get_object().erase(json::string_view(path.data() + dot + 1, path.size() - dot - 1));
  }
}

std::string text_at(const json::object& object, std::string_view path) {
  const json::value* value = find_at(object, path);
  return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : std::string();
}

std::int64_t number_at(const json::object& object, std::string_view path, std::int64_t otherwise) {
  const json::value* value = find_at(object, path);
  return value != nullptr && value->is_int64() ? value->get_int64() : otherwise;
}

bool flag_at(const json::object& object, std::string_view path, bool otherwise) {
  const json::value* value = find_at(object, path);
  return value != nullptr && value->is_bool() ? value->get_bool() : otherwise;
}

const json::array* array_at(const json::object& object, std::string_view path) {
  const json::value* value = find_at(object, path);
  return value != nullptr ? value->if_array() : nullptr;
}

const json::object* object_at(const json::object& object, std::string_view path) {
  const json::value* value = find_at(object, path);
  return value != nullptr ? value->if_object() : nullptr;
}

std::string json_text(const json::object& object) { return json::serialize(object); }

}  // namespace virga::arm
