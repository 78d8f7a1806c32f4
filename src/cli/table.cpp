#include "cli/table.hpp"

#include <algorithm>
#include <cstring>

namespace virga {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t take_number(std::string_view& text) {
  std::size_t value = 0;
  while (!text.empty() && is_digit(text.front())) {
    value = std::min<std::size_t>(value * 10 + static_cast<std::size_t>(text.front() - '0'), 10'000);
    text.remove_prefix(1);
  }
  return value;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  return out;
}

/// "%all": every column that has a letter, between bars.
std::string all_letters(const std::vector<FieldNames>& fields) {
  std::string text;
  for (const FieldNames& field : fields) {
    if (field.letter != 0) text.append(text.empty() ? "%" : "|%").append(1, field.letter);
  }
  return text;
}

}  // namespace

TableFormat parse_letter_format(std::string_view text, const std::vector<FieldNames>& fields) {
  if (text == "%all") return parse_letter_format(all_letters(fields), fields);
  TableFormat format;
  format.lead = text.substr(0, text.find('%'));
  text.remove_prefix(format.lead.size());
  while (!text.empty()) {
    text.remove_prefix(1);  // '%'
    TableColumn column;
    const std::string_view whole = text;
    if (!text.empty() && text.front() == '.') {
      column.right = true;
      text.remove_prefix(1);
    }
    column.width = take_number(text);
    if (text.empty()) break;
    const char letter = text.front();
    text.remove_prefix(1);
    if (letter == '%') {  // nothing, in Slurm
      column.suffix = text.substr(0, text.find('%'));
      text.remove_prefix(column.suffix.size());
      format.columns.push_back(std::move(column));
      continue;
    }
    for (std::size_t i = 0; i < fields.size() && column.field < 0; ++i) {
      if (fields[i].letter == letter) column.field = static_cast<int>(i);
    }
    const std::size_t end = std::min(text.find('%'), text.size());
    column.suffix = text.substr(0, end);
    text.remove_prefix(end);
    if (column.field < 0) {
      format.unknown.emplace_back(1, letter);
      column.suffix = "%" + std::string(whole.substr(0, static_cast<std::size_t>(text.data() - whole.data())));
    }
    format.columns.push_back(std::move(column));
  }
  return format;
}

TableFormat parse_name_format(std::string_view text, const std::vector<FieldNames>& fields) {
  if (text == "all" || text == "ALL") return parse_letter_format(all_letters(fields), fields);
  TableFormat format;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    TableColumn column;
    column.width = k_long_column_width;
    const std::size_t colon = part.find(':');
    const std::string name = lower(part.substr(0, colon));
    if (colon != part.npos) {
      std::string_view spec = part.substr(colon + 1);
      column.right = !spec.empty() && spec.front() == '.';
      if (column.right) spec.remove_prefix(1);
      const bool sized = !spec.empty() && is_digit(spec.front());
      column.width = sized ? take_number(spec) : 0;
      column.suffix = spec;
    }
    for (std::size_t i = 0; i < fields.size() && column.field < 0; ++i) {
      if (fields[i].name != nullptr && name == fields[i].name) column.field = static_cast<int>(i);
    }
    if (column.field < 0) {
      format.unknown.emplace_back(part.substr(0, colon));
    } else {
      format.columns.push_back(std::move(column));
    }
  }
  return format;
}

void append_cell(std::string& line, const TableColumn& column, std::string_view text) {
  if (column.width == 0) {
    line += text;
  } else {
    text = text.substr(0, column.width);
    const std::string fill(column.width - text.size(), ' ');
    line.append(column.right ? fill : "").append(text).append(column.right ? "" : fill);
  }
  line += column.suffix;
}

}  // namespace virga
