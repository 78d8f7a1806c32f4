// A recorded workload, made ready for replay on one flat pool of units.
//
//   Result<Trace> trace = read_trace({.path = "kth-sp2-1996.csv.gz", .unit_column = UnitColumn::cpus, .units = 100});
//   for (const TraceJob& job : trace->jobs) …          // by submission, then as in the file
//   trace->skipped[std::size_t(Skip::too_wide)];       // what was left out, and why
//
// Times are whole seconds, as in the traces.
#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"

namespace virga {

/// Which column of a CSV trace counts as the units of the pool. SWF counts processors: cpus.
enum class UnitColumn : std::uint8_t { cpus, gpus, nodes };
template <>
struct EnumNames<UnitColumn> {
  static constexpr std::string_view names[] = {"cpus", "gpus", "nodes"};
};

/// Why a row is no job of the replay. The first that applies is counted.
enum class Skip : std::uint8_t { units_unknown, units_fractional, no_units, too_wide, duration_unknown, no_duration };
template <>
struct EnumNames<Skip> {
  static constexpr std::string_view names[] = {"units_unknown", "units_fractional", "no_units",
                                               "too_wide",      "duration_unknown", "no_duration"};
};
inline constexpr std::size_t k_skip_reasons = std::size(EnumNames<Skip>::names);

struct TraceJob {
  std::int64_t submit_s = 0;
  std::int64_t duration_s = 0;
  std::int64_t estimate_s = 0;  ///< the larger of limit and duration; the duration where no limit is known
  std::uint32_t units = 0;
  std::uint32_t copy = 0;  ///< of an overlay
  std::string_view id{};   ///< a part of Trace::text
};

struct Trace {
  std::unique_ptr<const std::string> text;  ///< the file's; the jobs' ids point into it
  std::vector<TraceJob> jobs;
  std::array<std::uint64_t, k_skip_reasons> skipped{};
  std::uint64_t rows = 0;
  std::uint32_t copies = 1;

  /// "17"; in an overlay "3-17", the copy first.
  std::string id_of(const TraceJob& job) const {
    return copies == 1 ? std::string(job.id) : std::to_string(job.copy) + "-" + std::string(job.id);
  }
};

struct TraceOptions {
  std::string path;
  UnitColumn unit_column = UnitColumn::cpus;
  std::int64_t units = 0;     ///< of the whole machine; jobs that need more are skipped
  std::uint32_t overlay = 1;  ///< copies, each submitted k_overlay_shift_s after the one before
};

/// An hour and seven seconds, so that submissions on the hour do not coincide.
inline constexpr std::int64_t k_overlay_shift_s = 3607;

/// A row as a reader found it; -1 is "not known".
struct TraceRow {
  std::string_view id;
  std::int64_t submit_s = 0;
  std::int64_t duration_s = -1;
  std::int64_t requested_s = -1;
  std::int64_t units = -1;
  bool units_fractional = false;
  bool duration_known = false;
  bool units_known = false;
};

/// Takes the row in, or counts why not.
void add_row(Trace& trace, const TraceRow& row, std::int64_t units_max);

/// Reads .csv and .swf, each also as .gz. A malformed line is an error that names file, line and what would be right.
Result<Trace> read_trace(const TraceOptions& options);

/// The formats' own readers: `trace.text` is parsed into `trace.jobs`.
Status read_csv_trace(Trace& trace, const TraceOptions& options);
Status read_swf_trace(Trace& trace, const TraceOptions& options);

}  // namespace virga
