// Which waiting job gets which nodes, and which VMs are asked for: one decision.
//
// First version: strict first come, first served, by whole gangs. The queue is walked in job order. A job that cannot
// be placed keeps its partition's pools from every later job, so nobody overtakes and nobody starves. For each pool of
// its partition, in the partition's order, a job is
//   1. bound, if the pool has enough granted VMs (ready or booting) with room for it;
//   2. else given a reservation of exactly the missing VMs, if the pool's limit leaves room: all of them or none;
//   3. else left to the next pool.
// Cost: proportional to the jobs that can be placed plus one per pool, times the VMs of the pool.
#pragma once

#include <optional>

#include "brain/effects.hpp"

namespace virga {

void schedule(Effects& fx);

/// What one node of this pool must have free for the job.
Resources demand_per_node(const Job& job, const Pool& pool);
/// Why no pool of the job's partition can ever hold it, drained nodes aside; nothing if one can.
std::optional<Error> never_fits(const State& state, const JobSpec& spec);

}  // namespace virga
