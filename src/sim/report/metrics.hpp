// A run in figures, each with the bound that belongs to it.
//
//   RunMetrics m = metrics_of(run);
//   std::string json = metrics_json(run, m);           // one object, one line
//
// Times are seconds, waits go from submission to the first start. Only jobs that ended count in waits, work and bounds;
// how many did not is a figure of its own. Keys that are also in published tables of EASY runs have the same meaning:
//   mean_bsld10           mean of max(1, (end - submit) / max(needed, 10 s))
//   utilisation           sum(units * needed) / (capacity * makespan)
//   makespan_s            from the first submission to the last end
//   area_weighted_wait_s  sum((end - submit - needed) * work) / sum(work), where work = units * needed. Without
//                         interruptions that delay is the wait; with them it also holds lost work and later waits.
// The bound of the wait is the fluid one of sim/report/bounds.hpp at the capacity of all pools together. Costs:
// reserved pools are paid for over the whole span of the run, other VMs from grant to release or for the billing
// minimum. Reading a run is O(n log n).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/report/bounds.hpp"
#include "sim/report/run_record.hpp"

namespace virga {

struct WaitStats {
  double mean_s = 0;
  double median_s = 0;
  double p95_s = 0;
  double max_s = 0;
};

struct PoolCost {
  std::string pool;
  Money cost;
};

struct RunMetrics {
  std::uint64_t jobs = 0;
  std::uint64_t jobs_ended = 0;
  std::uint64_t waited_jobs = 0;
  WaitStats wait;
  double mean_bsld10 = 0;
  double makespan_s = 0;
  double makespan_bound_s = 0;
  double utilisation = 0;
  std::optional<double> utilisation_queued;  ///< while a queue exists; none without series or queue
  double area_weighted_wait_s = 0;
  double area_weighted_wait_bound_s = 0;
  std::int64_t zero_wait_capacity = 0;

  bool has_prices = false;  ///< the figures about money mean something
  UnitPrices prices;        ///< per unit and hour, that the bounds are made with
  Money cost;
  std::vector<PoolCost> pool_costs;
  ZeroWaitCost zero_wait;  ///< bound without waiting, and floor with any wait
  Money floor;             ///< all work at the cheapest price of any pool

  std::uint64_t jobs_with_leaves = 0;
  std::uint64_t gangs_with_leaves = 0;  ///< of those, the ones of several nodes: only they can have too many
  std::uint64_t excess_leaves = 0;
  std::uint64_t jobs_above_least_leaves = 0;
  std::uint64_t restarts = 0;  ///< incarnations beyond each job's first
  std::uint64_t preemptions = 0;
  double lost_node_hours = 0;
  std::uint64_t vms = 0;
  double wasted_vm_minutes = 0;  ///< of gangs that no job ran on
  std::uint64_t evictions = 0;
  std::map<std::string, std::uint64_t> faults;
  std::map<std::string, std::uint64_t> skipped;

  /// None where the bound is zero.
  std::optional<double> wait_ratio() const;
  std::optional<double> cost_ratio() const;
};

RunMetrics metrics_of(const RunRecord& run);
std::string metrics_json(const RunRecord& run, const RunMetrics& m);

/// What a job waited before its first start, seconds.
double wait_seconds(const JobRecord& job);
/// The value at `share` (0 … 1) of sorted values, nearest rank; 0 for none.
double quantile(const std::vector<double>& sorted, double share);

}  // namespace virga
