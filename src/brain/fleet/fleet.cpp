#include "brain/fleet/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/assert.hpp"
#include "brain/sched/lifecycle.hpp"
#include "brain/sched/schedule.hpp"

namespace virga {

namespace {

constexpr Duration k_backoff_first = Duration::seconds(1);
constexpr Duration k_backoff_longest = Duration::minutes(5);

/// Pools that a job at the front of the queue waits for: their idle nodes are not given away under it. A pool of its
/// partition that can never hold it is none of them.
std::set<std::string> wanted_pools(const State& state) {
  std::set<std::string> wanted;
  for (JobId id : state.front) {
    const Job& job = state.jobs.at(id);
    if (job.reason == Reason::shutting_down || job.reason == Reason::config_refuses) continue;
    const Partition* partition = state.find_partition(job.spec.partition);
    if (partition == nullptr || !partition->up) continue;
    for (const std::string& name : partition->pools) {
      const Pool* pool = state.find_pool(name);
      if (pool == nullptr || job.spec.nodes > pool->max_nodes) continue;
      if (job.spec.per_node.fits_in(pool->sku.resources)) wanted.insert(name);
    }
  }
  return wanted;
}

bool is_idle(const Vm& vm) { return vm.state == VmState::ready && vm.jobs.empty(); }

/// Calls `each(vm, due)` for every idle VM that may go, with the time it goes.
template <class F>
void for_each_releasable(const State& state, F each) {
  const std::set<std::string> wanted = wanted_pools(state);
  for (const Pool& pool : state.config.pools) {
    std::uint32_t alive = 0;
    for (const auto& [id, vm] : state.vms) alive += vm.pool == pool.name && vm.state != VmState::releasing;
    for (const auto& [id, vm] : state.vms) {
      if (vm.pool != pool.name || !is_idle(vm)) continue;
      if (state.shutting_down) {
        each(vm, state.now);
      } else if (alive > pool.warm_nodes && !wanted.contains(pool.name)) {
        each(vm, vm.idle_since + pool.idle_time);
        --alive;
      }
    }
  }
}

void release_idle(Effects& fx) {
  std::vector<VmId> due;
  for_each_releasable(fx.state, [&](const Vm& vm, Time when) {
    if (when <= fx.state.now) due.push_back(vm.id);
  });
  for (VmId id : due) {
    Vm& vm = fx.state.vms.at(id);
    release_vm(fx, vm, fx.state.shutting_down ? "shutdown" : "idle");
  }
}

void keep_warm(Effects& fx) {
  if (fx.state.shutting_down) return;
  for (const Pool& pool : fx.state.config.pools) {
    std::uint32_t alive = 0;
    for (const auto& [id, vm] : fx.state.vms)
      alive += vm.pool == pool.name && vm.state != VmState::releasing && !vm.drained;
    if (alive >= pool.warm_nodes || is_backed_off(fx.state, pool.name)) continue;
    const auto slots = static_cast<std::uint32_t>(free_slots(fx.state, pool).size());
    const std::uint32_t missing = std::min(pool.warm_nodes - alive, slots);
    if (missing > 0) reserve_gang(fx, pool, missing, {});
  }
}

}  // namespace

std::vector<std::uint32_t> free_slots(const State& state, const Pool& pool) {
  std::vector<bool> taken(pool.max_nodes + 1, false);
  auto take = [&](const std::string& node) {
    std::uint32_t number = 0;
    if (state.find_pool_of_node(node, &number) == &pool) taken[number] = true;
  };
  for (const auto& [id, vm] : state.vms) take(vm.name);
  for (const auto& [node, mark] : state.node_marks) {
    if (mark.drained) take(node);
  }
  std::vector<std::uint32_t> free;
  for (std::uint32_t n = 1; n <= pool.max_nodes; ++n) {
    if (!taken[n]) free.push_back(n);
  }
  return free;
}

GangId reserve_gang(Effects& fx, const Pool& pool, std::uint32_t count, JobId job) {
  State& state = fx.state;
  std::vector<std::uint32_t> slots = free_slots(state, pool);
  VIRGA_ASSERT(slots.size() >= count, "a reservation stays below its pool's limit");
  Gang gang{.id = {++state.last_gang.value}, .pool = pool.name, .job = job, .vms = {}};
  ReserveGang command{gang.id, pool, {}};
  for (std::uint32_t i = 0; i < count; ++i) {
    Vm vm;
    vm.id = {++state.last_vm.value};
    vm.name = pool.node_prefix + std::to_string(slots[i]);
    vm.pool = pool.name;
    vm.gang = gang.id;
    vm.total = pool.sku.resources;
    vm.requested = state.now;
    gang.vms.push_back(vm.id);
    command.vms.push_back({vm.id, vm.name});
    state.vms.emplace(vm.id, std::move(vm));
  }
  GangId id = gang.id;
  state.gangs.emplace(id, std::move(gang));
  fx.emit(std::move(command));
  return id;
}

void release_vm(Effects& fx, Vm& vm, std::string reason) {
  VIRGA_ASSERT(vm.state == VmState::booting || vm.state == VmState::ready, "only a granted VM can be released");
  vm.state = VmState::releasing;
  vm.release_reason = std::move(reason);
  vm.idle_since = {};
  vm.boot_deadline = Time::never();
  fx.emit(ReleaseVm{vm.id, vm.pool});
}

void fail_vm(Effects& fx, VmId id, const std::string& message) {
  auto it = fx.state.vms.find(id);
  if (it == fx.state.vms.end()) return;
  Vm& vm = it->second;
  if (vm.state != VmState::booting && vm.state != VmState::ready) return;
  if (vm.state == VmState::booting) back_off(fx, vm.pool, Refusal::fault, vm.name + ": " + message, {});
  release_vm(fx, vm, message);
  for (JobId job_id : std::vector<JobId>(vm.jobs)) {
    Job& job = fx.state.jobs.at(job_id);
    const std::string detail = "node " + vm.name + ": " + message;
    if (!job.launched) {
      unbind_job(fx, job, Reason::node_failure, detail);
    } else {
      begin_ending(fx, job,
                   {.state = JobState::node_fail,
                    .reason = Reason::node_failure,
                    .detail = detail,
                    .signal = 9,
                    .requeue = job.spec.requeue && job.spec.kind == JobKind::batch});
    }
  }
}

void back_off(Effects& fx, const std::string& pool, Refusal refusal, const std::string& message, Duration retry_after) {
  PoolBackoff& backoff = fx.state.backoffs[pool];
  const std::uint32_t doublings = std::min<std::uint32_t>(backoff.refusals_in_a_row, 10);
  const Duration pause = std::min(k_backoff_first * (std::int64_t{1} << doublings), k_backoff_longest);
  ++backoff.refusals_in_a_row;
  backoff.until = fx.state.now + std::max(pause, retry_after);
  backoff.refusal = refusal;
  backoff.message = message;
}

bool is_backed_off(const State& state, const std::string& pool) {
  auto it = state.backoffs.find(pool);
  return it != state.backoffs.end() && it->second.until > state.now;
}

void balance_fleet(Effects& fx) {
  keep_warm(fx);
  release_idle(fx);
}

void apply_vm_deadlines(Effects& fx) {
  std::vector<VmId> late;
  for (const auto& [id, vm] : fx.state.vms) {
    if (vm.state == VmState::booting && vm.boot_deadline <= fx.state.now) late.push_back(id);
  }
  for (VmId id : late) {
    const Vm& vm = fx.state.vms.at(id);
    const Duration waited = fx.state.now - vm.granted;
    fail_vm(fx, id, fmt::format("did not boot within {} s", waited.whole_seconds()));
  }
}

Time next_fleet_deadline(const State& state) {
  Time next = Time::never();
  for (const auto& [id, vm] : state.vms) next = std::min(next, vm.boot_deadline);
  for_each_releasable(state, [&](const Vm&, Time when) { next = std::min(next, when); });
  // A pause matters only while something waits for its end.
  const std::set<std::string> wanted = wanted_pools(state);
  for (const auto& [name, backoff] : state.backoffs) {
    const Pool* pool = state.find_pool(name);
    const bool waited_for = wanted.contains(name) || (pool != nullptr && pool->warm_nodes > 0);
    if (waited_for && backoff.until > state.now && !state.shutting_down) next = std::min(next, backoff.until);
  }
  return next;
}

Money cost_of(const State& state, const Job& job, Duration elapsed) {
  Money sum;
  for (const JobNode& node : job.nodes) {
    const Pool* pool = state.find_pool_of_node(node.name);
    if (pool == nullptr) continue;
    const Money whole = price_for(pool->sku.price_per_hour, elapsed);
    const Resources& all = pool->sku.resources;
    const Resources part = demand_per_node(job, *pool);
    // The larger of cpus/all.cpus and gpus/all.gpus, without fractions.
    std::uint64_t numerator = part.cpus;
    std::uint64_t denominator = std::max<std::uint64_t>(all.cpus, 1);
    if (all.gpus > 0 && std::uint64_t{part.gpus} * denominator > numerator * all.gpus) {
      numerator = part.gpus;
      denominator = all.gpus;
    }
    sum += Money{static_cast<std::int64_t>(static_cast<std::uint64_t>(whole.micro_usd) / denominator * numerator)};
  }
  return sum;
}

}  // namespace virga
