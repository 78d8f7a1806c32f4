#include "brain/fleet/foreign.hpp"

#include <algorithm>
#include <vector>

#include "brain/fleet/fleet.hpp"
#include "core/foreign.hpp"

namespace virga {

namespace {

constexpr std::size_t k_nodes_told_max = 4;

void occupy(Effects& fx, Vm& vm, const std::string& reason) {
  vm.drained = true;
  vm.drain_reason = reason;
  vm.release_after = Time::never();
  for (JobId id : std::vector<JobId>(vm.jobs)) {
    Job& job = fx.state.jobs.at(id);
    if (!job.launched) take_node_from(fx, job, "node " + vm.name + ": " + reason);
  }
}

void vacate(State& state, Vm& vm) {
  const auto mark = state.node_marks.find(vm.name);
  vm.drained = mark != state.node_marks.end() && mark->second.drained;
  vm.drain_reason = vm.drained && !is_foreign_reason(mark->second.reason) ? mark->second.reason : "";
  if (vm.jobs.empty()) note_idle(state, vm, state.pool_of(vm));
}

}  // namespace

void on_foreign_jobs(Effects& fx, const NodeUpdated& e) {
  State& state = fx.state;
  std::uint32_t number = 0;
  const Pool* pool = state.find_pool_of_node(e.node, &number);
  const VmId there = state.index.pools[state.number_of_pool(pool->name)].vm_at(number - 1);
  if (!there) return;
  Vm& vm = state.vms.at(there);
  // What makes a machine sick outlasts these jobs.
  if (vm.state != VmState::ready || vm.is_sick()) return;
  if (e.drained && is_foreign_reason(e.reason)) {
    occupy(fx, vm, e.reason);
  } else if (!e.drained && is_occupied(vm)) {
    vacate(state, vm);
  }
  index_vm(state, vm);
}

bool has_occupied_node(const State& state, const Job& job) {
  return std::any_of(job.nodes.begin(), job.nodes.end(), [&](const JobNode& node) {
    const auto vm = state.vms.find(node.vm);
    return vm != state.vms.end() && is_occupied(vm->second);
  });
}

std::size_t count_occupied(const State& state) {
  return static_cast<std::size_t>(
      std::count_if(state.vms.begin(), state.vms.end(), [](const auto& entry) { return is_occupied(entry.second); }));
}

std::string foreign_note(const State& state, const Partition& partition) {
  std::string note;
  std::size_t nodes = 0;
  for (const auto& [id, vm] : state.vms) {
    const auto& pools = partition.pools;
    if (!is_occupied(vm) || std::find(pools.begin(), pools.end(), vm.pool) == pools.end()) continue;
    if (++nodes > k_nodes_told_max) continue;
    note += "; " + vm.name + " has " + vm.drain_reason.substr(k_foreign_prefix.size()) + ", which came past Virga";
  }
  if (nodes > k_nodes_told_max) note += "; and " + std::to_string(nodes - k_nodes_told_max) + " nodes more";
  return note;
}

}  // namespace virga
