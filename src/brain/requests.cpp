#include "brain/requests.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/fleet/fleet.hpp"
#include "brain/fleet/foreign.hpp"
#include "brain/fleet/health.hpp"
#include "brain/job_change.hpp"
#include "brain/policy/admission.hpp"
#include "brain/policy/policy_state.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/lifecycle.hpp"
#include "core/array.hpp"
#include "core/foreign.hpp"

namespace virga {

namespace {

constexpr std::uint32_t k_nodes_max = 100'000;
constexpr std::uint32_t k_tasks_max = 10'000'000;

std::string idempotency_name(const JobSubmitted& e) { return fmt::format("{}/{}", e.actor.uid, e.idempotency_key); }

const JobId* known_submission(const State& state, const JobSubmitted& e) {
  if (e.idempotency_key.empty()) return nullptr;
  auto it = state.idempotency.find(idempotency_name(e));
  return it != state.idempotency.end() ? &it->second : nullptr;
}

Error no_such_job(JobId id) { return {Code::not_found, fmt::format("Invalid job id specified: {}", id.value)}; }

/// The job, if it exists and the actor may change it.
Result<const Job*> job_for(const State& state, JobId id, const Actor& actor) {
  auto it = state.jobs.find(id);
  if (it == state.jobs.end()) return unexpected(no_such_job(id));
  if (!actor.is_operator && it->second.owner.uid != actor.uid) {
    return fail(Code::denied,
                fmt::format("Access/permission denied: job {} belongs to {}", id.value, it->second.owner.user));
  }
  return &it->second;
}

bool is_running_step(const Job& job, std::uint32_t id) {
  return std::any_of(job.steps.begin(), job.steps.end(),
                     [&](const Step& step) { return step.id == id && step.state == JobState::running; });
}

std::vector<JobId> targets_of(const State& state, const JobActed& e) { return jobs_meant(state, e.job, e.task); }

std::optional<Error> action_refusal(const State& state, const JobActed& e, JobId id) {
  Result<const Job*> job = job_for(state, id, e.actor);
  if (!job) return job.error();
  const JobState s = (*job)->state;
  if (is_final(s)) return Error{Code::conflict, "Job/step already completing or completed"};
  switch (e.action) {
    case JobAction::cancel:
      return std::nullopt;
    case JobAction::hold:
    case JobAction::release:
      if (s != JobState::pending) return Error{Code::conflict, "Job is no longer pending execution"};
      if (e.action == JobAction::release && (*job)->reason == Reason::held_admin && !e.actor.is_operator) {
        return Error{Code::denied, "Access/permission denied: an operator held this job"};
      }
      return std::nullopt;
    case JobAction::user_hold:
      if (s != JobState::pending) return Error{Code::conflict, "Job is no longer pending execution"};
      return std::nullopt;
    case JobAction::requeue:
    case JobAction::requeue_hold:
      if (!(*job)->spec->requeue) {
        return Error{Code::conflict, "Requested operation is presently disabled: the job may not be requeued"};
      }
      if ((*job)->spec->kind != JobKind::batch || s == JobState::pending || s == JobState::completing) {
        return Error{Code::conflict, "Requested operation is presently disabled: only a running batch job is requeued"};
      }
      return std::nullopt;
    case JobAction::signal:
      if (e.signal < 1 || e.signal > 64) return Error{Code::invalid, fmt::format("no such signal: {}", e.signal)};
      if (s != JobState::running) return Error{Code::conflict, "Job is not running"};
      if ((*job)->suspended.is_set()) return Error{Code::conflict, "Job is suspended"};
      if (e.step != k_no_step && !is_running_step(**job, e.step)) {
        return Error{Code::not_found, fmt::format("Invalid job id specified: step {}.{}", id.value, e.step)};
      }
      return std::nullopt;
    case JobAction::suspend:
    case JobAction::resume:
      if (!e.actor.is_operator) return Error{Code::denied, "Access/permission denied: only operators suspend jobs"};
      if (s == JobState::pending) return Error{Code::conflict, "Job is pending execution"};
      if (s != JobState::running) return Error{Code::conflict, "Requested operation is presently disabled"};
      if (e.action == JobAction::resume && !(*job)->suspended.is_set()) {
        return Error{Code::conflict, "Job is not suspended"};
      }
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::vector<JobId> jobs_meant(const State& state, JobId job, std::uint32_t task) {
  // The tasks of an array have ids without gaps from the array's own on; the first ones may have left the state.
  auto at = state.jobs.lower_bound(job);
  const bool is_array = at != state.jobs.end() && at->second.array_job == job;
  if (task != k_no_array_task) {
    const std::optional<std::uint32_t> n = is_array ? number_of_array_task(at->second.spec->array, task) : std::nullopt;
    if (!n || !state.jobs.contains({job.value + *n})) return {};
    return {{job.value + *n}};
  }
  if (!is_array) return {job};
  std::vector<JobId> targets;
  for (; at != state.jobs.end() && at->second.array_job == job; ++at) targets.push_back(at->first);
  return targets;
}

std::optional<Error> job_refusal(const State& state, JobId id, const Actor& actor) {
  Result<const Job*> job = job_for(state, id, actor);
  return job ? std::nullopt : std::optional<Error>(job.error());
}

Shared<JobSpec> with_defaults(const State& state, const JobSubmitted& e) {
  Shared<JobSpec> shared;
  JobSpec& spec = shared.copy(e.spec);
  for (const Partition& partition : state.config.partitions) {
    if (spec.partition.empty() && partition.is_default) spec.partition = partition.name;
    if (spec.partition == partition.name && spec.time_limit.is_infinite()) spec.time_limit = partition.default_time;
  }
  spec.nodes = std::max<std::uint32_t>(spec.nodes, 1);
  spec.cpus_per_task = std::max<std::uint32_t>(spec.cpus_per_task, 1);
  const std::uint32_t on_node =
      spec.tasks_per_node != 0 ? spec.tasks_per_node : (spec.tasks + spec.nodes - 1) / spec.nodes;
  if (spec.per_node.cpus == 0) spec.per_node.cpus = on_node * spec.cpus_per_task;
  add_policy_defaults(state.config, e.actor, spec);
  return shared;
}

namespace {

std::optional<Error> submission_refusal(const State& state, const JobSubmitted& e, const JobSpec& spec) {
  if (state.jobs.size() + (array_mistake(e.spec.array) == nullptr ? jobs_of(e.spec) : 1) >
      state.config.max_jobs + state.index.ended.size()) {
    return Error{Code::exhausted, fmt::format("the queue is full: {} jobs (max_jobs)", state.config.max_jobs), true};
  }
  return specification_refusal(state, e, spec);
}

}  // namespace

std::optional<Error> specification_refusal(const State& state, const JobSubmitted& e, const JobSpec& spec) {
  if (spec.partition.empty()) return Error{Code::invalid, "no partition given, and no partition is the default"};
  const Partition* partition = state.find_partition(spec.partition);
  if (partition == nullptr) return Error{Code::invalid, "invalid partition specified: " + spec.partition};
  if (!partition->takes_jobs) {
    return Error{Code::refused, "Required partition not available (inactive or drain)"};
  }
  if (spec.priority != k_no_priority && spec.priority != 0 && !e.actor.is_operator) {
    return Error{Code::denied, "Access/permission denied: only operators choose priorities"};
  }
  if (e.spec.nodes < 1 || e.spec.nodes > k_nodes_max) {
    return Error{Code::invalid, fmt::format("Invalid node count specified: {}", e.spec.nodes)};
  }
  if (e.spec.tasks < 1 || e.spec.tasks > k_tasks_max || e.spec.cpus_per_task < 1) {
    return Error{Code::invalid, fmt::format("Invalid task count specified: {}", e.spec.tasks)};
  }
  if (spec.time_limit > partition->max_time) {
    return Error{Code::refused,
                 fmt::format("Requested time limit is invalid (missing or exceeds some limit): partition "
                             "{} allows {} minutes",
                             spec.partition, partition->max_time.whole_seconds() / 60)};
  }
  if (!spec.work_dir.starts_with('/'))
    return Error{Code::invalid, "work_dir must be an absolute path: " + spec.work_dir};
  if (std::optional<Error> mistake = placement_mistake(state, spec)) return mistake;
  if (spec.time_min > spec.time_limit) {
    return Error{Code::invalid, "Invalid time-min specification (exceeds job's time or other limits)"};
  }
  if (std::optional<Error> never = never_fits(state, spec)) return never;
  return policy_refusal(state, spec, e.actor);
}

namespace {

struct Refuse {
  const State& state;
  Shared<JobSpec>& spec;

  std::optional<Error> operator()(const JobSubmitted& e) const {
    if (known_submission(state, e) != nullptr) return std::nullopt;
    spec = with_defaults(state, e);
    return submission_refusal(state, e, spec);
  }
  /// An action on an array is granted if it is for one of the tasks.
  std::optional<Error> operator()(const JobActed& e) const {
    std::optional<Error> first;
    for (JobId id : targets_of(state, e)) {
      std::optional<Error> refused = action_refusal(state, e, id);
      if (!refused) return std::nullopt;
      if (!first) first = std::move(refused);
    }
    return first ? first : no_such_job(e.job);
  }
  std::optional<Error> operator()(const JobChanged& e) const { return change_refusal(state, e); }
  std::optional<Error> operator()(const NodeUpdated& e) const {
    if (!e.actor.is_operator) return Error{Code::denied, "Access/permission denied: only operators change nodes"};
    if (state.find_pool_of_node(e.node) == nullptr)
      return Error{Code::not_found, "Invalid node name specified: " + e.node};
    return std::nullopt;
  }
  std::optional<Error> operator()(const PartitionUpdated& e) const {
    if (!e.actor.is_operator) return Error{Code::denied, "Access/permission denied: only operators change partitions"};
    if (state.find_partition(e.partition) == nullptr) {
      return Error{Code::not_found, "Invalid partition name specified: " + e.partition};
    }
    return std::nullopt;
  }
  std::optional<Error> running_job(JobId id, const Actor& actor) const {
    Result<const Job*> job = job_for(state, id, actor);
    if (!job) return job.error();
    if ((*job)->state != JobState::running && (*job)->state != JobState::configuring) {
      return Error{Code::conflict, fmt::format("Job {} is not running", id.value)};
    }
    return std::nullopt;
  }
  std::optional<Error> operator()(const StepStarted& e) const {
    if (std::optional<Error> refused = running_job(e.job, e.actor)) return refused;
    const Job& job = state.jobs.at(e.job);
    if (e.nodes > job.spec->nodes) {
      return Error{Code::refused,
                   fmt::format("More processors requested than permitted: {} nodes asked for, job {} has {}", e.nodes,
                               e.job.value, job.spec->nodes)};
    }
    return std::nullopt;
  }
  std::optional<Error> operator()(const StepEnded& e) const {
    Result<const Job*> job = job_for(state, e.job, e.actor);
    if (!job) return job.error();
    return std::nullopt;
  }
  std::optional<Error> operator()(const CheckpointDone& e) const { return running_job(e.job, e.actor); }
  std::optional<Error> operator()(const ShutdownRequested& e) const {
    if (!e.actor.is_operator) return Error{Code::denied, "Access/permission denied: only operators take it down"};
    if (!e.cancel_jobs && !state.index.living.empty()) {
      return Error{Code::conflict,
                   fmt::format("{} jobs hold nodes: wait for them, or cancel them", state.index.living.size())};
    }
    if (const std::size_t nodes = count_occupied(state); !e.cancel_jobs && nodes > 0) {
      return Error{Code::conflict,
                   fmt::format("jobs that came past Virga are on {} nodes: wait for them, or cancel them", nodes)};
    }
    return std::nullopt;
  }
  std::optional<Error> operator()(const ConfigChanged& e) const {
    for (const auto& entry : state.vms) {
      const Vm& vm = entry.second;  // clang 14 cannot capture a structured binding
      const Pool* old_pool = state.find_pool(vm.pool);
      auto now =
          std::find_if(e.config.pools.begin(), e.config.pools.end(), [&](const Pool& p) { return p.name == vm.pool; });
      if (old_pool == nullptr || now == e.config.pools.end()) {
        return Error{Code::conflict, fmt::format("pool {} still has node {}: it cannot go away now", vm.pool, vm.name)};
      }
      if (now->sku.resources != old_pool->sku.resources || now->node_prefix != old_pool->node_prefix ||
          now->max_nodes < old_pool->max_nodes) {
        return Error{Code::conflict,
                     fmt::format("pool {} still has node {}: its SKU, names and size can only change (and its "
                                 "size shrink) when it is empty",
                                 vm.pool, vm.name)};
      }
      const bool has_mounts = !old_pool->shared_files && e.config.storage != state.config.storage;
      if (now->shared_files != old_pool->shared_files || has_mounts) {
        return Error{Code::conflict, fmt::format("pool {} still has node {}: what its nodes mount can only change when "
                                                 "it is empty",
                                                 vm.pool, vm.name)};
      }
    }
    return std::nullopt;
  }
  template <class Fact>
  std::optional<Error> operator()(const Fact&) const {
    return std::nullopt;
  }
};

}  // namespace

Admission admit(const State& state, const EventBody& body) {
  Admission admission;
  admission.refused = std::visit(Refuse{state, admission.spec}, body);
  return admission;
}

std::uint64_t on_job_submitted(Effects& fx, const JobSubmitted& e, const Shared<JobSpec>& shared) {
  State& state = fx.state;
  if (const JobId* known = known_submission(state, e)) return known->value;
  const JobSpec& spec = *shared;
  const JobId first = state.next_job();
  if (!e.idempotency_key.empty()) state.idempotency.emplace(idempotency_name(e), first);
  const std::uint32_t count = jobs_of(spec);
  for (std::uint32_t i = 0; i < count; ++i) {
    const JobId id = state.last_job = state.next_job();
    Job& job = state.jobs.emplace(id).first->second;
    job.id = id;
    if (!spec.array.tasks.empty()) {
      job.array_job = first;
      job.array_task = nth_array_task(spec.array, i);
    }
    job.eligible = spec.held ? state.now : Time::never();  // a closed gate, until it is looked at
    job.reason = spec.held ? Reason::held_user : Reason::priority;
    job.spec = shared;  // of all tasks of an array
    job.owner = e.actor;
    job.submitted_at_seq = state.seq;
    job.submitted = state.now;
    index_job(state, job);
    if (!spec.held) set_gate(fx, job);
  }
  return first.value;
}

namespace {

void act_on(Effects& fx, const JobActed& e, Job& job) {
  const bool own = job.owner.uid == e.actor.uid;
  switch (e.action) {
    case JobAction::cancel:
      if (job.state == JobState::pending) {
        finish_job(fx, job, JobState::cancelled, Reason::cancelled, "cancelled by " + e.actor.user);
      } else {
        begin_ending(fx, job, {.detail = "cancelled by " + e.actor.user});
      }
      break;
    case JobAction::hold:
      break_promise(fx, job, own ? Reason::held_user : Reason::held_admin, "held by " + e.actor.user);
      break;
    case JobAction::release:
      if (job.reason != Reason::held_user && job.reason != Reason::held_admin) break;  // its age stays what it is
      unindex_job(fx.state, job);
      job.reason = Reason::priority;
      job.eligible = Time::never();
      index_job(fx.state, job);
      set_gate(fx, job);
      break;
    case JobAction::user_hold:
      break_promise(fx, job, Reason::held_user, "held by " + e.actor.user);
      break;
    case JobAction::requeue:
    case JobAction::requeue_hold:
      job.hold_after_end = e.action == JobAction::requeue_hold;
      begin_ending(fx, job,
                   {.state = JobState::cancelled,
                    .reason = Reason::requeued,
                    .detail = "requeued by " + e.actor.user,
                    .requeue = true});
      break;
    case JobAction::signal:
      fx.emit(SignalJob{job.id, job.incarnation, e.signal, e.batch_shell_only, e.step, e.whole_job});
      break;
    case JobAction::suspend:
      if (!job.suspended.is_set()) suspend_job(fx, job);
      break;
    case JobAction::resume:
      resume_job(fx, job);
      break;
  }
}

}  // namespace

std::uint64_t on_job_acted(Effects& fx, const JobActed& e) {
  for (JobId id : targets_of(fx.state, e)) {
    if (!action_refusal(fx.state, e, id)) act_on(fx, e, fx.state.jobs.at(id));
  }
  return 0;
}

std::uint64_t on_node_updated(Effects& fx, const NodeUpdated& e) {
  if (is_engine(e.actor)) {
    on_foreign_jobs(fx, e);
    return 0;
  }
  if (e.drained) {
    fx.state.node_marks[e.node] = {true, e.reason, e.actor, fx.state.now};
  } else {
    fx.state.node_marks.erase(e.node);
  }
  std::uint32_t number = 0;
  const Pool* pool = fx.state.find_pool_of_node(e.node, &number);
  const VmId there = fx.state.index.pools[fx.state.number_of_pool(pool->name)].vm_at(number - 1);
  if (!there) index_absent_node(fx.state, *pool, number);
  if (there) {
    Vm& vm = fx.state.vms.at(there);
    const bool occupied = is_occupied(vm);  // which no operator's word ends
    vm.drained = e.drained || occupied;
    if (!occupied) vm.drain_reason = e.drained && !is_foreign_reason(e.reason) ? e.reason : "";
    if (!e.drained) end_quarantine(fx.state, vm);
    index_vm(fx.state, vm);
  }
  return 0;
}

std::uint64_t on_partition_updated(Effects& fx, const PartitionUpdated& e) {
  for (Partition& partition : fx.state.config.partitions) {
    if (partition.name != e.partition) continue;
    partition.up = e.up;
    partition.takes_jobs = e.takes_jobs;
    partition.max_time = e.max_time;
    partition.default_time = e.default_time;
  }
  fx.state.rebuild_indices();
  review_waiting_jobs(fx);
  return 0;
}

std::uint64_t on_step_started(Effects& fx, const StepStarted& e) {
  Step step;
  step.name = e.name;
  step.nodes = e.nodes;
  step.tasks = e.tasks;
  step.started = fx.state.now;
  return add_step(fx.state.jobs.at(e.job), std::move(step));
}

std::uint64_t on_step_ended(Effects& fx, const StepEnded& e) {
  Job& job = fx.state.jobs.at(e.job);
  bool found = false;
  for (Step& step : job.steps) {
    // A step whose job ended first was closed as cancelled; its own word about its exit is better.
    if (step.id != e.step) continue;
    found = true;
    step.state = e.exit.ok() ? JobState::completed : JobState::failed;
    if (!step.ended.is_set()) step.ended = fx.state.now;
    step.exit = e.exit;
    step.usage = e.usage;
  }
  if (found && is_final(job.state)) fx.emit(ArchiveJob{job});
  return 0;
}

std::uint64_t on_checkpoint_done(Effects& fx, const CheckpointDone& e) {
  Checkpoint& checkpoint = fx.state.jobs.at(e.job).checkpoint;
  checkpoint = {.at = fx.state.now, .step = e.step, .bytes = e.bytes, .count = checkpoint.count + 1};
  return checkpoint.count;
}

std::uint64_t on_shutdown_requested(Effects& fx, const ShutdownRequested& e) {
  fx.state.shutting_down = true;
  for (auto& [id, job] : fx.state.jobs) {
    // What the cloud still grants goes back as soon as it is there.
    if (!job.promised.empty()) break_promise(fx, job, Reason::shutting_down, "");
  }
  review_waiting_jobs(fx);
  const IdSet<JobId> living = fx.state.index.living;  // ending changes it
  for (JobId id : living) begin_ending(fx, fx.state.jobs.at(id), {.detail = "cancelled by shutdown"});
  (void)e;
  return 0;
}

std::uint64_t on_config_changed(Effects& fx, const ConfigChanged& e) {
  fx.state.config = e.config;
  // Somebody may have mended what a cloud refused, so it is asked again at once; but one that asked us to wait is not.
  std::erase_if(fx.state.backoffs, [](const auto& b) { return b.second.refusal != Refusal::throttled; });
  fx.state.rebuild_indices();
  give_back_beyond_budget(fx);
  review_waiting_jobs(fx);
  return 0;
}

std::uint64_t on_controller_started(Effects& fx, const ControllerStarted&) {
  // A cloud's own settings are those of the start.
  std::erase_if(fx.state.backoffs, [](const auto& b) { return b.second.refusal == Refusal::setup; });
  if (!fx.state.shutting_down) return 0;
  fx.state.shutting_down = false;
  review_waiting_jobs(fx);
  return 0;
}

}  // namespace virga
