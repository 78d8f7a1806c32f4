#include "brain/state.hpp"

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"
#include "brain/fleet/fleet.hpp"
#include "brain/sched/lifecycle.hpp"

namespace virga {

namespace {

IndexedAs place_of(const State& state, const Job& job) {
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
    default:
      return job.eligible > state.now ? IndexedAs::asleep : IndexedAs::queued;
  }
}

void ring_at(State& state, Job& job, Time when) {
  if (job.alarm == when) return;
  if (!job.alarm.is_never()) state.index.job_alarms.erase({job.alarm, job.id});
  job.alarm = when;
  if (!when.is_never()) state.index.job_alarms.emplace(when, job.id);
}

}  // namespace

void State::rebuild_indices() {
  index = {};
  policy.rebuild(config, jobs);
  index.pools.reserve(config.pools.size());
  for (const Pool& pool : config.pools) index.pools.emplace_back(pool);
  for (const auto& [node, mark] : node_marks) {
    std::uint32_t number = 0;
    const Pool* pool = find_pool_of_node(node, &number);
    if (pool != nullptr && mark.drained) index_absent_node(*this, *pool, number);
  }
  for (auto& [id, vm] : vms) {
    vm.alarm = Time::never();
    index_vm(*this, vm);
  }
  for (auto& [id, job] : jobs) {
    job.indexed_as = IndexedAs::nothing;
    job.alarm = Time::never();
    if (job.state == JobState::configuring) job.nodes_booting = count_booting(*this, job);
    index_job(*this, job);
  }
}

void unindex_job(State& state, Job& job) {
  Indices& index = state.index;
  switch (job.indexed_as) {
    case IndexedAs::queued:
      index.queue.erase(job);
      break;
    case IndexedAs::asleep:
      index.asleep.erase({job.eligible, job.id});
      break;
    case IndexedAs::living:
      index.living.erase(job.id);
      break;
    case IndexedAs::ended:
      index.ended.erase({job.ended, job.id});
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
  state.policy.sync(job);
  const IndexedAs place = place_of(state, job);
  if (place != job.indexed_as) {
    unindex_job(state, job);
    if (place == IndexedAs::queued) index.queue.insert(job);
    if (place == IndexedAs::asleep) index.asleep.emplace(job.eligible, job.id);
    if (place == IndexedAs::living) index.living.insert(job.id);
    if (place == IndexedAs::ended) index.ended.emplace(job.ended, job.id);
    job.indexed_as = place;
  }
  if (place == IndexedAs::queued && job.reason != Reason::priority) {
    index.front.insert(job.id);
  } else if (place == IndexedAs::queued) {
    index.front.erase(job.id);
  }
  ring_at(state, job, next_deadline_of(job));
}

void index_vm(State& state, Vm& vm) {
  std::uint32_t number = 0;
  const Pool* pool = state.find_pool_of_node(vm.name, &number);
  VIRGA_ASSERT(pool != nullptr && pool->name == vm.pool, "a VM's name is one of its pool's");
  Time busy_until;
  for (JobId id : vm.jobs) busy_until = std::max(busy_until, state.jobs.at(id).expected_end);
  state.index.pools[state.number_of_pool(vm.pool)].put(number - 1, vm, busy_until);
  const Time when = next_deadline_of(vm);
  if (vm.alarm == when) return;
  if (!vm.alarm.is_never()) state.index.vm_alarms.erase({vm.alarm, vm.id});
  vm.alarm = when;
  if (!when.is_never()) state.index.vm_alarms.emplace(when, vm.id);
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
