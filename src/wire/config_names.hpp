// What both halves of the configuration's reader say about names: config_toml.cpp and config_policy.cpp.
//
//   if (!is_name(pool.name)) … k_name_rule …;
//   choice("md", {"nd", "small"})      // did you mean "nd"?
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace virga {

/// Names end up in hostlists, in file names and between commas: nothing that means something there.
bool is_name(std::string_view name);
inline constexpr std::string_view k_name_rule = "a letter, then letters, digits, - or _, at most 32";

/// "did you mean …", or all there is to choose from.
std::string choice(std::string_view word, const std::vector<std::string_view>& words);

}  // namespace virga
