// Brain::explain(): from a job and the state around it to ranked reasons in words.
#include <fmt/format.h>

#include "brain/brain.hpp"
#include "brain/fleet/fleet.hpp"
#include "brain/fleet/foreign.hpp"
#include "brain/policy/ranking.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/forecast.hpp"
#include "brain/sched/queue.hpp"
#include "brain/training/training_note.hpp"
#include "brain/training/training_words.hpp"

namespace virga {

namespace {

/// The rules of the configuration's policy, which hold back a job that would have its nodes.
ExplainedReason explain_policy(const Job& job, const std::string& own) {
  switch (job.reason) {
    case Reason::dependency:
      return {job.reason, "it waits for another job" + own, ""};
    case Reason::dependency_never:
      return {job.reason, "what it depends on can never come true" + own, fmt::format("scancel {}", job.id.value)};
    case Reason::begin_time:
      return {job.reason, "its begin time has not come" + own, "an earlier --begin"};
    case Reason::array_limit:
      return {job.reason, "as many tasks of its array run as may at a time" + own, "a larger number after the %"};
    case Reason::qos_limit:
    case Reason::qos_node_limit:
      return {job.reason, "its user has what its QOS allows" + own, "another --qos, or the end of other jobs"};
    case Reason::tenant_limit:
    case Reason::tenant_gpu_limit:
      return {job.reason, "its tenant has what it may have" + own, "another --account, or the end of other jobs"};
    case Reason::budget:
      return {job.reason, "it may cost more than its tenant has left" + own, "fewer nodes, or a shorter --time"};
    case Reason::licenses:
      return {job.reason, "other jobs use the licences that it needs" + own, "the end of other jobs"};
    case Reason::reservation:
      return {job.reason, "nodes are reserved" + own, "a shorter --time, so that it ends before"};
    case Reason::preempted:
      return {job.reason, "it gave its nodes to a more important job" + own, ""};
    case Reason::deadline:
      return {job.reason, "it cannot end before its deadline" + own, "a later --deadline, or a shorter --time"};
    case Reason::files_unsaved:
      return {job.reason, "what it wrote did not all reach the storage" + own,
              "submit it again once the storage works"};
    default:
      return {};
  }
}

/// Nodes of the job that are being asked for may have been refused before.
std::string earlier_refusal(const State& state, const Job& job) {
  const Pool* pool = job.promised.empty() ? nullptr : state.find_pool_of_node(job.promised.front().name);
  const auto backoff = pool == nullptr ? state.backoffs.end() : state.backoffs.find(pool->name);
  if (backoff == state.backoffs.end()) return "";
  return fmt::format("; the try before was refused, the {}. in a row: {}", backoff->second.refusals_in_a_row,
                     backoff->second.message);
}

bool comes_from_refusal(Reason reason) {
  constexpr Refusal k_all[] = {Refusal::capacity, Refusal::quota, Refusal::throttled, Refusal::fault, Refusal::setup};
  return std::any_of(std::begin(k_all), std::end(k_all), [&](Refusal refusal) { return reason_of(refusal) == reason; });
}

/// When the cloud is asked again for a job that it refused: the first of its partition's pools that comes to that.
Time next_try(const State& state, const Partition& partition) {
  Time next = Time::never();
  for (const std::string& pool : partition.pools) {
    const auto backoff = state.backoffs.find(pool);
    if (backoff != state.backoffs.end() && backoff->second.until > state.now)
      next = std::min(next, backoff->second.until);
  }
  return next;
}

ExplainedReason explain_reason(const State& state, const Job& job) {
  std::string own = job.detail.empty() ? "" : ": " + job.detail;
  const Partition* partition = state.find_partition(job.spec->partition);
  const bool wants_nodes = job.reason == Reason::resources || job.reason == Reason::drained_nodes;
  if (wants_nodes && partition != nullptr) own += foreign_note(state, *partition);
  switch (job.reason) {
    case Reason::none:
      return {job.reason, "", ""};
    case Reason::priority:
      return {job.reason, "earlier jobs are served first", ""};
    case Reason::resources:
      return {job.reason, "the nodes it needs are in use" + own, "fewer nodes, or a larger max_nodes of its pools"};
    case Reason::reserving:
      return {job.reason, "its nodes are being reserved" + own + earlier_refusal(state, job), ""};
    case Reason::booting: {
      std::string waiting;
      for (const JobNode& node : job.nodes) {
        auto vm = state.vms.find(node.vm);
        if (vm != state.vms.end() && vm->second.state == VmState::booting)
          waiting += (waiting.empty() ? "" : ", ") + node.name;
      }
      return {job.reason, waiting.empty() ? "its nodes are ready; it is being started" : "its nodes boot: " + waiting,
              ""};
    }
    case Reason::held_user:
      return {job.reason, "held" + own, fmt::format("scontrol release {}", job.id.value)};
    case Reason::held_admin:
      return {job.reason, "held by an operator" + own, "ask an operator to release it"};
    case Reason::capacity:
      return {job.reason, "the cloud has no capacity now" + own, "another pool or SKU in its partition"};
    case Reason::quota:
      return {job.reason, "a quota is used up" + own, "a larger quota, or another pool; then virga reload"};
    case Reason::throttled:
      return {job.reason, "the cloud asked us to wait" + own, ""};
    case Reason::cloud_fault:
      return {job.reason, "the cloud failed" + own, "see virgad.log; it is tried again"};
    case Reason::cloud_setup:
      return {job.reason, "the cloud does not take what it is asked for" + own,
              "what that says, mended in the cloud or in virga.toml; then virga reload"};
    case Reason::drained_nodes:
      return {job.reason, "nodes are drained" + own, "scontrol update nodename=NODE state=resume"};
    case Reason::partition_down:
      return {job.reason, "its partition is down" + own, "another partition"};
    case Reason::shutting_down:
      return {job.reason, "the supercomputer is being taken down", "virga up"};
    case Reason::requeued:
      return {job.reason, "requeued, and waits a moment" + own, ""};
    case Reason::launch_failed:
      return {job.reason, "it could not be started" + own, ""};
    case Reason::node_failure:
      return {job.reason, "a node failed" + own, ""};
    case Reason::time_limit:
      return {job.reason, "its time limit was reached", "a longer --time"};
    case Reason::cancelled:
      return {job.reason, job.detail.empty() ? "cancelled" : job.detail, ""};
    case Reason::non_zero_exit: {
      const std::string how = job.exit.signal != 0 ? fmt::format("was killed by signal {}", job.exit.signal)
                                                   : fmt::format("ended with exit code {}", job.exit.code);
      return {job.reason, "its script " + how, fmt::format("virga logs {}", job.id.value)};
    }
    case Reason::config_refuses:
      return {job.reason, "no pool can hold it any more" + own, "change the job or virga.toml"};
    default:
      return explain_policy(job, own);
  }
  return {};
}

/// Which of its pool's node numbers the job has, less one.
std::vector<std::uint32_t> slots_of(const State& state, const std::vector<JobNode>& nodes) {
  std::vector<std::uint32_t> slots;
  for (const JobNode& node : nodes) {
    std::uint32_t number = 0;
    if (state.find_pool_of_node(node.name, &number) != nullptr) slots.push_back(number - 1);
  }
  return slots;
}

ExplainedPlacement explain_placement(const State& state, const Job& job) {
  ExplainedPlacement placement;
  const std::vector<JobNode> nodes(job.nodes.empty() ? job.promised.begin() : job.nodes.begin(),
                                   job.nodes.empty() ? job.promised.end() : job.nodes.end());
  if (is_final(job.state) || nodes.size() < 2 || !job.spec->needs_fabric) return placement;
  const Pool* pool = state.find_pool_of_node(nodes.front().name);
  if (pool == nullptr) return placement;
  const PoolIndex& index = state.index.pools[state.number_of_pool(pool->name)];
  const std::vector<std::uint32_t> slots = slots_of(state, nodes);
  const std::optional<Spread> spread = index.spread(slots);
  if (!spread || !index.collectives().knows_sku()) return placement;
  placement.pool = pool->name;
  placement.nodes = spread->nodes;
  placement.leaves = spread->leaves;
  placement.spines = spread->spines;
  placement.bytes = reference_bytes(job.spec);
  const std::uint32_t gpus = demand_per_node(job.spec, *pool).gpus;
  placement.all_reduce = index.collectives().all_reduce(*spread, gpus, placement.bytes);
  placement.text = fmt::format("its {} nodes are below {}: an all-reduce of {} is predicted to take {}", spread->nodes,
                               words_of(*spread), bytes_text(placement.bytes), span_text(placement.all_reduce));
  if (!job.passed_over.what.empty()) placement.passed_over = words_of(job.passed_over);
  return placement;
}

std::vector<ExplainedTraining> explain_training(const State& state, const Job& job, const Pool* own_pool) {
  std::vector<ExplainedTraining> all;
  const Partition* partition = state.find_partition(job.spec->partition);
  if (is_final(job.state) || partition == nullptr || !may_name_model(job.spec->comment)) return all;
  const bool is_placed = !job.nodes.empty();
  for (const std::string& name : partition->pools) {
    const Pool* pool = state.find_pool(name);
    if (pool == nullptr || (is_placed && pool != own_pool) || misfit_of(state.config, *pool, job.spec)) continue;
    const TrainingCheck& check = state.index.training.of(job.spec, *pool);
    if (check.plan) {
      const TrainingPlan& plan = *check.plan;
      all.push_back({name, plan.step, plan.run, plan.tokens_per_second, plan.memory_bytes, words_of(plan)});
    } else if (check.misfit) {
      all.push_back({name, {}, {}, 0, 0, *check.misfit});
    }
  }
  return all;
}

}  // namespace

std::vector<std::string> Brain::warnings(const Job& job) const {
  std::vector<std::string> all = state_.policy.budgets.warnings(state_.config, job.spec->account, state_.now);
  if (is_final(job.state)) return all;
  for (std::string& warning : training_warnings(state_, job.spec)) all.push_back(std::move(warning));
  return all;
}

Explanation Brain::explain(JobId id) const {
  Explanation explanation;
  explanation.job = id;
  auto it = state_.jobs.find(id);
  if (it == state_.jobs.end()) return explanation;
  const Job& job = it->second;
  explanation.state = job.state;
  if (job.reason != Reason::none) explanation.reasons.push_back(explain_reason(state_, job));
  if (job.state == JobState::pending) {
    explanation.jobs_ahead = static_cast<std::uint32_t>(state_.index.queue.ahead_of(job, rank_shift_now(state_)).jobs);
  }
  const Partition* partition = state_.find_partition(job.spec->partition);
  const Pool* pool = nullptr;
  if (!job.nodes.empty()) {
    pool = state_.find_pool_of_node(job.nodes.front().name);
  } else if (partition != nullptr && !partition->pools.empty()) {
    pool = state_.find_pool(partition->pools.front());
  }
  if (pool != nullptr) {
    explanation.expected_price = {price_for(pool->node_price(), expected_time(job.spec)).micro_usd * job.spec->nodes};
    explanation.price_per_hour = {pool->node_price().micro_usd * job.spec->nodes};
  }
  if (job.state == JobState::pending && partition != nullptr && comes_from_refusal(job.reason))
    explanation.retry_at = next_try(state_, *partition);
  explanation.placement = explain_placement(state_, job);
  explanation.training = explain_training(state_, job, pool);
  explanation.warnings = warnings(job);
  Forecast forecast = forecast_of(state_, job);
  explanation.expected_start = forecast.start;
  explanation.confidence = forecast.confidence;
  explanation.options = std::move(forecast.options);
  return explanation;
}

}  // namespace virga
