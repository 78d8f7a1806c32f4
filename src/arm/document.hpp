// A JSON object with value semantics, which headers can hold without including Boost.JSON.
//
//   Document body;
//   make_at(*body, "properties.provisioningState") = "Succeeded";
//   text_at(*body, "properties.hardwareProfile.vmSize");        // "" if it is not there or is no text
//   merge(*body, patch);                                        // as a PUT or PATCH of Azure does
//
// Paths have their words separated by dots; names are compared as they are.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace boost::json {
class array;
class object;
class value;
}  // namespace boost::json

namespace virga::arm {

class Document {
 public:
  Document();
  explicit Document(boost::json::object object);
  Document(const Document& other);
  Document(Document&& other) noexcept;
  Document& operator=(Document other) noexcept;
  ~Document();

  boost::json::object& operator*() { return *object_; }
  const boost::json::object& operator*() const { return *object_; }

 private:
  std::unique_ptr<boost::json::object> object_;
};

/// An empty text is an empty object. Code::invalid for what is no JSON object.
Result<Document> parse_document(std::string_view text);

/// Objects are merged key by key, everything else is replaced; null removes.
void merge(boost::json::object& into, const boost::json::object& from);

const boost::json::value* find_at(const boost::json::object& object, std::string_view path);
boost::json::value* find_at(boost::json::object& object, std::string_view path);
/// Makes the objects on the way.
boost::json::value& make_at(boost::json::object& object, std::string_view path);
void set_number_at(boost::json::object& object, std::string_view path, std::int64_t value);
void erase_at(boost::json::object& object, std::string_view path);

std::string text_at(const boost::json::object& object, std::string_view path);
std::int64_t number_at(const boost::json::object& object, std::string_view path, std::int64_t otherwise);
bool flag_at(const boost::json::object& object, std::string_view path, bool otherwise);
/// nullptr if there is none.
const boost::json::array* array_at(const boost::json::object& object, std::string_view path);
const boost::json::object* object_at(const boost::json::object& object, std::string_view path);

std::string json_text(const boost::json::object& object);

}  // namespace virga::arm
