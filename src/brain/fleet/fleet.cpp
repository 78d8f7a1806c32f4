#include "brain/fleet/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/assert.hpp"
#include "brain/policy/reservations.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/lifecycle.hpp"
#include "brain/sched/supply.hpp"
#include "core/foreign.hpp"

namespace virga {

namespace {

constexpr Duration k_backoff_first = Duration::seconds(1);
constexpr Duration k_backoff_longest = Duration::minutes(5);
/// An idle node that somebody may still need is looked at again after its idle time, but not all the time.
constexpr Duration k_idle_recheck_shortest = Duration::minutes(1);

/// Of an eviction's notice, for bringing home what the jobs wrote last: so much, or a part of it where it is short.
constexpr Duration k_saving_time = Duration::seconds(5);
constexpr std::int64_t k_saving_part = 6;

bool is_idle(const Vm& vm) { return vm.state == VmState::ready && vm.jobs.empty(); }

/// Could the pool serve this job at all?
bool may_serve(const State& state, const Pool& pool, const Job& job) {
  const Partition* partition = state.find_partition(job.spec->partition);
  return partition != nullptr && can_hold(state, pool, job.spec) &&
         std::find(partition->pools.begin(), partition->pools.end(), pool.name) != partition->pools.end();
}

/// Would the job rather wait for another pool than have nodes of this one?
bool prefers_another(const State& state, const Job& job, std::uint32_t number) {
  const Preference preference = preference_of(state, job);
  if (!is_wanted_from(preference, state.config.pools[number])) return true;
  const Offer here = offer_of(state, job, number);
  if (here.way == Way::wait) return false;  // these may be the first of those that it waits for
  const std::vector<std::string>& pools = state.find_partition(job.spec->partition)->pools;
  return std::any_of(pools.begin(), pools.end(), [&](const std::string& name) {
    const std::uint32_t other = state.number_of_pool(name);
    return other != number && is_wanted_from(preference, state.config.pools[other]) &&
           is_better(offer_of(state, job, other), here, job, preference, state.now);
  });
}

/// Does a job at the front of the queue wait that the pool could serve, once it may ask for more?
bool may_be_wanted(const State& state, const Pool& pool) {
  return std::any_of(state.index.front.begin(), state.index.front.end(),
                     [&](JobId id) { return may_serve(state, pool, state.jobs.at(id)); });
}

/// Does a job at the front of the queue wait for nodes of this pool? Then none of its idle nodes are given away. One
/// that waits for a cheaper pool by its own choice does not want them: they would be paid for while nobody has them.
bool is_wanted(const State& state, std::uint32_t number) {
  return std::any_of(state.index.front.begin(), state.index.front.end(), [&](JobId id) {
    const Job& job = state.jobs.at(id);
    return may_serve(state, state.config.pools[number], job) && !prefers_another(state, job, number);
  });
}

/// Nodes of advance reservations are asked for so early that they are ready when the reservation begins.
std::uint32_t reserved_nodes(const State& state, const Pool& pool) {
  std::uint32_t sum = 0;
  for (const Reservation& reservation : state.config.reservations) {
    const Partition* partition = state.find_partition(reservation.partition);
    if (partition == nullptr || partition->pools.front() != pool.name) continue;
    if (boots_from(state.config, reservation) <= state.now && state.now < reservation.end) sum += reservation.nodes;
  }
  return sum;
}

std::uint32_t kept_nodes(const State& state, const Pool& pool) {
  return pool.warm_nodes + pool.spare_nodes + reserved_nodes(state, pool);
}

/// How many nodes that take jobs the pool should have. Those that jobs are on do not count as spare.
std::uint32_t nodes_to_have(const State& state, const Pool& pool, const PoolIndex& index) {
  const std::uint32_t kept = kept_nodes(state, pool);
  if (pool.spare_nodes == 0) return kept;
  const std::uint32_t busy = index.usable() - (index.free_now() - index.absent());
  return std::max(kept, busy + pool.spare_nodes);
}

void release_idle(Effects& fx) {
  State& state = fx.state;
  // Nodes that nobody wants are not wanted more when there are fewer of them: each pool is asked about once.
  std::map<std::uint32_t, bool> wanted;
  for (VmId id : state.index.vm_alarms.due(state.now)) {
    Vm& vm = state.vms.at(id);
    if (!is_idle(vm)) continue;
    const Pool& pool = state.pool_of(vm);
    const auto is_kept = [&] {
      // A node that takes no jobs is none of those that are kept for them.
      const PoolIndex& index = state.index.pools[vm.pool_number];
      if (!vm.drained && index.usable() <= nodes_to_have(state, pool, index)) return true;
      const auto [answer, is_new] = wanted.try_emplace(vm.pool_number);
      if (is_new) answer->second = is_wanted(state, vm.pool_number);
      return answer->second;
    };
    if (vm.doomed) {
      release_vm(fx, vm, "evicted");
    } else if (is_occupied(vm)) {
      continue;  // looked at again when nobody is on it
    } else if (vm.is_sick()) {
      release_vm(fx, vm, vm.drain_reason);
    } else if (!is_kept()) {
      release_vm(fx, vm, "idle");
    } else {
      vm.release_after = state.now + std::max(pool.idle_time, k_idle_recheck_shortest);
      index_vm(state, vm);
    }
  }
}

void release_all(Effects& fx) {
  for (auto& [id, vm] : fx.state.vms) {
    const bool granted =
        vm.state == VmState::booting || vm.state == VmState::ready;  // booting takes minutes, and money
    if (granted && vm.jobs.empty()) release_vm(fx, vm, "shutdown");
  }
}

void keep_warm(Effects& fx) {
  for (std::uint32_t number = 0; number < fx.state.config.pools.size(); ++number) {
    const Pool& pool = fx.state.config.pools[number];
    const PoolIndex& index = fx.state.index.pools[number];
    const std::uint32_t kept = nodes_to_have(fx.state, pool, index);
    if (index.usable() >= kept) continue;
    const std::uint32_t missing = std::min(kept - index.usable(), index.absent());
    auto pause = fx.state.backoffs.find(pool.name);
    if (missing == 0 || (pause != fx.state.backoffs.end() && pause->second.until > fx.state.now)) continue;
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t slot = 0; slot < index.size() && numbers.size() < missing; ++slot) {
      if (index.is_absent(slot)) numbers.push_back(slot + 1);
    }
    index_vms(fx.state, reserve_gang(fx, pool, numbers, {}));
  }
}

/// When the jobs of a VM that goes at `at` have to be ended, so that their grace time is over by then. Where the notice
/// is too short for that and a job wants to be warned, half of it is for what the job does then: saving what it has.
Time last_moment(const State& state, const Vm& vm, Time at) {
  if (!state.pool_of(vm).shared_files && !state.config.storage.empty()) {
    at = at - std::min(k_saving_time, Duration{(at - state.now).ns / k_saving_part});
  }
  Duration grace = state.config.kill_wait;
  const bool warns = std::any_of(vm.jobs.begin(), vm.jobs.end(),
                                 [&](JobId id) { return state.jobs.at(id).spec->warning.signal != 0; });
  if (warns) grace = std::min(grace, Duration{(at - state.now).ns / 2});
  return std::max(state.now, at - grace);
}

}  // namespace

