// Which VMs exist: reserving, releasing, idle time, warm nodes, boot time-outs, and the pause after a refusal.
#pragma once

#include <string>
#include <vector>

#include "brain/effects.hpp"

namespace virga {

/// Numbers 1 … max_nodes of the pool that no VM has and no operator drained.
std::vector<std::uint32_t> free_slots(const State& state, const Pool& pool);
/// Asks the cloud for `count` VMs, all or none. `job` is zero for warm nodes. Needs that many free slots.
GangId reserve_gang(Effects& fx, const Pool& pool, std::uint32_t count, JobId job);
/// Gives a granted VM back. Jobs on it must have been dealt with.
void release_vm(Effects& fx, Vm& vm, std::string reason);
/// The VM died or did not boot: its jobs are ended, requeued or sent back to the queue, and it is released.
void fail_vm(Effects& fx, VmId vm, const std::string& message);

/// The pool is not asked before this passes.
void back_off(Effects& fx, const std::string& pool, Refusal refusal, const std::string& message, Duration retry_after);
bool is_backed_off(const State& state, const std::string& pool);

/// Warm nodes up to the pools' wish; idle nodes beyond it released once their time is over.
void balance_fleet(Effects& fx);
void apply_vm_deadlines(Effects& fx);
Time next_fleet_deadline(const State& state);

/// List price of `elapsed` on the job's nodes, by the largest share of a node that it takes.
Money cost_of(const State& state, const Job& job, Duration elapsed);

}  // namespace virga
