// Traces as comma-separated values: one header line whose names say what a column is, then one job a line.
// Needed: submit_s, job_id, duration_s and the column of the units; requested_time_s if there is one. An empty field
// is "not known". Other columns are not looked at.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

#include "sim/traces/numbers.hpp"
#include "sim/traces/trace.hpp"

namespace virga {

namespace {

constexpr std::size_t k_columns_max = 256;

/// Where the columns stand; a missing one is k_columns_max.
struct Columns {
  std::size_t submit = k_columns_max;
  std::size_t id = k_columns_max;
  std::size_t duration = k_columns_max;
  std::size_t requested = k_columns_max;
  std::size_t units = k_columns_max;
  std::size_t count = 0;
};

struct Line {
  const TraceOptions& options;
  std::uint64_t number = 0;

  tl::unexpected<Error> wrong(const std::string& what) const {
    return fail(Code::invalid, fmt::format("{}:{}: {}", options.path, number, what));
  }
};

std::string_view take_line(std::string_view& text) {
  const void* end = std::memchr(text.data(), '\n', text.size());
  const std::size_t size = end ? static_cast<std::size_t>(static_cast<const char*>(end) - text.data()) : text.size();
  std::string_view line = text.substr(0, size);
  text.remove_prefix(end ? size + 1 : size);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::size_t split(std::string_view line, std::array<std::string_view, k_columns_max>& fields) {
  std::size_t count = 0;
  const char* begin = line.data();
  const char* const end = line.data() + line.size();
  while (count < k_columns_max) {
    const char* comma = begin;
    while (comma != end && *comma != ',') ++comma;
    fields[count++] = std::string_view(begin, static_cast<std::size_t>(comma - begin));
    if (comma == end) break;
    begin = comma + 1;
  }
  return count;
}

Result<Columns> find_columns(const Line& line, const std::array<std::string_view, k_columns_max>& names,
                             std::size_t count) {
  Columns columns;
  columns.count = count;
  auto find = [&](std::string_view name) {
    const auto found = std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), name);
    return found == names.begin() + static_cast<std::ptrdiff_t>(count)
               ? k_columns_max
               : static_cast<std::size_t>(found - names.begin());
  };
  columns.submit = find("submit_s");
  columns.id = find("job_id");
  columns.duration = find("duration_s");
  columns.requested = find("requested_time_s");
  columns.units = find(name_of(line.options.unit_column));
  const std::pair<std::size_t, std::string_view> needed[] = {{columns.submit, "submit_s"},
                                                             {columns.id, "job_id"},
                                                             {columns.duration, "duration_s"},
                                                             {columns.units, name_of(line.options.unit_column)}};
  for (const auto& [at, name] : needed) {
    if (at == k_columns_max) {
      return line.wrong(fmt::format("no column \"{}\"; the header must name submit_s, job_id, duration_s and {}", name,
                                    name_of(line.options.unit_column)));
    }
  }
  return columns;
}

/// A whole number of seconds from `min` on; nothing where the field is empty.
Result<std::optional<std::int64_t>> seconds(const Line& line, std::string_view name, std::string_view text,
                                            std::int64_t min) {
  if (text.empty()) return std::nullopt;
  const std::optional<TraceNumber> number = parse_number(text);
  if (!number || number->fractional || number->whole < min || number->whole > k_trace_seconds_max) {
    return line.wrong(fmt::format("{} is \"{}\"; it must be a whole number of seconds from {} to {}", name, text, min,
                                  k_trace_seconds_max));
  }
  return number->whole;
}

Status read_row(Trace& trace, const Line& line, const Columns& columns,
                const std::array<std::string_view, k_columns_max>& fields) {
  TraceRow row;
  row.id = fields[columns.id];
  if (row.id.empty()) return line.wrong("job_id is empty; every job needs one");
  auto submit = seconds(line, "submit_s", fields[columns.submit], 0);
  if (!submit) return unexpected(submit.error());
  if (!*submit) return line.wrong("submit_s is empty; every job needs one");
  row.submit_s = **submit;
  auto duration = seconds(line, "duration_s", fields[columns.duration], -k_trace_seconds_max);
  if (!duration) return unexpected(duration.error());
  row.duration_known = duration->has_value();
  row.duration_s = duration->value_or(-1);
  if (columns.requested != k_columns_max) {
    auto requested = seconds(line, "requested_time_s", fields[columns.requested], -1);
    if (!requested) return unexpected(requested.error());
    row.requested_s = requested->value_or(-1);
  }
  const std::string_view text = fields[columns.units];
  if (!text.empty()) {
    const std::optional<TraceNumber> number = parse_number(text);
    if (!number) {
      return line.wrong(fmt::format("{} is \"{}\"; it must be a number", name_of(line.options.unit_column), text));
    }
    row.units_known = true;
    row.units_fractional = number->fractional;
    row.units = number->whole;
  }
  add_row(trace, row, line.options.units);
  return {};
}

}  // namespace

Status read_csv_trace(Trace& trace, const TraceOptions& options) {
  std::string_view rest = *trace.text;
  std::array<std::string_view, k_columns_max> fields;
  Line line{options};
  Columns columns;
  trace.jobs.reserve(static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '\n')));
  while (!rest.empty()) {
    const std::string_view text = take_line(rest);
    ++line.number;
    if (text.empty()) continue;
    const std::size_t count = split(text, fields);
    if (columns.count == 0) {
      Result<Columns> found = find_columns(line, fields, count);
      if (!found) return unexpected(found.error());
      columns = *found;
      continue;
    }
    if (count != columns.count) {
      return line.wrong(fmt::format("{} fields; the header names {}", count, columns.count));
    }
    if (Status read = read_row(trace, line, columns, fields); !read) return read;
  }
  if (columns.count == 0) return line.wrong("no header line; it must name submit_s, job_id, duration_s and more");
  return {};
}

}  // namespace virga
