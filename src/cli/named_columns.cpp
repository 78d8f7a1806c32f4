#include "cli/named_columns.hpp"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cstdlib>

#include "wire/slurm_text.hpp"

namespace virga {
namespace {

bool begins_like(std::string_view name, std::string_view start) {
  return name.size() >= start.size() && ::strncasecmp(name.data(), start.data(), start.size()) == 0;
}

Result<int> width_of(std::string_view text) {
  const bool left = text.starts_with('-');
  Result<std::uint32_t> width = parse_count(left ? text.substr(1) : text);
  if (!width || *width > 10'000) return fail(Code::invalid, std::string(text));
  return left ? -static_cast<int>(*width) : static_cast<int>(*width);
}

std::size_t size_of(int width) { return static_cast<std::size_t>(std::abs(width)); }

void append_text(std::string& out, std::string text, bool may_cut, const NamedColumn& column) {
  const std::size_t width = size_of(column.width);
  if (may_cut && text.size() > width && width > 0) {
    text.resize(width);
    text.back() = '+';  // Slurm's mark of a text that was cut
  }
  const std::string fill(width - std::min(width, text.size()), ' ');
  out += column.width < 0 ? text + fill : fill + text;
  out += ' ';
}

}  // namespace

Cell Cell::number(std::string shown) {
  Cell cell(std::move(shown));
  cell.may_cut = false;
  return cell;
}

Result<std::vector<NamedColumn>> parse_columns(std::string_view text, const std::vector<ColumnName>& names) {
  std::vector<NamedColumn> columns;
  for (const std::string& part : split_list(text)) {
    const std::size_t percent = part.find('%');
    const std::string name = part.substr(0, percent);
    const ColumnName* found = nullptr;
    for (const ColumnName& each : names) {
      const bool whole = name.size() == std::string_view(each.name).size();
      if (!begins_like(each.name, name) || (!whole && static_cast<int>(name.size()) < each.least)) continue;
      if (found == nullptr || whole) found = &each;
      if (whole) break;
    }
    if (found == nullptr || name.empty()) return fail(Code::invalid, name);
    NamedColumn column{static_cast<std::size_t>(found - names.data()), found->width, std::string(found->shown())};
    if (percent != part.npos) {
      Result<int> width = width_of(std::string_view(part).substr(percent + 1));
      if (!width) return fail(Code::invalid, part);
      column.width = *width;
    }
    columns.push_back(std::move(column));
  }
  return columns;
}

std::string column_header(const std::vector<NamedColumn>& columns, const ColumnStyle& style) {
  if (!style.header) return {};
  std::vector<Cell> names;
  for (const NamedColumn& column : columns) {
    names.emplace_back(style.parsable ? column.header : column.header.substr(0, size_of(column.width)));
  }
  std::string out = column_line(names, columns, style);
  if (style.parsable) return out;
  for (const NamedColumn& column : columns) out += std::string(size_of(column.width), '-') + ' ';
  return out + '\n';
}

std::string column_line(const std::vector<Cell>& cells, const std::vector<NamedColumn>& columns,
                        const ColumnStyle& style) {
  std::string out;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (style.parsable) {
      out += cells[i].text;
      if (i + 1 < columns.size() || style.end_delimiter) out += style.delimiter;
    } else {
      append_text(out, cells[i].text, cells[i].may_cut, columns[i]);
    }
  }
  return out + '\n';
}

std::string column_names(const std::vector<ColumnName>& names, std::size_t width, std::size_t per_line) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) text += i % per_line == 0 ? "\n" : " ";
    text += fmt::format("{:<{}}", names[i].name, width);
  }
  return text + "\n";
}

}  // namespace virga
