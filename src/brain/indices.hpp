// What the brain looks up often, derived from State and never stored. index_job() and index_vm() keep it up to date;
// State::rebuild_indices() makes it anew, and decisions are the same afterwards.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/id_set.hpp"
#include "brain/pool_index.hpp"
#include "brain/sched/queue.hpp"
#include "brain/sched/time_index.hpp"
#include "brain/training/training_check.hpp"

namespace virga {

/// Jobs that the policy looks at with the same eyes (policy/start_rules.hpp).
struct Company {
  std::string partition;
  std::string qos;
  std::string tenant;
  std::uint32_t uid = 0;
  std::string reservation;
  std::vector<License> licenses;

  friend auto operator<=>(const Company&, const Company&) = default;
};

struct Indices {
  Queue queue;                                      ///< pending jobs that wait for nodes and nothing else
  TimeIndex<JobId> growing;                         ///< those of them whose age is full then
  TimeIndex<JobId> picky;                           ///< those who take more leaves of the fabric then
  std::map<Company, std::set<OrderKey>> set_aside;  ///< pending jobs that limits, budgets or reservations hold back
  IdSet<JobId> living;                              ///< jobs that hold nodes
  IdSet<JobId> front;       ///< pending jobs that were told a reason of their own by the last pass
  TimeIndex<JobId> asleep;  ///< pending jobs that may not start before that time
  TimeIndex<JobId> ended;   ///< final jobs by the time they ended
  TimeIndex<JobId> job_alarms;
  TimeIndex<VmId> vm_alarms;
  std::vector<PoolIndex> pools;                             ///< in the order of Config::pools
  std::vector<std::vector<std::uint32_t>> partition_pools;  ///< their places there, in the order of Config::partitions
  TrainingChecks training;                                  ///< of jobs that name their model
  std::vector<PoolIndex::Present> present;                  ///< working memory of index_vms()
};

}  // namespace virga
