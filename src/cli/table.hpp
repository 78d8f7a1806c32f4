// Tables in Slurm's two notations: `-o "%.18i %j"` and `-O "JobID:10,Name"`.
//
//   constexpr TableField<Row> k_fields[] = {{'i', "jobid", "JOBID", job_id_text}, …};
//   TableFormat format = parse_letter_format("%.18i %.9P", fields_of(k_fields));
//   std::string text = render(format, std::span(k_fields), rows, true);
//
// A width without a dot fills up on the right, with a dot on the left; what is longer is cut. Text between columns is
// printed as it stands. What is no field is told in `unknown` and printed as literal text, as Slurm does.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace virga {

template <class Row>
struct TableField {
  char letter;         ///< of -o; 0: none
  const char* name;    ///< of -O, in lower case; null: none
  const char* header;  ///< null: this letter has no header of its own in -O
  std::string (*text)(const Row&);
};

struct FieldNames {
  char letter;
  const char* name;
};
template <class Row>
std::vector<FieldNames> fields_of(std::span<const TableField<Row>> fields) {
  std::vector<FieldNames> names;
  for (const auto& field : fields) names.push_back({field.letter, field.name});
  return names;
}

struct TableColumn {
  int field = -1;  ///< place in the field table; -1: only the suffix is printed
  std::size_t width = 0;
  bool right = false;
  std::string suffix;
};

struct TableFormat {
  std::string lead;
  std::vector<TableColumn> columns;
  std::vector<std::string> unknown;
};

inline constexpr std::size_t k_long_column_width = 20;  ///< of -O, where none is given

TableFormat parse_letter_format(std::string_view text, const std::vector<FieldNames>& fields);
TableFormat parse_name_format(std::string_view text, const std::vector<FieldNames>& fields);

void append_cell(std::string& line, const TableColumn& column, std::string_view text);

template <class Row>
std::string render_line(const TableFormat& format, std::span<const TableField<Row>> fields, const Row* row) {
  std::string line = format.lead;
  for (const TableColumn& column : format.columns) {
    if (column.field < 0) {
      line += column.suffix;
      continue;
    }
    const TableField<Row>& field = fields[static_cast<std::size_t>(column.field)];
    append_cell(line, column, row != nullptr ? field.text(*row) : std::string(field.header));
  }
  line += '\n';
  return line;
}

template <class Row>
std::string render(const TableFormat& format, std::span<const TableField<Row>> fields, const std::vector<Row>& rows,
                   bool header) {
  std::string out;
  if (header) out += render_line<Row>(format, fields, nullptr);
  for (const Row& row : rows) out += render_line(format, fields, &row);
  return out;
}

}  // namespace virga
