// What a replay was like for its users and for its owner, beside what no schedule could have beaten.
//
//   FlatMetrics m = measure_flat(trace.jobs, run, 100);
//   m.mean_wait_s;                        // 6855.456 for KTH and EASY
//   m.area_weighted_wait_ratio;           // 2.52: its work waited 2.52 times as long as in the fluid schedule
//
// The bound: let B be the work submitted so far that could not yet have been done, dB/dt = demand(t) - units, never
// below 0, where demand(t) is what would run if every job started at once. No schedule, not even one that preempts or
// stretches jobs, has a smaller work-weighted wait than the integral of B divided by all work. O(n log n).
#pragma once

#include <cstdint>
#include <span>

#include "sim/flat/flat_simulator.hpp"

namespace virga {

struct FlatMetrics {
  std::uint64_t jobs = 0;
  double mean_wait_s = 0;
  std::int64_t max_wait_s = 0;
  std::uint64_t waited_jobs = 0;
  double mean_bsld10 = 0;  ///< mean of max(1, (wait + run) / max(run, 10 s))
  std::int64_t makespan_s = 0;
  double utilisation = 0;
  double area_weighted_wait_s = 0;
  double area_weighted_wait_bound_s = 0;
  double area_weighted_wait_ratio = 1;  ///< 1 where nothing waits in either; never less
  double utilisation_while_queued = 0;  ///< 0 where nobody ever waited
  std::uint64_t promises = 0;           ///< jobs that were told a start time while they waited
  std::uint64_t promises_broken = 0;    ///< … and started later
};

/// `jobs` is not empty.
FlatMetrics measure_flat(std::span<const TraceJob> jobs, const FlatRun& run, std::int64_t units);

/// The work-weighted wait that no schedule can be below.
double wait_bound_s(std::span<const TraceJob> jobs, std::int64_t units);

}  // namespace virga
