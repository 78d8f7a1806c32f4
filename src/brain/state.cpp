#include "brain/state.hpp"

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"
#include "brain/fleet/fleet.hpp"
#include "brain/policy/ranking.hpp"
#include "brain/policy/start_rules.hpp"
#include "brain/sched/files.hpp"
#include "brain/sched/lifecycle.hpp"

namespace virga {

namespace {

IndexedAs index_of(const State& state, const Job& job) {
  if (is_final(job.state)) return IndexedAs::ended;
  if (holds_nodes(job.state)) return IndexedAs::living;
  if (!job.promised.empty()) return IndexedAs::promised;
  switch (job.reason) {
    case Reason::held_user:
    case Reason::held_admin:
    case Reason::config_refuses:
    case Reason::partition_down:
    case Reason::shutting_down:
      return IndexedAs::nothing;
    case Reason::qos_limit:
    case Reason::qos_node_limit:
    case Reason::tenant_limit:
    case Reason::tenant_gpu_limit:
    case Reason::budget:
    case Reason::licenses:
    case Reason::reservation:
      return IndexedAs::set_aside;
    default:
      if (job.eligible.is_never()) return IndexedAs::nothing;  // its gate is closed
      return job.eligible > state.now ? IndexedAs::asleep : IndexedAs::queued;
  }
}

void enter_queue(State& state, Job& job) {
  const Place place = place_in_queue(state, job);
  job.rank = place.rank;
  job.full_age = place.full_age;
  state.index.queue.insert(job);
  if (!place.full_at.is_never()) state.index.growing.insert(place.full_at, job.id);
  const Time picky_until = switches_until(job);
  if (picky_until > state.now && !picky_until.is_never()) state.index.picky.insert(picky_until, job.id);
}

void leave_queue(State& state, const Job& job) {
  state.index.queue.erase(job);
  if (!state.index.growing.empty()) {
    state.index.growing.erase(job.eligible + state.config.priority.max_age, job.id);
  }
  if (!state.index.picky.empty()) state.index.picky.erase(switches_until(job), job.id);
}

/// Changes whenever PolicyState::sync() would do something.
std::uint32_t policy_mark_of(const Job& job) {
  std::uint32_t mark = 1 + static_cast<std::uint32_t>(job.state);
  if (!job.promised.empty()) mark |= 1U << 8;
  if (job.reason == Reason::array_limit) mark |= 1U << 9;
  if (job.reason == Reason::held_user || job.reason == Reason::held_admin) mark |= 1U << 10;
  if (job.eligible.is_never()) mark |= 1U << 11;
  return mark;
}

template <class Id, class Owner>
void ring_at(TimeIndex<Id>& alarms, Owner& owner, Time when) {
  if (owner.alarm == when) return;
  if (!owner.alarm.is_never()) alarms.erase(owner.alarm, owner.id);
  owner.alarm = when;
  if (!when.is_never()) alarms.insert(when, owner.id);
}

}  // namespace

void State::rebuild_indices() {
  index = {};
  policy.rebuild(config, now, jobs);
  index.pools.reserve(config.pools.size());
  for (const Pool& pool : config.pools) index.pools.emplace_back(pool);
  for (const Partition& partition : config.partitions) {
    auto& pools = index.partition_pools.emplace_back();
    for (const std::string& name : partition.pools) pools.push_back(number_of_pool(name));
  }
  for (const auto& [node, mark] : node_marks) {
    std::uint32_t number = 0;
    const Pool* pool = find_pool_of_node(node, &number);
    if (pool != nullptr && mark.drained) index_absent_node(*this, *pool, number);
  }
  for (auto& [id, vm] : vms) {
    vm.alarm = Time::never();
    const Pool* pool = find_pool_of_node(vm.name, &vm.slot);
    VIRGA_ASSERT(pool != nullptr && pool->name == vm.pool, "a VM's name is one of its pool's");
    vm.pool_number = static_cast<std::uint32_t>(pool - config.pools.data());
    --vm.slot;
    index_vm(*this, vm);
  }
  for (auto& [id, job] : jobs) {
    job.indexed_as = IndexedAs::nothing;
    job.counted.mark = policy_mark_of(job);
    job.alarm = Time::never();
    if (job.state == JobState::configuring) job.nodes_booting = count_booting(*this, job);
    index_job(*this, job);
  }
}

void unindex_job(State& state, Job& job) {
  Indices& index = state.index;
  switch (job.indexed_as) {
    case IndexedAs::queued:
      leave_queue(state, job);
      break;
    case IndexedAs::set_aside:
      leave_set_aside(state, job);
      break;
    case IndexedAs::asleep:
      index.asleep.erase(job.eligible, job.id);
      break;
    case IndexedAs::living:
      index.living.erase(job.id);
      break;
    case IndexedAs::ended:
      index.ended.erase(job.ended, job.id);
      break;
    case IndexedAs::nothing:
    case IndexedAs::promised:
      break;
  }
  index.front.erase(job.id);
  job.indexed_as = IndexedAs::nothing;
}

void index_job(State& state, Job& job) {
  Indices& index = state.index;
  if (const std::uint32_t mark = policy_mark_of(job); mark != job.counted.mark) {
    state.policy.sync(job);
    job.counted.mark = mark;
  }
  const IndexedAs place = index_of(state, job);
  if (place != job.indexed_as) {
    unindex_job(state, job);
    if (place == IndexedAs::queued || place == IndexedAs::asleep) {
      job.partition_number = state.number_of_partition(job.spec->partition);
      job.files_on_storage = lies_on_storage(state.config.storage, job.spec);
      job.placement_key = placement_key_of(job.spec);
    }
    if (place == IndexedAs::queued) enter_queue(state, job);
    if (place == IndexedAs::set_aside) enter_set_aside(state, job);
    if (place == IndexedAs::asleep) index.asleep.insert(job.eligible, job.id);
    if (place == IndexedAs::living) index.living.insert(job.id);
    if (place == IndexedAs::ended) index.ended.insert(job.ended, job.id);
    job.indexed_as = place;
  }
  if (place == IndexedAs::queued && job.reason != Reason::priority) {
    index.front.insert(job.id);
  } else if (place == IndexedAs::queued) {
    index.front.erase(job.id);
  }
  ring_at(state.index.job_alarms, job, next_deadline_of(job));
}

void index_vm(State& state, Vm& vm) {
  Vm* const one = &vm;
  index_vms(state, {&one, 1});
}

void index_vms(State& state, std::span<Vm* const> vms) {
  if (vms.empty()) return;
  std::vector<PoolIndex::Present>& present = state.index.present;
  present.clear();
  const Job* job = nullptr;  // mostly it is one gang's
  for (Vm* vm : vms) {
    Time busy_until;
    for (JobId id : vm->jobs) {
      if (job == nullptr || job->id != id) job = &state.jobs.at(id);
      busy_until = std::max(busy_until, job->expected_end);
    }
    present.push_back({vm, busy_until});
    ring_at(state.index.vm_alarms, *vm, next_deadline_of(*vm));
  }
  state.index.pools[vms.front()->pool_number].put(present);
}

void index_absent_node(State& state, const Pool& pool, std::uint32_t number) {
  auto mark = state.node_marks.find(pool.node_prefix + std::to_string(number));
  const bool drained = mark != state.node_marks.end() && mark->second.drained;
  state.index.pools[state.number_of_pool(pool.name)].clear(number - 1, drained);
}

const Pool* State::find_pool(const std::string& name) const {
  for (const Pool& pool : config.pools) {
    if (pool.name == name) return &pool;
  }
  return nullptr;
}

std::uint32_t State::number_of_pool(const std::string& name) const {
  std::uint32_t number = 0;
  while (number < config.pools.size() && config.pools[number].name != name) ++number;
  VIRGA_ASSERT(number < config.pools.size(), "the pool is configured");
  return number;
}

std::uint32_t State::number_of_partition(const std::string& name) const {
  std::uint32_t number = 0;
  while (number < config.partitions.size() && config.partitions[number].name != name) ++number;
  VIRGA_ASSERT(number < config.partitions.size(), "jobs of partitions that are gone do not wait in the queue");
  return number;
}

const Pool* State::pool_of(const Job& job) const {
  if (job.nodes.empty()) return nullptr;
  const auto vm = vms.find(job.nodes.front().vm);  // much quicker than by its name
  return vm != vms.end() ? &pool_of(vm->second) : find_pool_of_node(job.nodes.front().name);
}

const Partition* State::find_partition(const std::string& name) const {
  for (const Partition& partition : config.partitions) {
    if (partition.name == name) return &partition;
  }
  return nullptr;
}

const Pool* State::find_pool_of_node(const std::string& node, std::uint32_t* number) const {
  for (const Pool& pool : config.pools) {
    if (!node.starts_with(pool.node_prefix)) continue;
    const char* begin = node.data() + pool.node_prefix.size();
    const char* end = node.data() + node.size();
    std::uint32_t n = 0;
    auto [rest, error] = std::from_chars(begin, end, n);
    if (error != std::errc{} || rest != end || n == 0 || n > pool.max_nodes || *begin == '0') continue;
    if (number != nullptr) *number = n;
    return &pool;
  }
  return nullptr;
}

}  // namespace virga
