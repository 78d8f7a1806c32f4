#include "wire/config_names.hpp"

#include <fmt/format.h>

#include "wire/config_units.hpp"

namespace virga {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

}  // namespace

bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 32 || !is_letter(name.front())) return false;
  for (const char c : name) {
    if (!is_letter(c) && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
  }
  return true;
}

std::string choice(std::string_view word, const std::vector<std::string_view>& words) {
  if (const auto near = closest_word(word, words); !near.empty()) return fmt::format("did you mean \"{}\"?", near);
  std::string all;
  for (const auto w : words) all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", w);
  return fmt::format("known: {}", all);
}

}  // namespace virga
