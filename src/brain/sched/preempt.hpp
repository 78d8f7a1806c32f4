// Ends running jobs for a more important one: the cheapest set of gangs that makes room (policy/preemption.hpp).
//
//   if (std::optional<Time> free = make_room(fx, job, pool)) …its nodes will be free then…
//
// Only jobs that run are ended, and only those of a QOS that the job's own may preempt; each is told by SIGTERM and has
// the grace time of its QOS. Where InfiniBand does not reach across scale sets, room is made within one of them.
// O(pool nodes + living jobs log living jobs), asked only for jobs of a QOS with a preempt list.
#pragma once

#include <cstdint>
#include <optional>

#include "brain/effects.hpp"

namespace virga {

/// When the job will have room in this pool; nothing, and nobody ended, if there are not enough such jobs, or if it
/// would have room without ending any.
std::optional<Time> make_room(Effects& fx, const Job& job, std::uint32_t pool);

}  // namespace virga
