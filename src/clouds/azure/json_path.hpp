// Azure's answers as they come: what is absent, or of another type than documented, reads as nothing.
//
//   text(at(at(node, "properties"), "provisioningState"))   // "" if it is not there
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "wire/json_codec.hpp"

namespace virga::azure {

inline JsonNode at(JsonNode node, std::string_view name) {
  return node && node.kind() == JsonNode::Kind::object ? node.find(name) : JsonNode();
}

inline std::string text(JsonNode node) {
  return node && node.kind() == JsonNode::Kind::string ? std::string(node.string()) : std::string();
}

inline std::size_t count(JsonNode node) { return node && node.kind() == JsonNode::Kind::array ? node.size() : 0; }

/// ASCII only.
inline std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

}  // namespace virga::azure
