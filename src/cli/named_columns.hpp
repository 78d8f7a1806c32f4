// Tables whose columns are chosen by name and width: `format=Name,Account%20,User%-8` of sacct, sstat, sshare, sacctmgr
// and sreport.
//
//   Result<std::vector<NamedColumn>> columns = parse_columns("Account%20,User", k_names);
//   std::string text = column_header(*columns, style) + column_line({"physics", "ada"}, *columns, style);
//
// Texts are on the right unless the width is negative, and what is too long is cut and ends in a +, as in Slurm.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/result.hpp"

namespace virga {

struct ColumnName {
  const char* name;              ///< by which users ask for it; may be shortened
  int width;                     ///< Slurm's own; negative: the text is on the left
  int least = 1;                 ///< letters that a short form must have
  const char* header = nullptr;  ///< null: the name

  std::string_view shown() const { return header != nullptr ? header : name; }
};

struct NamedColumn {
  std::size_t field = 0;  ///< place in the list of names
  int width = 0;
  std::string header;
};

/// Code::invalid with the name as its message for one that does not exist.
Result<std::vector<NamedColumn>> parse_columns(std::string_view text, const std::vector<ColumnName>& names);

struct ColumnStyle {
  bool header = true;
  bool parsable = false;
  bool end_delimiter = false;  ///< -p ends each line with one, -P does not
  std::string delimiter = "|";
};

struct Cell {
  std::string text;
  bool may_cut = true;  ///< numbers are shown whole

  Cell() = default;
  Cell(std::string shown) : text(std::move(shown)) {}  // NOLINT: a text is a cell
  Cell(const char* shown) : text(shown) {}             // NOLINT
  static Cell number(std::string shown);
  template <class Number>
  requires std::is_arithmetic_v<Number>
  static Cell number(Number n) { return number(std::string(std::to_string(n))); }
};

std::string column_header(const std::vector<NamedColumn>& columns, const ColumnStyle& style);
/// `cells`: one for each column.
std::string column_line(const std::vector<Cell>& cells, const std::vector<NamedColumn>& columns,
                        const ColumnStyle& style);
/// The names, `per_line` of them in columns of `width`, with blanks between them: what --helpformat prints.
std::string column_names(const std::vector<ColumnName>& names, std::size_t width, std::size_t per_line);

}  // namespace virga
