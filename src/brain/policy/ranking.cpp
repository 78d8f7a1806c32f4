#include "brain/policy/ranking.hpp"

#include <algorithm>

#include "brain/fleet/fleet.hpp"
#include "brain/policy/fair_tree.hpp"

namespace virga {

namespace {

/// Slurm's PriorityCalcPeriod.
constexpr Duration k_between_rankings = Duration::minutes(5);
/// Of a user whom no ranking has seen yet: who used nothing comes first.
constexpr std::uint32_t k_unknown_ppm = 1'000'000;

bool is_multifactor(const State& state) { return state.config.scheduler.policy == OrderPolicy::multifactor; }

std::uint32_t fair_share_of(const State& state, const Job& job) {
  const auto tenant = state.policy.fair_share_ppm.find(job.spec.account);
  if (tenant == state.policy.fair_share_ppm.end()) return k_unknown_ppm;
  const auto user = tenant->second.find(job.owner.user);
  return user != tenant->second.end() ? user->second : k_unknown_ppm;
}

PriorityFactors factors_of(const State& state, const Job& job) {
  const Config& config = state.config;
  PriorityFactors factors{.eligible = job.eligible, .nice = job.spec.nice};
  factors.fair_share_ppm = fair_share_of(state, job);
  std::uint32_t highest_qos = 0;
  for (const Qos& qos : config.qos) highest_qos = std::max(highest_qos, qos.priority);
  if (const Qos* qos = config.find_qos(job.spec.qos)) factors.qos_ppm = share_ppm(qos->priority, highest_qos);
  std::uint32_t highest_partition = 0;
  for (const Partition& partition : config.partitions) {
    highest_partition = std::max(highest_partition, partition.priority);
  }
  const Partition* partition = state.find_partition(job.spec.partition);
  if (partition == nullptr) return factors;
  factors.partition_ppm = share_ppm(partition->priority, highest_partition);
  std::uint64_t nodes = 0;
  for (const std::string& name : partition->pools) nodes += state.find_pool(name)->max_nodes;
  factors.size_ppm = share_ppm(job.spec.nodes, nodes);
  return factors;
}

/// Every user who used something or waits, by tenant.
void compute_factors(State& state) {
  FairTree tree(state.config.tenants);
  std::map<std::string, std::map<std::string, FairLeaf>> leaves;
  const auto add = [&](const std::string& tenant, const std::string& user) {
    const auto [at, is_new] = leaves[tenant].try_emplace(user);
    if (is_new) at->second = tree.leaf(tenant, user);
  };
  for (const auto& [tenant, users] : state.policy.usage.weights) {
    for (const auto& [user, weight] : users) add(tenant, user);
  }
  for (const auto& [id, job] : state.jobs) {
    if (!is_final(job.state)) add(job.spec.account, job.owner.user);
  }
  tree.rank(state.policy.usage);
  state.policy.fair_share_ppm.clear();
  for (const auto& [tenant, users] : leaves) {
    for (const auto& [user, leaf] : users) state.policy.fair_share_ppm[tenant][user] = tree.factor_ppm(leaf);
  }
}

}  // namespace

Place place_in_queue(const State& state, const Job& job) {
  if (!is_multifactor(state)) {
    const Qos* qos = state.config.find_qos(job.spec.qos);
    return {.rank = qos != nullptr && !qos->preempt.empty() ? -1 : 0};
  }
  return place_of(state.config.priority, factors_of(state, job), state.now);
}

std::int64_t rank_shift_now(const State& state) {
  return is_multifactor(state) ? rank_shift(state.config.priority, state.now) : 0;
}

void note_priority(const State& state, Job& job) {
  if (is_multifactor(state)) job.priority = priority_at(state.config.priority, factors_of(state, job), state.now);
}

void charge_usage(State& state, Job& job) {
  if (!is_multifactor(state) || !job.started.is_set()) return;
  const Time from = std::max(job.started, job.charged);
  job.charged = state.now;
  if (state.now <= from) return;
  state.policy.usage.add(job.spec.account, job.owner.user, node_milliseconds(state, job, state.now - from), state.now,
                         state.config.priority.decay_half_life);
}

Time next_ranking(const State& state) {
  if (!is_multifactor(state) || state.config.priority.fair_share == 0) return Time::never();
  if (state.index.queue.lanes().empty()) return Time::never();
  return state.policy.ranked_at + k_between_rankings;
}

void rank_all(State& state) {
  state.policy.ranked_at = state.now;
  for (JobId id : state.index.living) charge_usage(state, state.jobs.at(id));
  compute_factors(state);
  state.index.queue.clear();
  state.index.growing.clear();
  state.index.picky.clear();
  for (auto& [id, job] : state.jobs) {
    if (job.indexed_as != IndexedAs::queued) continue;
    note_priority(state, job);
    enter_queue(state, job);
  }
}

}  // namespace virga
