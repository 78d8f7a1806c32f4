#include "brain/job_change.hpp"

#include <vector>

#include "brain/policy/policy_state.hpp"
#include "brain/requests.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/lifecycle.hpp"
#include "core/binary.hpp"

namespace virga {
namespace {

/// `to` with what may change of a job at any time taken from `from`.
void take_words(JobSpec& to, const JobSpec& from) {
  to.name = from.name;
  to.comment = from.comment;
  to.nice = from.nice;
  to.priority = from.priority;
  to.requeue = from.requeue;
  to.array.limit = from.array.limit;
  to.time_limit = from.time_limit;
}

std::optional<Error> refusal_for(const State& state, const JobChanged& e, const Job& job) {
  const JobSpec& now = job.spec;
  if (is_final(job.state)) return Error{Code::conflict, "Job/step already completing or completed"};
  const bool is_other_job = e.spec.kind != now.kind || e.spec.array.tasks != now.array.tasks;
  if (is_other_job || e.spec.held != now.held) {
    return Error{Code::invalid, "Invalid job specification: its kind, its array and its hold stay as they are"};
  }
  if (job.state == JobState::pending) {
    const JobSubmitted again{job.owner, e.spec, {}};
    return specification_refusal(state, again, with_defaults(state, again));
  }
  JobSpec allowed = now;
  take_words(allowed, e.spec);
  if (encode(allowed) != encode(e.spec)) return Error{Code::conflict, "Job is no longer pending execution"};
  if (e.spec.time_limit > now.time_limit && !e.actor.is_operator) {
    return Error{Code::denied, "Access/permission denied: only operators give a running job more time"};
  }
  return std::nullopt;
}

/// Whether the moment from which the job may start follows from something else now.
bool moves_gate(const JobSpec& a, const JobSpec& b) {
  return a.dependencies != b.dependencies || a.any_dependency != b.any_dependency || a.begin != b.begin ||
         a.deadline != b.deadline || a.array.limit != b.array.limit;
}

}  // namespace

std::optional<Error> change_refusal(const State& state, const JobChanged& e) {
  std::optional<Error> first;
  for (JobId id : jobs_meant(state, e.job, e.task)) {
    std::optional<Error> refused = job_refusal(state, id, e.actor);
    if (!refused) refused = refusal_for(state, e, state.jobs.at(id));
    if (!refused) return std::nullopt;
    if (!first) first = std::move(refused);
  }
  return first ? first : Error{Code::not_found, "Invalid job id specified"};
}

std::uint64_t on_job_changed(Effects& fx, const JobChanged& e) {
  State& state = fx.state;
  std::vector<JobId> gates;
  for (JobId id : jobs_meant(state, e.job, e.task)) {
    if (job_refusal(state, id, e.actor)) continue;
    Job& job = state.jobs.at(id);
    if (refusal_for(state, e, job)) continue;
    if (job.state == JobState::pending) {
      if (!job.promised.empty()) break_promise(fx, job, Reason::priority, "");
      Shared<JobSpec> spec = with_defaults(state, {job.owner, e.spec, {}});
      const bool is_held = job.reason == Reason::held_user || job.reason == Reason::held_admin;
      if (!is_held && moves_gate(job.spec, spec)) gates.push_back(id);
      job.spec = std::move(spec);
      continue;
    }
    take_words(job.spec.edit(), e.spec);
    if (!job.started.is_set()) continue;
    const Duration limit = job.spec->time_limit;
    job.end_limit = limit.is_infinite() ? Time::never() : job.started + job.suspended_for + limit;
    if (job.end_limit.is_never() || job.end_limit - job.spec->warning.before_end > state.now) job.warned = false;
  }
  // What is counted of a job is counted by its specification: all of it is counted anew.
  state.rebuild_indices();
  for (JobId id : gates) set_gate(fx, state.jobs.at(id));
  review_waiting_jobs(fx);
  return 0;
}

}  // namespace virga
