// Whether the policy lets a job have nodes now: limits of QOS and tenants, budgets, reservations.
//
//   if (auto block = start_block(state, job)) set_aside(state, job, *block);     // out of the queue, holding nothing
//   do started = schedule(fx); while (recall(fx, started));                      // back, once there is room again
//
// A job that the policy blocks must not keep others from nodes that it may not have, so it leaves the queue. Jobs of
// one user, QOS, tenant and reservation are set aside together, in their order: whenever a job of anybody gives
// something back, or a month or a reservation begins or ends, the first of each company that may start are called back.
//
// start_block(): O(d log n) for a tenant at depth d, plus O(r log r) for r reservations of the partition.
// recall(): nothing, unless room was given back; then O(companies), and O(log n) for each job that returns.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "brain/effects.hpp"
#include "brain/policy/limits.hpp"

namespace virga {

/// Why the job may not start now; nothing if only nodes are missing.
std::optional<LimitHit> start_block(const State& state, const Job& job);
/// Whether its tenant can pay for it on this pool now.
bool is_affordable(const State& state, const Job& job, const Pool& pool);
/// A job in the queue leaves it, with this reason.
void set_aside(State& state, Job& job, LimitHit block);
/// For index_job() and unindex_job(): whoever has such a reason is among those set aside.
void enter_set_aside(State& state, const Job& job);
void leave_set_aside(State& state, const Job& job);
/// True if anybody came back. Those who did not fit into one call follow in the next one, if the first have started.
bool recall(Effects& fx, bool anybody_started);
/// The next time after `now` at which a policy changes by itself: a month begins; or a reservation asks for its VMs,
/// begins or ends.
Time next_policy_change(const Config& config, Time now);

/// What the job may cost on this pool to its time limit; nothing without a limit.
std::optional<Money> worst_case_on(const State& state, const JobSpec& spec, const Pool& pool);
/// The same for the pool of its partition where it is least; nothing without a limit.
std::optional<Money> least_worst_case(const State& state, const JobSpec& spec);

}  // namespace virga
