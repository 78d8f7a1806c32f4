// `virga simulate --trace`: reads a trace, replays it on a flat pool, reports.
//
//   Result<std::string> text = run_trace_mode({.trace = "kth-sp2-1996.csv.gz", .units = 100});     // a table
//   run_trace_mode({.trace = …, .units = 100, .starts = "starts.csv.gz", .json = "-"});            // one JSON object
//
// The result is what belongs on standard output; files are written. Figures are rounded: seconds and ratios to 3
// digits, slowdowns to 4, utilisations to 6.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "sim/flat/flat_simulator.hpp"
#include "sim/traces/trace.hpp"

namespace virga {

struct TraceMode {
  std::string trace;
  std::int64_t units = 0;  ///< of one copy
  UnitColumn unit_column = UnitColumn::cpus;
  QueuePolicy policy = QueuePolicy::easy;
  FlatPass pass = FlatPass::time;
  FlatEstimates estimates = FlatEstimates::request;
  std::uint32_t overlay = 1;
  std::string starts{};  ///< a file; empty: none
  std::string json{};    ///< a file, or "-"; empty: a table instead
};

Result<std::string> run_trace_mode(const TraceMode& mode);

}  // namespace virga
