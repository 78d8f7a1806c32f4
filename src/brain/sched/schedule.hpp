// Which waiting job gets which nodes, which VMs are asked for, and what is kept for whom: one decision.
//
// A pass walks the queue in its order (EASY backfill, Lifka 1995, over many pools at once).
//   1. A job is bound if a pool of its partition has room for the whole gang now; ready nodes before booting ones.
//   2. Else, where a pool may grow by what is missing, exactly those VMs are asked for, and the nodes that are there
//   are
//      promised to the job: all of them or none.
//   3. Else it waits. The first job that waits for a pool holds it: its shadow time is when enough nodes will be free
//      there by the limits of what runs, and what is free beyond its need then is extra. A later job may use the pool
//      only if it ends by the shadow time or takes no more than the extra nodes, so no job that is held for is delayed.
//   4. Of what its pools can do for a job the soonest is chosen, of two at the same time the cheaper (supply.hpp).
// Jobs that cannot fit are never looked at: each lane of the queue finds its next candidate by a tree search, so a
// pass costs O(lanes · log jobs) plus what it starts.
#pragma once

#include <optional>

#include "brain/effects.hpp"

namespace virga {

void schedule(Effects& fx);

/// After a change of the configuration, or of whether the supercomputer is being taken down: which waiting jobs can
/// still be served, and why others cannot.
void review_waiting_jobs(Effects& fx);
/// The same for one job that is in no index now.
void review_waiting_job(const State& state, Job& job);

/// What one node of this pool must have free for the job.
Resources demand_per_node(const JobSpec& spec, const Pool& pool);
/// Why this pool can never hold the job.
std::optional<std::string> misfit_of(const Pool& pool, const JobSpec& spec);
/// Why no pool of the job's partition can ever hold it, drained nodes aside; nothing if one can.
std::optional<Error> never_fits(const State& state, const JobSpec& spec);

}  // namespace virga
