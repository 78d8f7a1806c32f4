#include "brain/policy/ranking.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/id_map.hpp"
#include "brain/fleet/fleet.hpp"
#include "brain/policy/fair_tree.hpp"
#include "brain/sched/due_order.hpp"
#include "brain/sched/queue.hpp"

namespace virga {

namespace {

/// Slurm's PriorityCalcPeriod.
constexpr Duration k_between_rankings = Duration::minutes(5);
constexpr std::int64_t k_before_all_others = std::int64_t{1} << 62;
/// Of a user whom no ranking has seen yet: who used nothing comes first.
constexpr std::uint32_t k_unknown_ppm = 1'000'000;

bool is_multifactor(const State& state) { return state.config.scheduler.policy == OrderPolicy::multifactor; }

std::uint32_t fair_share_of(const State& state, const Job& job) {
  const auto tenant = state.policy.fair_share_ppm.find(job.spec->account);
  if (tenant == state.policy.fair_share_ppm.end()) return k_unknown_ppm;
  const auto user = tenant->second.find(job.owner.user);
  return user != tenant->second.end() ? user->second : k_unknown_ppm;
}

/// What all jobs' factors are measured against.
class Measures {
 public:
  explicit Measures(const State& state) : config_(state.config) {
    for (const Qos& qos : config_.qos) highest_qos_ = std::max(highest_qos_, qos.priority);
    for (const Partition& partition : config_.partitions) {
      highest_partition_ = std::max(highest_partition_, partition.priority);
      std::uint64_t nodes = 0;
      for (const std::string& name : partition.pools) nodes += state.find_pool(name)->max_nodes;
      nodes_.push_back(nodes);
    }
  }

  PriorityFactors factors(const Job& job, std::uint32_t fair_share_ppm) const {
    PriorityFactors factors{.eligible = job.eligible, .nice = job.spec->nice, .fair_share_ppm = fair_share_ppm};
    if (const Qos* qos = config_.find_qos(job.spec->qos)) factors.qos_ppm = share_ppm(qos->priority, highest_qos_);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const Partition& partition = config_.partitions[i];
      if (partition.name != job.spec->partition) continue;
      factors.partition_ppm = share_ppm(partition.priority, highest_partition_);
      factors.size_ppm = share_ppm(job.spec->nodes, nodes_[i]);
    }
    return factors;
  }

 private:
  const Config& config_;
  std::uint32_t highest_qos_ = 0;
  std::uint32_t highest_partition_ = 0;
  std::vector<std::uint64_t> nodes_;  ///< by partition
};

/// The tree's leaves of all users who used something or have jobs; each is asked for by name once, then by number.
class Leaves {
 public:
  explicit Leaves(FairTree& tree) : tree_(tree) {}

  FairLeaf add(const std::string& tenant, const std::string& user) {
    const auto [at, is_new] = by_name_[tenant].try_emplace(user);
    if (is_new) at->second = tree_.leaf(tenant, user);
    return at->second;
  }
  FairLeaf of(const Job& job) {
    Known& known = by_uid_[{job.owner.uid}];
    if (known.job == nullptr || known.job->spec->account != job.spec->account ||
        known.job->owner.user != job.owner.user) {
      known = {&job, add(job.spec->account, job.owner.user)};
    }
    return known.leaf;
  }
  const std::map<std::string, std::map<std::string, FairLeaf>>& all() const { return by_name_; }

 private:
  struct Known {
    const Job* job = nullptr;
    FairLeaf leaf;
  };
  FairTree& tree_;
  std::map<std::string, std::map<std::string, FairLeaf>> by_name_;
  IdMap<Id<struct UidTag, std::uint32_t>, Known> by_uid_;
};

/// Of a job whose priority was given: it stays where it is while others grow older. Slurm's own numbers go down from
/// k_first_priority, one for each job, so that a priority below that comes after all of these.
Place fixed_place(const State& state, const Job& job) {
  constexpr std::int64_t k_micro = 1'000'000;
  constexpr std::int64_t k_first_priority = 4'294'901'760;
  const std::int64_t given = job.spec->priority;
  if (is_multifactor(state)) return {.rank = -given * k_micro, .full_age = true};
  return {.rank = k_first_priority - given};
}

}  // namespace

PriorityFactors priority_factors(const State& state, const Job& job) {
  return Measures(state).factors(job, fair_share_of(state, job));
}

Place place_in_queue(const State& state, const Job& job) {
  if (job.spec->priority != k_no_priority) return fixed_place(state, job);
  if (is_multifactor(state)) return place_of(state.config.priority, priority_factors(state, job), state.now);
  const bool is_due = state.config.scheduler.policy == OrderPolicy::due;
  Place place{.rank = is_due ? due_of(job.eligible, expected_time(job.spec)).ns : 0};
  const Qos* qos = state.config.find_qos(job.spec->qos);
  if (qos != nullptr && !qos->preempt.empty()) place.rank -= k_before_all_others;
  return place;
}

std::int64_t rank_shift_now(const State& state) {
  return is_multifactor(state) ? rank_shift(state.config.priority, state.now) : 0;
}

void note_priority(const State& state, Job& job) {
  if (job.spec->priority != k_no_priority) {
    job.priority = job.spec->priority;
    return;
  }
  if (is_multifactor(state)) job.priority = priority_at(state.config.priority, priority_factors(state, job), state.now);
}

void charge_usage(State& state, Job& job) {
  if (!is_multifactor(state) || !job.started.is_set()) return;
  const Time from = std::max(job.started, job.charged);
  job.charged = state.now;
  if (state.now <= from) return;
  state.policy.usage.add(job.spec->account, job.owner.user, node_milliseconds(state, job, state.now - from), state.now,
                         state.config.priority.decay_half_life);
}

Time next_ranking(const State& state) {
  if (!is_multifactor(state) || state.config.priority.fair_share == 0) return Time::never();
  if (state.index.queue.lanes().empty()) return Time::never();
  return state.policy.ranked_at + k_between_rankings;
}

void rank_all(State& state) {
  PolicyState& policy = state.policy;
  policy.ranked_at = state.now;
  for (JobId id : state.index.living) charge_usage(state, state.jobs.at(id));
  FairTree tree(state.config.tenants);
  Leaves leaves(tree);
  for (const auto& [tenant, users] : policy.usage.weights) {
    for (const auto& [user, weight] : users) leaves.add(tenant, user);
  }
  std::vector<std::pair<Job*, FairLeaf>> waiting;
  for (auto& [id, job] : state.jobs) {
    if (is_final(job.state)) continue;
    const FairLeaf leaf = leaves.of(job);
    if (job.indexed_as == IndexedAs::queued) waiting.emplace_back(&job, leaf);
  }
  tree.rank(policy.usage);
  policy.fair_share_ppm.clear();
  for (const auto& [tenant, users] : leaves.all()) {
    for (const auto& [user, leaf] : users) policy.fair_share_ppm[tenant].emplace(user, tree.factor_ppm(leaf));
  }
  const Measures measures(state);
  state.index.queue.clear();
  for (const auto& [job, leaf] : waiting) {
    if (job->spec->priority != k_no_priority) {
      const Place place = fixed_place(state, *job);
      job->rank = place.rank;
      job->full_age = place.full_age;
      state.index.queue.insert(*job);
      continue;
    }
    const PriorityFactors factors = measures.factors(*job, tree.factor_ppm(leaf));
    job->priority = priority_at(state.config.priority, factors, state.now);
    const Place place = place_of(state.config.priority, factors, state.now);
    job->rank = place.rank;
    job->full_age = place.full_age;
    state.index.queue.insert(*job);
  }
}

}  // namespace virga
