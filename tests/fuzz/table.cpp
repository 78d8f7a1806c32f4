// Formats of tables, by letters (-o) and by names (-O): every format prints some line, in its widths.
#include "cli/table.hpp"

#include "fuzz/must.hpp"

namespace {

struct Row {
  std::string text;
};

constexpr virga::TableField<Row> k_fields[] = {
    {'i', "jobid", "JOBID", [](const Row& r) { return r.text; }},
    {'j', "name", "NAME", [](const Row& r) { return r.text + r.text; }},
    {'R', "reasonlist", "NODELIST(REASON)", [](const Row&) { return std::string("\xc3\xa4\xf0\x9f\x98\x80"); }},
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::span<const virga::TableField<Row>> fields(k_fields);
  const auto names = virga::fields_of(fields);
  virga::TableFormat format =
      data[0] % 2 == 0 ? virga::parse_letter_format(text, names) : virga::parse_name_format(text, names);
  for (const virga::TableColumn& column : format.columns) {
    must(column.field >= -1 && column.field < 3);
    if (column.width > 100'000) return 0;  // as wide as it was asked for
  }
  const std::string table = virga::render(format, fields, {Row{"7"}, Row{"a longer one"}}, true);
  must(!table.empty() && table.back() == '\n');
  return 0;
}
