// The small tables that the build puts into the program: comma-separated, lines of # are comments, the first other line
// is the header, nothing is quoted.
//
//   Result<std::vector<Sku>> skus = read_csv_table<Sku>(text, "SKU table", "name,price", [](auto line, Sku& sku) {
//     sku.name = take_until(line, ',');
//     return read_number(line, sku.price);                        // false: the line cannot be read
//   });
//
// A header or a line that cannot be read is a fault of the build: Code::corrupt, with the text.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace virga {

/// Takes the text up to `end`, or all of it, and the end with it.
inline std::string_view take_until(std::string_view& text, char end) {
  const auto size = std::min(text.find(end), text.size());
  const auto taken = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return taken;
}

template <class T>
bool read_number(std::string_view text, T& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

template <class Row, class ReadRow>
Result<std::vector<Row>> read_csv_table(std::string_view csv, std::string_view table, std::string_view header,
                                        ReadRow read_row) {
  std::vector<Row> rows;
  bool header_seen = false;
  while (!csv.empty()) {
    const auto line = take_until(csv, '\n');
    if (line.empty() || line.front() == '#') continue;
    if (!header_seen) {
      if (line != header) return fail(Code::corrupt, fmt::format("{}: unknown header \"{}\"", table, line));
      header_seen = true;
      continue;
    }
    Row row;
    if (!read_row(line, row)) return fail(Code::corrupt, fmt::format("{}: cannot read \"{}\"", table, line));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace virga
