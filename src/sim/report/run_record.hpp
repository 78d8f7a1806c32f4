// What one simulated run leaves behind: everything that the report needs, nothing of the simulator itself.
//
//   RunRecord run;
//   run.name = "eagle";  run.unit = "GPU";  run.from = Time::from_seconds(0);  run.to = Time::from_seconds(86400);
//   run.pools.push_back({.name = "base", .kind = PoolKind::reserved, .max_nodes = 100, .units_per_node = 8});
//   run.jobs.push_back({.id = JobId{1}, .user = "ada", .nodes = 2, .units = 16, ...});
//   std::string page = html_report({run});            // sim/report/html_report.hpp
//
// A unit is what capacity is counted in: a GPU, or a CPU or whole node where a machine has no GPUs (`unit` names it in
// the singular). Times are base/time.hpp's, all on one axis from `from` to `to`. Money is list price.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/enum_names.hpp"
#include "core/job.hpp"

namespace virga {

/// How the VMs of a pool are paid for.
enum class PoolKind : std::uint8_t {
  reserved,   ///< all `max_nodes` are paid for from `from` to `to`, used or not
  on_demand,  ///< paid for from grant to release, at least for the billing minimum
  spot,       ///< the same, but may be evicted
};
template <>
struct EnumNames<PoolKind> {
  static constexpr std::string_view names[] = {"reserved", "on-demand", "spot"};
};

struct PoolRecord {
  std::string name;
  PoolKind kind = PoolKind::on_demand;
  Money price_per_node_hour;
  std::uint32_t max_nodes = 0;
  std::uint32_t units_per_node = 1;
};

struct JobRecord {
  JobId id;
  std::string user;
  std::string tenant;
  std::string partition;
  std::uint32_t nodes = 1;
  std::uint64_t units = 1;  ///< over all nodes; 0 for a job that takes none
  Time submit;
  Time eligible;             ///< not before this time
  Time start;                ///< of the first incarnation; never() if it did not start
  Time end = Time::never();  ///< of the last incarnation; never() if it still waits or runs at the end of the record
  Duration needed;           ///< the run time it would have had without an interruption
  Duration limit = Duration::infinite();
  JobState state = JobState::pending;
  std::uint32_t incarnations = 1;
  std::uint32_t preempted = 0;
  std::uint64_t lost_node_seconds = 0;  ///< work done again after preemptions and failures
  std::uint32_t leaves = 0;             ///< switches spanned; 0: not known
  std::uint32_t least_leaves = 0;       ///< the fewest that its node count can span
  Money cost;
  Reason wait_reason = Reason::none;  ///< why it waited longest
  std::string wait_detail;            ///< one line with this job's own numbers

  bool started() const { return !start.is_never(); }
  bool ended() const { return started() && !end.is_never(); }
};

struct VmUse {
  VmId id;
  std::string name;
  std::uint32_t pool = 0;  ///< index into RunRecord::pools
  Time requested;
  Time granted = Time::never();   ///< billing starts; never(): refused
  Time ready = Time::never();     ///< never(): it never was
  Time released = Time::never();  ///< never(): it still exists at the end of the record
  bool evicted = false;
  bool gang_wasted = false;  ///< its gang was given up before a job ran on it
};

/// One row of the Gantt picture; rows stand pool by pool, and inside a pool leaf by leaf.
struct GanttRow {
  std::string name;
  std::uint32_t pool = 0;
  std::string leaf;
};

/// Rows first … first + count - 1.
struct RowSpan {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

/// One incarnation of a job on its nodes.
struct GangRun {
  JobId job;
  Time start;
  Time end = Time::never();
  std::vector<RowSpan> rows;
  bool failed = false;  ///< a node failure, an eviction or a preemption ended it
};

struct PoolSample {
  std::uint32_t requested = 0;
  std::uint32_t booting = 0;
  std::uint32_t ready = 0;
  std::uint32_t releasing = 0;
};

/// The state from `at` up to the next sample.
struct SeriesSample {
  Time at;
  std::uint32_t queued_jobs = 0;
  std::uint64_t queued_units = 0;
  std::uint64_t running_units = 0;
  std::vector<PoolSample> pools;  ///< as RunRecord::pools
};

struct FaultRecord {
  Time at;
  std::string kind;  ///< "node failure", "spot eviction", …
  std::string what;  ///< one line: which node, which gang
};

/// Inputs that could not be simulated; nothing is dropped silently.
struct SkippedInput {
  std::string reason;
  std::uint64_t count = 0;
  std::string example;
};

struct RunRecord {
  std::string name;
  std::string policy;
  std::uint64_t seed = 0;
  std::string version;
  std::vector<std::string> traces;
  Duration billing_minimum;  ///< of every VM that is not reserved
  std::string unit = "GPU";
  Time from;
  Time to;
  std::vector<PoolRecord> pools;
  std::vector<JobRecord> jobs;
  std::vector<VmUse> vms;
  std::vector<GanttRow> rows;
  std::vector<GangRun> gangs;
  std::vector<SeriesSample> series;  ///< in order of time
  std::vector<FaultRecord> faults;
  std::vector<SkippedInput> skipped;

  Duration span() const { return to - from; }
  std::uint64_t capacity_units() const {
    std::uint64_t sum = 0;
    for (const auto& pool : pools) sum += std::uint64_t{pool.max_nodes} * pool.units_per_node;
    return sum;
  }
};

}  // namespace virga
