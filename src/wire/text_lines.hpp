// A text line by line, and the mistakes found in it, each with its place.
//
//   TextMistakes mistakes("topology.conf");
//   for (TextLines lines(text); lines.next() && !mistakes.full();) {
//     if (!good(lines.line())) mistakes.add(lines.number(), "what is wrong; what would be right");
//   }
//   if (mistakes.any()) return mistakes.error();            // topology.conf:7: what is wrong; what would be right
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace virga {

inline std::string_view trimmed_blanks(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

/// Text from outside as it may stand in a message of one line.
inline std::string as_shown(std::string_view text) {
  constexpr std::size_t k_longest = 60;
  std::string shown(text.substr(0, k_longest));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return text.size() > k_longest ? shown + "…" : shown;
}

class TextLines {
 public:
  explicit TextLines(std::string_view text) : rest_(text) {}
  bool next() {
    if (rest_.empty()) return false;
    const auto size = std::min(rest_.find('\n'), rest_.size());
    line_ = rest_.substr(0, size);
    if (line_.ends_with('\r')) line_.remove_suffix(1);
    rest_.remove_prefix(std::min(size + 1, rest_.size()));
    ++number_;
    return true;
  }
  std::string_view line() const { return line_; }
  std::uint32_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::string_view line_;
  std::uint32_t number_ = 0;
};

class TextMistakes {
 public:
  explicit TextMistakes(std::string file_name) : file_name_(std::move(file_name)) {}
  /// Line 0: the file as a whole.
  void add(std::uint32_t line, std::string_view message) {
    lines_.push_back(line == 0 ? fmt::format("{}: {}", file_name_, message)
                               : fmt::format("{}:{}: {}", file_name_, line, message));
  }
  bool any() const { return !lines_.empty(); }
  bool full() const { return lines_.size() >= 20; }
  tl::unexpected<Error> error() const { return fail(Code::invalid, fmt::format("{}", fmt::join(lines_, "\n"))); }

 private:
  std::string file_name_;
  std::vector<std::string> lines_;
};

/// Numbers in names count as numbers: node-2 comes before node-10.
inline bool natural_less(std::string_view a, std::string_view b) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() && j < b.size()) {
    if (!is_digit(a[i]) || !is_digit(b[j])) {
      if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
      ++i;
      ++j;
      continue;
    }
    const auto number_from = [&](std::string_view text, std::size_t& at) {
      while (at < text.size() && text[at] == '0') ++at;
      const std::size_t begin = at;
      while (at < text.size() && is_digit(text[at])) ++at;
      return text.substr(begin, at - begin);
    };
    const std::string_view x = number_from(a, i);
    const std::string_view y = number_from(b, j);
    if (x.size() != y.size()) return x.size() < y.size();
    if (x != y) return x < y;
  }
  if ((i < a.size()) != (j < b.size())) return j < b.size();
  return a < b;
}

}  // namespace virga
