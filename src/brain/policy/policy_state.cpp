#include "brain/policy/policy_state.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/effects.hpp"
#include "brain/policy/ranking.hpp"
#include "brain/policy/start_rules.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/lifecycle.hpp"

namespace virga {

namespace {

bool is_held(const Job& job) { return job.reason == Reason::held_user || job.reason == Reason::held_admin; }

}  // namespace

Time last_start_of(const JobSpec& spec) {
  if (!spec.deadline.is_set() || spec.time_limit.is_infinite()) return Time::never();
  return spec.deadline - spec.time_limit;
}

void PolicyState::place(Job& job, ArrayPlace place) {
  if (!job.array_job || job.spec->array.limit == 0 || job.counted.place == place) return;
  Array& array = arrays_[job.array_job];
  if (job.counted.place == ArrayPlace::open) {
    --array.open;
    freed_arrays_.insert(job.array_job);
  }
  if (job.counted.place == ArrayPlace::gated) array.gated.erase(job.id);
  if (place == ArrayPlace::open) ++array.open;
  if (place == ArrayPlace::gated) {
    array.gated.insert(job.id);
    if (array.open < job.spec->array.limit) freed_arrays_.insert(job.array_job);
  }
  job.counted.place = place;
  if (array.open == 0 && array.gated.empty()) arrays_.erase(job.array_job);
}

void PolicyState::sync(Job& job) {
  PolicyCount& counted = job.counted;
  if (!counted.known) {
    if (is_final(job.state)) return;
    counted.known = true;
    limits.add_queued(limited_job(job.spec, job.owner.uid));
    dependencies.submitted(job);
  }
  const bool running = holds_nodes(job.state) || !job.promised.empty();
  if (running != counted.running) count_nodes(job, running);
  // Not while completing: JobStarted may come too late to be a beginning, and after a restart that could not be told.
  if (job.state == JobState::running && !counted.began) {
    counted.began = true;
    dependencies.began(job.id, job.started);
  }
  const bool pending = job.state == JobState::pending;
  const bool gated = pending && job.reason == Reason::array_limit;
  const bool open = !is_final(job.state) && !(pending && (is_held(job) || job.eligible.is_never()));
  place(job, gated ? ArrayPlace::gated : open ? ArrayPlace::open : ArrayPlace::none);
  const Time last_start = pending ? last_start_of(job.spec) : Time::never();
  if (last_start != counted.last_start) {
    last_starts_.erase({counted.last_start, job.id});
    if (!last_start.is_never()) last_starts_.emplace(last_start, job.id);
    counted.last_start = last_start;
  }
  if (!is_final(job.state)) return;
  limits.remove_queued(limited_job(job.spec, job.owner.uid));
  dependencies.ended(job.id, job.state == JobState::completed);
  counted = {};
}

void PolicyState::count_nodes(Job& job, bool running) {
  job.counted.running = running;
  if (running) {
    limits.add_running(limited_job(job.spec, job.owner.uid));
  } else {
    limits.remove_running(limited_job(job.spec, job.owner.uid));
    note_room();
  }
  if (!counts_nodes_) return;
  std::uint32_t& held = nodes_held_[{job.spec->partition, job.spec->reservation}];
  held = running ? held + job.spec->nodes : held - job.spec->nodes;
}

bool PolicyState::take_room(const Config& config, Time now) {
  const bool changed = now >= next_change_;
  if (changed) next_change_ = next_policy_change(config, now);
  return std::exchange(has_room_, false) || changed;
}

std::uint32_t PolicyState::nodes_held(const std::string& partition, const std::string& reservation) const {
  const auto held = nodes_held_.find({partition, reservation});
  return held != nodes_held_.end() ? held->second : 0;
}

void PolicyState::rebuild(const Config& config, Time now, IdMap<JobId, Job>& jobs) {
  limits = Limits(config);
  counts_nodes_ = !config.reservations.empty();
  nodes_held_.clear();
  more_aside = false;
  next_change_ = next_policy_change(config, now);
  arrays_.clear();
  freed_arrays_.clear();
  last_starts_.clear();
  dependencies.rebuild();
  for (auto& [id, job] : jobs) {
    job.counted = {};
    sync(job);
  }
  has_room_ = false;
}

bool PolicyState::array_has_room(const Job& job) const {
  const auto array = arrays_.find(job.array_job);
  return job.spec->array.limit == 0 || array == arrays_.end() || array->second.open < job.spec->array.limit;
}

JobId PolicyState::next_gated(JobId array) const {
  const auto found = arrays_.find(array);
  return found != arrays_.end() && !found->second.gated.empty() ? *found->second.gated.begin() : JobId{};
}

void set_gate(Effects& fx, Job& job) {
  State& state = fx.state;
  unindex_job(state, job);
  const DependencyAnswer answer = state.policy.dependencies.answer_of(job.id);
  const auto close = [&](Reason reason, std::string detail) {
    job.reason = reason;
    job.detail = std::move(detail);
    job.eligible = Time::never();
  };
  if (answer.kind == DependencyAnswer::Kind::never) {
    const bool is_news = job.reason != Reason::dependency_never;
    close(Reason::dependency_never, answer.detail);
    if (is_news) send_mail(fx, job, k_mail_invalid_dependency);
  } else if (answer.kind == DependencyAnswer::Kind::waiting) {
    close(Reason::dependency, answer.detail);
  } else if (job.array_job && !state.policy.array_has_room(job)) {
    close(Reason::array_limit,
          fmt::format("{} tasks of array {} at a time", job.spec->array.limit, job.array_job.value));
  } else {
    job.eligible = std::max({state.now, job.spec->begin, answer.from});
    job.reason = job.eligible > state.now ? Reason::begin_time : Reason::priority;
    job.detail.clear();
    note_priority(state, job);
    review_waiting_job(state, job);
  }
  index_job(state, job);
}

bool apply_gates(Effects& fx) {
  State& state = fx.state;
  if (!state.policy.has_gates_to_look_at()) return false;
  bool changed = false;
  while (!state.policy.last_starts().empty() && state.policy.last_starts().begin()->first < state.now) {
    Job& job = state.jobs.at(state.policy.last_starts().begin()->second);
    finish_job(fx, job, JobState::deadline, Reason::deadline, "it could not end before its deadline any more");
    changed = true;
  }
  for (JobId id : state.policy.dependencies.take_changed()) {
    Job& job = state.jobs.at(id);
    if (job.state != JobState::pending || is_held(job) || !job.eligible.is_never()) continue;
    set_gate(fx, job);
    if (job.reason == Reason::dependency_never && job.spec->kill_on_invalid_dep) {
      finish_job(fx, job, JobState::cancelled, Reason::dependency_never, job.detail);
    }
    changed = true;
  }
  for (JobId array : state.policy.take_freed_arrays()) {
    while (const JobId id = state.policy.next_gated(array)) {
      if (!state.policy.array_has_room(state.jobs.at(id))) break;
      set_gate(fx, state.jobs.at(id));
      changed = true;
    }
  }
  return changed;
}

}  // namespace virga
