// A small EASY backfill on whole nodes that leaves a RunRecord: food for the tests of the report.
//
//   EasyMachine machine;  machine.pools = {{.name = "base", .kind = PoolKind::reserved, .max_nodes = 100}};
//   RunRecord run = easy_run("kth", machine, jobs);
//
// Exact estimates or limits, one pass a second, nodes taken lowest row first. Node failures end the gang on the node,
// which starts again from its last whole hour. VMs of pools that are not reserved boot four minutes before a gang and
// go half an hour after it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/report/run_record.hpp"

namespace virga {

struct EasyJob {
  std::int64_t submit_s = 0;
  std::int64_t nodes = 1;
  std::int64_t duration_s = 1;
  std::int64_t limit_s = 1;
  std::string user;
};

struct EasyMachine {
  std::vector<PoolRecord> pools;
  std::uint32_t nodes_per_leaf = 16;
  std::int64_t node_failure_every_s = 0;  ///< 0: none
  std::uint64_t seed = 1;
  std::int64_t sample_every_s = 1800;
};

RunRecord easy_run(const std::string& name, const EasyMachine& machine, const std::vector<EasyJob>& jobs);

/// 1,800 nodes of eight GPUs in three pools, and `count` jobs over 30 days.
EasyMachine big_machine(std::uint64_t seed);
std::vector<EasyJob> big_jobs(std::uint64_t seed, int count);

}  // namespace virga
