#include "twin/csv.hpp"

#include <algorithm>

namespace virga::twin {

CsvReader::CsvReader(std::string_view text) : rest_(text) { read_line(header_); }

std::size_t CsvReader::column(std::string_view name) const {
  const auto found = std::find(header_.begin(), header_.end(), name);
  return found == header_.end() ? npos : static_cast<std::size_t>(found - header_.begin());
}

bool CsvReader::next() {
  if (ragged_line_ > 0 || !read_line(fields_)) return false;
  if (fields_.size() > header_.size()) ragged_line_ = line_;
  return ragged_line_ == 0;
}

std::string_view CsvReader::operator[](std::size_t column) const {
  return column < fields_.size() ? std::string_view(fields_[column]) : std::string_view();
}

bool CsvReader::read_line(std::vector<std::string>& fields) {
  while (!rest_.empty() && (rest_.front() == '#' || rest_.front() == '\n' || rest_.front() == '\r')) {
    const std::size_t end = std::min(rest_.find('\n'), rest_.size() - 1);
    rest_.remove_prefix(end + 1);
    ++line_;
  }
  if (rest_.empty()) return false;
  ++line_;
  fields.clear();
  fields.emplace_back();
  bool quoted = false;
  std::size_t at = 0;
  for (; at < rest_.size(); ++at) {
    const char c = rest_[at];
    if (quoted) {
      if (c != '"') {
        fields.back() += c;
      } else if (at + 1 < rest_.size() && rest_[at + 1] == '"') {
        fields.back() += '"';
        ++at;
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      fields.emplace_back();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      fields.back() += c;
    }
  }
  if (quoted) ragged_line_ = line_;
  rest_.remove_prefix(std::min(at + 1, rest_.size()));
  return true;
}

}  // namespace virga::twin
