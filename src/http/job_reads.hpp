// Reading jobs for somebody: from the state, else from the accounts, and only what he may see.
#pragma once

#include "brain/brain.hpp"
#include "core/job.hpp"
#include "ports/journal.hpp"

namespace virga {

/// The time that ages and durations of an answer are counted to: now, and never before the last event.
Time api_now(const Brain& brain);

bool may_see(const Actor& actor, const Job& job, const Config& config);
/// Its owner and operators: scripts and environments are nobody else's business.
bool may_see_payload(const Actor& actor, const Job& job);

Error no_such_job(JobId id);
/// The record of a VM that still lives: its cost is that until `now`.
VmRecord record_so_far(const Vm& vm, const State& state, Time now);
/// The newest incarnation. A job that may not be seen is as unknown as one that never was.
Result<Job> find_job(JobId id, const Actor& actor, Journal& journal, const Brain& brain);

}  // namespace virga
