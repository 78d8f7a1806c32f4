#include "brain/fleet/health.hpp"

#include <algorithm>
#include <vector>

#include "brain/fleet/fleet.hpp"

namespace virga {

namespace {

/// A machine that is sick from the start is like one that does not boot, but that its agent answers.
void come_up_sick(Effects& fx, Vm& vm, const std::string& reason) {
  vm.state = VmState::ready;
  vm.ready = fx.state.now;
  vm.boot_deadline = Time::never();
  back_off(fx, vm.pool,
           {.gang = vm.gang, .refusal = Refusal::fault, .message = vm.name + ": " + reason, .retry_after = {}}, 1);
}

}  // namespace

void on_vm_unhealthy(Effects& fx, const VmUnhealthy& e) {
  State& state = fx.state;
  auto it = state.vms.find(e.vm);
  if (it == state.vms.end()) return;
  Vm& vm = it->second;
  if (vm.state != VmState::booting && vm.state != VmState::ready) return;
  if (e.round <= vm.health_round) return;  // an operator may have said since that it is good
  const std::string reason = "health: " + e.check + ": " + e.message;
  const bool was_sick = vm.is_sick();
  if (!was_sick) vm.sick_since = state.now;
  vm.health_round = e.round;
  vm.drained = true;
  vm.drain_reason = reason;
  if (vm.state == VmState::booting) come_up_sick(fx, vm, reason);
  for (JobId id : std::vector<JobId>(vm.jobs)) {
    Job& job = state.jobs.at(id);
    if (!job.launched) take_node_from(fx, job, "node " + vm.name + ": " + reason);
  }
  if (vm.jobs.empty() && !was_sick) note_idle(state, vm, state.pool_of(vm));
  index_vm(state, vm);
}

void end_quarantine(State& state, Vm& vm) {
  if (!vm.is_sick()) return;
  vm.sick_since = {};
  vm.wasted_since = {};
  if (vm.state == VmState::ready && vm.jobs.empty()) note_idle(state, vm, state.pool_of(vm));
}

bool has_sick_node(const State& state, const Job& job) {
  return std::any_of(job.nodes.begin(), job.nodes.end(), [&](const JobNode& node) {
    const auto vm = state.vms.find(node.vm);
    return vm != state.vms.end() && vm->second.is_sick();
  });
}

Time wasted_since(const State& state, const Vm& vm) {
  const bool ran = vm.ran || std::any_of(vm.jobs.begin(), vm.jobs.end(),
                                         [&](JobId id) { return state.jobs.at(id).started.is_set(); });
  const bool was_for_nothing = !ran && (vm.bought_for_job || !vm.ready.is_set());
  return vm.state == VmState::releasing && was_for_nothing ? vm.granted : vm.wasted_since;
}

}  // namespace virga
