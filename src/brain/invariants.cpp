#include "brain/invariants.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "brain/fleet/foreign.hpp"
#include "brain/fleet/health.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/lifecycle.hpp"

namespace virga {

namespace {

void check_job(const State& state, const Job& job) {
  const bool holds = holds_nodes(job.state);
  VIRGA_ASSERT(state.index.living.contains(job.id) == holds, "every job that holds nodes is indexed as living");
  VIRGA_ASSERT(!holds || job.nodes.size() == job.spec->nodes, "a gang is all or nothing");
  VIRGA_ASSERT(job.state != JobState::pending || job.nodes.empty(), "a waiting job holds nothing");
  VIRGA_ASSERT(job.state != JobState::running || job.launched, "a running job was launched");
  VIRGA_ASSERT(!is_final(job.state) || job.ended.is_set(), "an ended job has an end");
  VIRGA_ASSERT(job.promised.empty() || (job.state == JobState::pending && job.promised.size() == job.spec->nodes),
               "a promise is all or nothing, and for waiting jobs only");
  VIRGA_ASSERT(job.state != JobState::configuring || job.nodes_booting == count_booting(state, job),
               "a configuring job knows how many of its nodes boot");
  VIRGA_ASSERT(job.launched || !holds || !(has_sick_node(state, job) || has_occupied_node(state, job)),
               "a sick node is taken from who was not launched there");
  VIRGA_ASSERT((job.indexed_as == IndexedAs::queued) == state.index.queue.contains(job), "the queue has who waits");
}

void check_vm(const State& state, const Vm& vm) {
  VIRGA_ASSERT(vm.used.fits_in(vm.total), "no node holds more than it has");
  VIRGA_ASSERT(vm.gpus_used.size() == vm.used.gpus, "each used GPU has an index");
  VIRGA_ASSERT(std::adjacent_find(vm.gpus_used.begin(), vm.gpus_used.end()) == vm.gpus_used.end(),
               "no GPU is used twice");
  VIRGA_ASSERT(!vm.is_sick() || vm.drained, "a sick node takes no jobs");
  VIRGA_ASSERT(vm.state != VmState::ready || vm.wasted_since.is_set() == (vm.is_sick() && vm.jobs.empty()),
               "quarantine is the time of a sick node without jobs");
  VIRGA_ASSERT(!vm.exclusive || vm.jobs.size() == 1, "an exclusive node has one job");
  VIRGA_ASSERT((vm.state == VmState::requested) == state.gangs.contains(vm.gang),
               "a requested VM belongs to an open gang");
  Resources used;
  for (JobId id : vm.jobs) {
    auto job = state.jobs.find(id);
    VIRGA_ASSERT(job != state.jobs.end() && (holds_nodes(job->second.state) || !job->second.promised.empty()),
                 "a node's jobs hold nodes");
    const Pool* pool = state.find_pool(vm.pool);
    VIRGA_ASSERT(pool != nullptr, "a VM's pool is configured");
    Resources part = demand_per_node(job->second.spec, *pool);
    used.cpus += part.cpus;
    used.gpus += part.gpus;
    used.memory_bytes += part.memory_bytes;
  }
  VIRGA_ASSERT(used == vm.used, "what a node has given is what its jobs took");
}

}  // namespace

void check_invariants(const State& state) {
  for (const auto& [id, job] : state.jobs) check_job(state, job);
  for (const auto& [id, vm] : state.vms) check_vm(state, vm);
  for (const Pool& pool : state.config.pools) {
    auto vms =
        std::count_if(state.vms.begin(), state.vms.end(), [&](const auto& vm) { return vm.second.pool == pool.name; });
    VIRGA_ASSERT(static_cast<std::uint32_t>(vms) <= pool.max_nodes, "a pool stays within its limit");
  }
}

}  // namespace virga
