// Which VMs exist: asking for them, giving them back, idle time, warm and spare nodes, boot time-outs, evictions, and
// the pause after a refusal.
#pragma once

#include <string>
#include <vector>

#include "brain/effects.hpp"

namespace virga {

/// Asks the cloud for VMs with these numbers of the pool, all or none. `job` is zero for warm nodes. The caller indexes
/// the VMs, once it has said who they are for.
std::vector<Vm*> reserve_gang(Effects& fx, const Pool& pool, const std::vector<std::uint32_t>& numbers, JobId job);
/// The gang does not come: its VMs were never there, and whoever they were promised to waits again.
void drop_gang(Effects& fx, GangId gang, Reason reason, const std::string& detail);
/// The VM leaves the state: nothing of it is billed any more.
void remove_vm(State& state, VmId id);
/// Gives a granted VM back. Jobs on it must have been dealt with.
void release_vm(Effects& fx, Vm& vm, std::string reason);
/// The VM died or did not boot: its jobs are ended, requeued or sent back to the queue, and it is released.
void fail_vm(Effects& fx, VmId vm, const std::string& message);
/// The cloud takes the VM back at `at`: its jobs are warned, so that they can save what they have, and end before. Jobs
/// that were not launched yet go elsewhere at once. Told several times, the earliest counts; a VM that will go stays
/// so.
void evict_vm(Effects& fx, VmId vm, Time at);
/// The node of a job is lost to it, `detail` says how: it gets another one, or ends and may go on elsewhere.
void take_node_from(Effects& fx, Job& job, const std::string& detail);
/// The VM is ready and nobody's from now on; a sick one is in quarantine.
void note_idle(const State& state, Vm& vm, const Pool& pool);

/// What a refusal is to a job that waits because of it.
Reason reason_of(Refusal refusal);
/// A request for so many nodes was refused: what the pool is not asked before the pause is over depends on why.
///   capacity   as many or more nodes: a smaller gang may find room; each refusal in a row doubles the pause
///   quota      as many or more; it takes a release, or somebody who raises it
///   throttled  anything of any pool of this cloud, for as long as the cloud said
///   fault      anything of this pool
void back_off(Effects& fx, const std::string& pool, const GangRefused& refusal, std::uint32_t nodes);

/// Warm nodes up to the pools' wish; idle nodes that nobody waits for released once their time is over
/// (a job that waits for a cheaper pool does not wait for these).
void balance_fleet(Effects& fx);
/// Boot time-outs and evictions that are due.
void apply_vm_deadlines(Effects& fx);
/// When something of this VM is due.
Time next_deadline_of(const Vm& vm);
/// When a pause ends that somebody waits for.
Time next_growth(const State& state);

/// List price of `elapsed` on the job's nodes, by the largest share of a node that it takes.
Money cost_of(const State& state, const Job& job, Duration elapsed);
/// The same in time: a whole node counts as it is, half of one as half of it.
std::uint64_t node_milliseconds(const State& state, const Job& job, Duration elapsed);

}  // namespace virga
