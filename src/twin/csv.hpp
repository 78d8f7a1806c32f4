// Comma-separated text with a header, as measurement files and the twin's own tables have it: fields may be quoted with
// "…", in which "" is a quote; lines of # are comments.
//
//   CsvReader csv(text);
//   const std::size_t value = csv.column("value");        // CsvReader::npos: no such column
//   while (csv.next()) use(csv[value]);                   // empty for a column the line does not reach
//   if (csv.ragged_line() > 0) complain(csv.ragged_line());  // more fields than the header has, or an open quote
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace virga::twin {

class CsvReader {
 public:
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

  explicit CsvReader(std::string_view text);
  const std::vector<std::string>& header() const { return header_; }
  std::size_t column(std::string_view name) const;
  /// Goes to the next line; false at the end, or at a line that cannot be read.
  bool next();
  std::string_view operator[](std::size_t column) const;
  std::size_t line() const { return line_; }  ///< of the file, from 1
  std::size_t ragged_line() const { return ragged_line_; }

 private:
  bool read_line(std::vector<std::string>& fields);

  std::string_view rest_;
  std::vector<std::string> header_;
  std::vector<std::string> fields_;
  std::size_t line_ = 0;
  std::size_t ragged_line_ = 0;
};

/// False, and `number` as it was, if the text is not one number; an empty text leaves it and is fine.
template <class T>
bool read_optional_number(std::string_view text, T& number) {
  if (text.empty()) return true;
  T read{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), read);
  if (error != std::errc{} || end != text.data() + text.size()) return false;
  number = read;
  return true;
}

}  // namespace virga::twin