void take_node_from(Effects& fx, Job& job, const std::string& detail) {
  job.lost_node = true;
  if (!job.promised.empty()) {
    break_promise(fx, job, Reason::node_failure, detail);
  } else if (!job.launched) {
    unbind_job(fx, job, Reason::node_failure, detail);
  } else {
    begin_ending(fx, job,
                 {.state = JobState::node_fail,
                  .reason = Reason::node_failure,
                  .detail = detail,
                  .signal = 9,
                  .requeue = job.spec->requeue && job.spec->kind == JobKind::batch});
  }
}

std::vector<Vm*> reserve_gang(Effects& fx, const Pool& pool, const std::vector<std::uint32_t>& numbers, JobId job) {
  State& state = fx.state;
  const std::uint32_t pool_number = state.number_of_pool(pool.name);
  Gang gang{.id = {++state.last_gang.value}, .pool = pool.name, .job = job, .vms = {}};
  ReserveGang command{gang.id, pool, {}};
  gang.vms.reserve(numbers.size());
  command.vms.reserve(numbers.size());
  std::vector<Vm*> made;
  made.reserve(numbers.size());
  for (std::uint32_t number : numbers) {
    const VmId id{++state.last_vm.value};
    Vm& vm = state.vms[id];  // made in its place: a VM is large
    vm.id = id;
    vm.name = pool.node_prefix;
    vm.name += std::to_string(number);
    vm.pool = pool.name;
    vm.gang = gang.id;
    vm.total = pool.sku.resources;
    vm.pool_number = pool_number;
    vm.slot = number - 1;
    vm.requested = state.now;
    vm.bought_for_job = job.value != 0;
    gang.vms.push_back(id);
    command.vms.push_back({id, vm.name});
    made.push_back(&vm);
  }
  const GangId id = gang.id;
  state.gangs.emplace(id, std::move(gang));
  fx.emit(std::move(command));
  return made;
}

