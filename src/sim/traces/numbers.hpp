// Numbers of a trace, read without locale or copies.
//
//   std::optional<TraceNumber> n = parse_number("0.46");    // {.whole = 0, .fractional = true}
//   parse_number("12x");                                    // nothing
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace virga {

struct TraceNumber {
  std::int64_t whole = 0;
  bool fractional = false;  ///< something other than zeros follows the point
};

/// Some 30 years; nanoseconds of anything up to here, and sums of a few, fit into 64 bits.
inline constexpr std::int64_t k_trace_seconds_max = 1'000'000'000;

inline std::optional<TraceNumber> parse_number(std::string_view text) {
  TraceNumber number;
  const char* const end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, number.whole);
  if (error != std::errc{}) return std::nullopt;
  if (rest == end) return number;
  if (*rest++ != '.') return std::nullopt;
  for (; rest != end; ++rest) {
    if (*rest < '0' || *rest > '9') return std::nullopt;
    number.fractional |= *rest != '0';
  }
  return number;
}

}  // namespace virga
