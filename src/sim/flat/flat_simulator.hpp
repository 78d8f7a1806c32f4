// A trace replayed on one flat pool: no topology, machines always up, the real decision code.
//
//   Result<Trace> trace = read_trace({...});
//   FlatRun run = simulate_flat(trace->jobs, {.units = 100, .policy = QueuePolicy::easy});
//   run.start_s[i];                       // of trace->jobs[i]
//
// At a time t: all completions, then all submissions, then one pass; with FlatPass::event a pass follows every single
// one of them. Completions at one time come in the order of submission. Deterministic; nothing is drawn at random.
//
// Cost: O(log n) an event, plus O(log n) a start (brain/sched/backfill_pass.hpp); conservative: O(waiting jobs x steps
// of the profile) for each job that ends early.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "brain/sched/backfill_pass.hpp"
#include "sim/traces/trace.hpp"

namespace virga {

enum class FlatPass : std::uint8_t { time, event };
template <>
struct EnumNames<FlatPass> {
  static constexpr std::string_view names[] = {"time", "event"};
};

enum class FlatEstimates : std::uint8_t { request, exact };
template <>
struct EnumNames<FlatEstimates> {
  static constexpr std::string_view names[] = {"request", "exact"};
};

struct FlatOptions {
  std::int64_t units = 0;
  QueuePolicy policy = QueuePolicy::easy;
  FlatPass pass = FlatPass::time;
  FlatEstimates estimates = FlatEstimates::request;
};

inline constexpr std::int64_t k_no_promise = std::numeric_limits<std::int64_t>::max();

struct FlatRun {
  std::vector<std::int64_t> start_s;  ///< of each job
  /// The first start time computed for a job that waits: the shadow time of a queue head (easy), the reservation
  /// (conservative). k_no_promise where there was none.
  std::vector<std::int64_t> promised_s;
  std::uint64_t passes = 0;
  std::uint64_t backfilled = 0;
  std::uint64_t waiting_max = 0;
  std::int64_t queued_s = 0;             ///< how long somebody waited
  std::int64_t queued_unit_seconds = 0;  ///< what ran during that time
};

/// `jobs` are in the order of submission, none wider than the pool.
FlatRun simulate_flat(std::span<const TraceJob> jobs, const FlatOptions& options);

}  // namespace virga
