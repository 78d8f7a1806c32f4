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
//      `backfill = "none"` lets nobody later use it; with "conservative" every job that waits has nodes promised
//      (promises.hpp).
//   4. Of what its pools can do for a job that is chosen which costs least, its tenant's time counted in (supply.hpp).
//      So a job may leave nodes that it could buy, and wait for others; its place in the queue stays.
// A job that a limit, a budget or a reservation holds back leaves the queue (policy/start_rules.hpp). One that waits
// for a pool in vain may end others there, if its QOS says so (preempt.hpp).
// Jobs that cannot fit are never looked at: each lane of the queue finds its next candidate by a tree search, so a
// pass costs O(lanes · log jobs) plus what it starts.
#pragma once

#include "brain/effects.hpp"

namespace virga {

/// Whether any job got its nodes, or the promise of them.
bool schedule(Effects& fx);

}  // namespace virga
