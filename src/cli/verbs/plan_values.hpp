// Values of `virga plan`'s options, each read so that a wrong one is told in one line: the option, the text, what it
// must be.
//
//   if (auto ok = read_number("--gpus", options.gpus, k_gpus_most, request.gpus); !ok) return ok;
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "wire/config_units.hpp"

namespace virga {

inline constexpr std::size_t k_plan_file_bytes_max = 64U << 20;

/// A whole number of an option; 0 where the option is absent.
inline Status read_number(std::string_view option, const std::string& text, std::uint32_t most, std::uint32_t& into) {
  if (text.empty()) return {};
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0 || value > most) {
    return fail(Code::invalid, fmt::format("{} {}: must be a whole number from 1 to {}", option, text, most));
  }
  into = value;
  return {};
}

inline Status read_real(std::string_view option, const std::string& text, double most, double& into) {
  if (text.empty()) return {};
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0) || value > most) {
    return fail(Code::invalid, fmt::format("{} {}: must be a number from 0 to {:.0f}", option, text, most));
  }
  into = value;
  return {};
}

inline Status read_switch(std::string_view option, const std::string& text, std::optional<bool>& into) {
  if (text.empty()) return {};
  if (text != "on" && text != "off") return fail(Code::invalid, fmt::format("{} {}: must be on or off", option, text));
  into = text == "on";
  return {};
}

template <NamedEnum E>
Status read_word(std::string_view option, const std::string& text, E& into) {
  if (const auto known = enum_from_name<E>(text)) {
    into = *known;
    return {};
  }
  return fail(Code::invalid,
              fmt::format("{} {}: must be one of {}", option, text, fmt::join(EnumNames<E>::names, ", ")));
}

/// The name that was probably meant, or the first that begins so; empty: none.
inline std::string_view nearest(std::string_view word, const std::vector<std::string_view>& names) {
  if (const std::string_view near = closest_word(word, names); !near.empty()) return near;
  const auto begins = std::find_if(names.begin(), names.end(), [&](auto name) { return name.starts_with(word); });
  return begins == names.end() || word.empty() ? std::string_view() : *begins;
}

}  // namespace virga