void drop_gang(Effects& fx, GangId id, Reason reason, const std::string& detail) {
  State& state = fx.state;
  const Gang gang = std::move(state.gangs.extract(id).mapped());
  for (VmId vm_id : gang.vms) {
    for (JobId job : std::vector<JobId>(state.vms.at(vm_id).jobs))
      break_promise(fx, state.jobs.at(job), reason, detail);
  }
  for (VmId vm_id : gang.vms) remove_vm(state, vm_id);
}

void remove_vm(State& state, VmId id) {
  auto it = state.vms.find(id);
  const Vm& vm = it->second;
  const Pool& pool = state.pool_of(vm);
  const std::uint32_t number = vm.slot + 1;
  if (!vm.alarm.is_never()) state.index.vm_alarms.erase(vm.alarm, id);
  state.vms.erase(it);
  index_absent_node(state, pool, number);
}

void release_vm(Effects& fx, Vm& vm, std::string reason) {
  VIRGA_ASSERT(vm.state == VmState::booting || vm.state == VmState::ready, "only a granted VM can be released");
  if (is_occupied(vm)) reason += "; with " + vm.drain_reason;
  vm.state = VmState::releasing;
  vm.release_reason = std::move(reason);
  vm.idle_since = {};
  vm.release_after = Time::never();
  vm.boot_deadline = Time::never();
  vm.evicted_at = Time::never();
  index_vm(fx.state, vm);
  fx.emit(ReleaseVm{vm.id, vm.pool});
}

void fail_vm(Effects& fx, VmId id, const std::string& message) {
  auto it = fx.state.vms.find(id);
  if (it == fx.state.vms.end()) return;
  Vm& vm = it->second;
  if (vm.state != VmState::booting && vm.state != VmState::ready) return;
  if (vm.state == VmState::booting) {
    back_off(fx, vm.pool,
             {.gang = vm.gang, .refusal = Refusal::fault, .message = vm.name + ": " + message, .retry_after = {}}, 1);
  }
  release_vm(fx, vm, message);
  const std::string detail = "node " + vm.name + ": " + message;
  for (JobId job : std::vector<JobId>(vm.jobs)) take_node_from(fx, fx.state.jobs.at(job), detail);
}

void evict_vm(Effects& fx, VmId id, Time at) {
  State& state = fx.state;
  auto it = state.vms.find(id);
  if (it == state.vms.end()) return;
  Vm& vm = it->second;
  if (vm.state != VmState::booting && vm.state != VmState::ready) return;
  if (vm.doomed && vm.evicted_at.is_never()) return;  // its jobs are being ended already
  vm.doomed = true;
  for (JobId job_id : std::vector<JobId>(vm.jobs)) {
    Job& job = state.jobs.at(job_id);
    if (!job.launched) take_node_from(fx, job, "node " + vm.name + ": evicted by the cloud");
  }
  if (vm.jobs.empty()) return release_vm(fx, vm, "evicted");
  vm.evicted_at = std::min(vm.evicted_at, last_moment(state, vm, at));
  index_vm(state, vm);
  for (JobId job_id : vm.jobs) {
    Job& job = state.jobs.at(job_id);
    if (!job.eviction_told.is_set()) job.eviction_told = state.now;
    warn_job(fx, job);
  }
}

void note_idle(const State& state, Vm& vm, const Pool& pool) {
  vm.idle_since = state.now;
  const Duration stays = vm.doomed ? Duration{} : vm.is_sick() ? pool.quarantine_time : pool.idle_time;
  vm.release_after = is_occupied(vm) && !vm.doomed ? Time::never() : state.now + stays;
  if (vm.is_sick()) vm.wasted_since = state.now;
}

