// Traces in the Standard Workload Format: 18 numbers a line, -1 for "not known", comments begin with ";".
// Looked at are 1 job number, 2 submit time, 4 run time, 5 allocated processors (8, the requested ones, where 5 is not
// known) and 9 requested time. https://www.cs.huji.ac.il/labs/parallel/workload/swf.html
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "sim/traces/numbers.hpp"
#include "sim/traces/trace.hpp"

namespace virga {

namespace {

constexpr std::size_t k_swf_columns = 18;
constexpr std::string_view k_blanks = " \t\r";

using Fields = std::array<std::string_view, k_swf_columns>;

/// Up to 19 are counted, so that one too many is seen.
std::size_t split(std::string_view line, Fields& fields) {
  std::size_t count = 0;
  for (;;) {
    const std::size_t begin = line.find_first_not_of(k_blanks);
    if (begin == std::string_view::npos) return count;
    if (count == k_swf_columns) return count + 1;
    line.remove_prefix(begin);
    const std::size_t size = std::min(line.find_first_of(k_blanks), line.size());
    fields[count++] = line.substr(0, size);
    line.remove_prefix(size);
  }
}

Status read_row(Trace& trace, const TraceOptions& options, std::uint64_t line, const Fields& fields) {
  static constexpr std::pair<std::size_t, std::string_view> k_used[] = {{1, "submit time"},
                                                                        {3, "run time"},
                                                                        {4, "allocated processors"},
                                                                        {7, "requested processors"},
                                                                        {8, "requested time"}};
  std::array<TraceNumber, k_swf_columns> numbers;
  for (const auto& [at, name] : k_used) {
    const std::optional<TraceNumber> number = parse_number(fields[at]);
    const std::int64_t min = at == 1 ? 0 : -1;
    if (!number || number->fractional || number->whole < min || number->whole > k_trace_seconds_max) {
      return fail(Code::invalid, fmt::format("{}:{}: column {}, {}, is \"{}\"; it must be a whole number from {} to {}",
                                             options.path, line, at + 1, name, fields[at], min, k_trace_seconds_max));
    }
    numbers[at] = *number;
  }
  TraceRow row;
  row.id = fields[0];
  row.submit_s = numbers[1].whole;
  row.duration_s = numbers[3].whole;
  row.duration_known = row.duration_s != -1;
  row.units = numbers[4].whole != -1 ? numbers[4].whole : numbers[7].whole;
  row.units_known = row.units != -1;
  row.requested_s = numbers[8].whole;
  add_row(trace, row, options.units);
  return {};
}

}  // namespace

Status read_swf_trace(Trace& trace, const TraceOptions& options) {
  if (options.unit_column != UnitColumn::cpus) {
    return fail(Code::invalid, fmt::format("{}: an SWF trace counts processors; use --unit-column cpus", options.path));
  }
  std::string_view rest = *trace.text;
  Fields fields;
  for (std::uint64_t line = 1; !rest.empty(); ++line) {
    const std::size_t size = std::min(rest.find('\n'), rest.size());
    const std::string_view text = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    const std::size_t first = text.find_first_not_of(k_blanks);
    if (first == std::string_view::npos || text[first] == ';') continue;
    if (const std::size_t count = split(text, fields); count != k_swf_columns) {
      return fail(Code::invalid,
                  fmt::format("{}:{}: {} columns; a line of SWF has {}", options.path, line,
                              count > k_swf_columns ? "more than 18" : std::to_string(count), k_swf_columns));
    }
    if (Status read = read_row(trace, options, line, fields); !read) return read;
  }
  return {};
}

}  // namespace virga