Reason reason_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::capacity:
      return Reason::capacity;
    case Refusal::quota:
      return Reason::quota;
    case Refusal::throttled:
      return Reason::throttled;
    case Refusal::fault:
      return Reason::cloud_fault;
    case Refusal::setup:
      return Reason::cloud_setup;
  }
  return Reason::cloud_fault;
}

void back_off(Effects& fx, const std::string& name, const GangRefused& refusal, std::uint32_t nodes) {
  State& state = fx.state;
  const Pool& refused = state.config.pools[state.number_of_pool(name)];
  PoolHistory& history = state.history[name];
  ++history.refusals;
  history.last_refusal = state.now;
  for (const Pool& pool : state.config.pools) {
    const bool whole_cloud = refusal.refusal == Refusal::throttled && pool.cloud == refused.cloud;
    if (pool.name != name && !whole_cloud) continue;
    PoolBackoff& backoff = state.backoffs[pool.name];
    const bool was_over = backoff.until <= state.now;
    const std::uint32_t doublings = std::min<std::uint32_t>(backoff.refusals_in_a_row, 10);
    // What is set up wrongly does not mend itself; who mends it says so with a reload.
    const Duration pause = refusal.refusal == Refusal::setup
                               ? k_backoff_longest
                               : std::min(k_backoff_first * (std::int64_t{1} << doublings), k_backoff_longest);
    ++backoff.refusals_in_a_row;
    backoff.until = state.now + std::max(pause, refusal.retry_after);
    backoff.refusal = refusal.refusal;
    backoff.message = refusal.message;
    const bool by_size = refusal.refusal == Refusal::capacity || refusal.refusal == Refusal::quota;
    backoff.nodes = !by_size ? 1 : was_over ? nodes : std::min(backoff.nodes, nodes);
  }
}

void balance_fleet(Effects& fx) {
  if (fx.state.shutting_down) return release_all(fx);
  keep_warm(fx);
  release_idle(fx);
}

void apply_vm_deadlines(Effects& fx) {
  State& state = fx.state;
  for (VmId id : state.index.vm_alarms.due(state.now)) {
    Vm& vm = state.vms.at(id);
    if (vm.state == VmState::booting && vm.boot_deadline <= state.now) {
      fail_vm(fx, id, fmt::format("did not boot within {} s", state.pool_of(vm).boot_timeout.whole_seconds()));
    } else if (vm.evicted_at <= state.now) {
      vm.evicted_at = Time::never();
      const std::string detail = "node " + vm.name + ": evicted by the cloud";
      for (JobId job_id : std::vector<JobId>(vm.jobs)) {
        Job& job = state.jobs.at(job_id);
        if (job.state == JobState::running) {
          begin_ending(fx, job,
                       {.state = JobState::node_fail,
                        .reason = Reason::node_failure,
                        .detail = detail,
                        .requeue = job.spec->requeue && job.spec->kind == JobKind::batch});
        } else {
          take_node_from(fx, job, detail);
        }
      }
      index_vm(state, vm);
    }
  }
}

Time next_deadline_of(const Vm& vm) {
  const Time idle = is_idle(vm) ? vm.release_after : Time::never();
  return std::min({vm.boot_deadline, vm.evicted_at, idle});
}

Time next_growth(const State& state) {
  Time next = Time::never();
  if (state.shutting_down) return next;
  for (const auto& [name, backoff] : state.backoffs) {
    if (backoff.until <= state.now) continue;
    const Pool* pool = state.find_pool(name);
    if (pool != nullptr && (kept_nodes(state, *pool) > 0 || may_be_wanted(state, *pool)))
      next = std::min(next, backoff.until);
  }
  return next;
}

Money cost_of(const State& state, const Job& job, Duration elapsed) {
  const Pool* pool = state.pool_of(job);
  if (pool == nullptr) return {};
  const auto whole = static_cast<std::uint64_t>(price_for(pool->node_price(), elapsed).micro_usd);
  return {static_cast<std::int64_t>(part_of_node(whole, job.spec, *pool) * job.nodes.size())};
}

std::uint64_t node_milliseconds(const State& state, const Job& job, Duration elapsed) {
  const Pool* pool = state.pool_of(job);
  if (pool == nullptr) return 0;
  return part_of_node(static_cast<std::uint64_t>(elapsed.ns) / 1'000'000, job.spec, *pool) * job.nodes.size();
}

}  // namespace virga
