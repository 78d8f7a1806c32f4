#include "brain/policy/dependencies.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"

namespace virga {

namespace {

/// Outcomes are dropped by the quarter, so that one pass over those that must stay serves many.
constexpr std::size_t k_outcomes_most = Dependencies::k_outcomes_kept + Dependencies::k_outcomes_kept / 4;

bool has_singleton(const JobSpec& spec) {
  return std::any_of(spec.dependencies.begin(), spec.dependencies.end(),
                     [](const Dependency& d) { return d.kind == DependencyKind::singleton; });
}

}  // namespace

std::string dependency_text(const Dependency& dependency) {
  std::string text(name_of(dependency.kind));
  if (dependency.kind == DependencyKind::singleton) return text;
  text += fmt::format(":{}", dependency.job.value);
  if (dependency.task != k_no_array_task) text += fmt::format("_{}", dependency.task);
  if (dependency.delay.ns != 0) text += fmt::format("+{}", dependency.delay.whole_seconds() / 60);
  return text;
}

std::optional<Error> Dependencies::refuse_each(const JobSpec& spec) const {
  if (spec.dependencies.size() > k_dependencies_max) {
    return Error{Code::invalid, fmt::format("Job dependency problem: {} dependencies; a job has at most {}",
                                            spec.dependencies.size(), k_dependencies_max)};
  }
  for (const Dependency& dependency : spec.dependencies) {
    if (dependency.kind == DependencyKind::singleton) continue;
    if (sum_of(dependency).total > 0) continue;
    const std::string text = dependency_text(dependency);
    if (dependency.job.value != 0 && dependency.job <= forgotten_) {
      return Error{Code::invalid,
                   fmt::format("Job dependency problem: {}: that job ended too long ago to be remembered; "
                               "leave the dependency out",
                               text)};
    }
    if (dependency.task != k_no_array_task && arrays_.contains(dependency.job)) {
      return Error{Code::invalid, fmt::format("Job dependency problem: {}: array {} has no task {}", text,
                                              dependency.job.value, dependency.task)};
    }
    return Error{Code::invalid, fmt::format("Job dependency problem: {}: there is no such job; give the id that sbatch "
                                            "printed",
                                            text)};
  }
  return std::nullopt;
}

std::optional<Error> Dependencies::refusal_of(const JobSpec& spec) const { return refuse_each(spec); }

/// The living jobs that this one waits for, whether or not they are decided already.
std::vector<JobId> Dependencies::waits_for(JobId job, const Living& living) const {
  std::vector<JobId> result;
  for (const Dependency& dependency : living.spec->dependencies) {
    if (dependency.kind == DependencyKind::singleton) {
      for (auto other = living_.begin(); other != living_.end() && other->first < job; ++other) {
        if (other->second.namesake() == living.namesake()) result.push_back(other->first);
      }
    } else if (const JobId twin = counterpart(living, dependency)) {
      result.push_back(twin);
    } else if (dependency.task == k_no_array_task && arrays_.contains(dependency.job)) {
      for (auto at = tasks_.lower_bound({dependency.job, 0}); at != tasks_.end() && at->first.first == dependency.job;
           ++at) {
        result.push_back(at->second);
      }
    } else if (dependency.task != k_no_array_task) {
      const auto task = tasks_.find({dependency.job, dependency.task});
      if (task != tasks_.end()) result.push_back(task->second);
    } else {
      result.push_back(dependency.job);
    }
  }
  return result;
}

std::optional<Error> Dependencies::refusal_of_change(JobId job, const JobSpec& spec) const {
  if (std::optional<Error> refused = refuse_each(spec)) return refused;
  const auto known = living_.find(job);
  if (known == living_.end()) return Error{Code::conflict, fmt::format("job {} waits no longer", job.value)};
  Living changed = known->second;
  changed.spec.edit().dependencies = spec.dependencies;
  std::vector<JobId> open = waits_for(job, changed);
  std::set<JobId> seen;
  while (!open.empty()) {
    const JobId at = open.back();
    open.pop_back();
    if (at == job) {
      return Error{Code::invalid, fmt::format("Job dependency problem: job {} would wait for itself", job.value)};
    }
    const auto next = living_.find(at);
    if (next == living_.end() || !seen.insert(at).second) continue;
    for (JobId further : waits_for(at, next->second)) open.push_back(further);
  }
  return std::nullopt;
}

void Dependencies::link(JobId job, const Living& living, bool add) {
  for (const Dependency& dependency : living.spec->dependencies) {
    if (dependency.kind == DependencyKind::singleton) continue;
    const std::pair edge(dependency.job, job);
    if (add) {
      ++dependents_[edge];
    } else if (--dependents_.at(edge) == 0) {
      dependents_.erase(edge);
    }
  }
}

void Dependencies::submitted(const Job& job) {
  Living living{job.spec, job.owner.uid, job.array_job, job.array_task};
  link(job.id, living, true);
  if (job.array_job) {
    tasks_.emplace(std::pair(job.array_job, job.array_task), job.id);
    Sum& sum = arrays_[job.array_job];
    ++sum.total;
    if (const auto begun = begun_.find(job.id); begun != begun_.end()) {
      ++sum.begun;
      sum.last_began = std::max(sum.last_began, begun->second);
    }
  }
  if (!living.spec->dependencies.empty()) changed_.insert(job.id);
  if (singletons_ > 0) namesakes_[living.namesake()].insert(job.id);
  living_.insert_or_assign(job.id, std::move(living));
  count_singleton(job.spec, true);
}

/// Who bears which name is of interest only as long as somebody waits for a name.
void Dependencies::count_singleton(const JobSpec& spec, bool add) {
  if (!has_singleton(spec)) return;
  singletons_ += add ? 1 : -1;
  if (singletons_ == 0) namesakes_.clear();
  if (!add || singletons_ > 1) return;
  for (const auto& [job, living] : living_) namesakes_[living.namesake()].insert(job);
}

void Dependencies::changed(const Job& job) {
  const auto known = living_.find(job.id);
  VIRGA_ASSERT(known != living_.end(), "only a living job's dependencies change");
  link(job.id, known->second, false);
  const Shared<JobSpec> before = std::exchange(known->second.spec, job.spec);
  link(job.id, known->second, true);
  count_singleton(job.spec, true);
  count_singleton(before, false);
  changed_.insert(job.id);
}

/// A dependency names a task by its array, or a job or array by its own id: all of these are keys of dependents_.
void Dependencies::tell(JobId named) {
  for (auto at = dependents_.lower_bound({named, JobId{}}); at != dependents_.end() && at->first.first == named; ++at) {
    changed_.insert(at->first.second);
  }
}

void Dependencies::began(JobId job, Time when) {
  const auto known = living_.find(job);
  if (known == living_.end() || !begun_.emplace(job, when).second) return;
  if (const JobId array = known->second.array) {
    Sum& sum = arrays_.at(array);
    ++sum.begun;
    sum.last_began = std::max(sum.last_began, when);
    tell(array);
  }
  tell(job);
}

void Dependencies::ended(JobId job, bool ok) {
  const auto known = living_.find(job);
  if (known == living_.end()) return;
  const Living living = std::move(known->second);
  living_.erase(known);
  link(job, living, false);
  changed_.erase(job);
  const auto begun = begun_.find(job);
  Outcome outcome{begun != begun_.end(), begun != begun_.end() ? begun->second : Time{}, ok, living.array, living.task};
  if (living.array) {
    Sum& sum = arrays_.at(living.array);
    if (!outcome.began) ++sum.begun;
    ++sum.ended;
    if (ok) ++sum.ok;
    tell(living.array);
  }
  begun_.erase(job);
  outcomes_.insert_or_assign(job, outcome);
  tell(job);
  if (singletons_ > 0) leave_namesakes(job, living);
  count_singleton(living.spec, false);
  if (outcomes_.size() > k_outcomes_most) forget_oldest();
}

void Dependencies::leave_namesakes(JobId job, const Living& living) {
  const auto namesakes = namesakes_.find(living.namesake());
  namesakes->second.erase(job);
  if (namesakes->second.empty()) {
    namesakes_.erase(namesakes);
    return;
  }
  const JobId first = *namesakes->second.begin();  // only the first of them can have become free
  if (has_singleton(living_.at(first).spec)) changed_.insert(first);
}

bool Dependencies::is_forgettable(JobId job, const Outcome& outcome) const {
  const auto is_named = [&](JobId id) {
    const auto at = dependents_.lower_bound({id, JobId{}});
    return at != dependents_.end() && at->first.first == id;
  };
  if (is_named(job)) return false;
  if (!outcome.array) return true;
  const Sum& sum = arrays_.at(outcome.array);
  return sum.ended == sum.total && !is_named(outcome.array);
}

/// The oldest that nobody waits for; an array goes as a whole, so that what is known of it is never half the truth.
void Dependencies::forget_oldest() {
  for (auto at = outcomes_.begin(); at != outcomes_.end() && outcomes_.size() > k_outcomes_kept;) {
    const JobId array = at->second.array;
    if (!is_forgettable(at->first, at->second)) {
      ++at;
      continue;
    }
    if (!array) {
      forgotten_ = std::max(forgotten_, at->first);
      at = outcomes_.erase(at);
      continue;
    }
    const JobId here = at->first;
    bool whole = true;
    const auto first = tasks_.lower_bound({array, 0});
    auto last = first;
    for (; last != tasks_.end() && last->first.first == array; ++last) {
      whole = whole && is_forgettable(last->second, outcomes_.at(last->second));
    }
    if (!whole) {
      ++at;
      continue;
    }
    for (auto task = first; task != last; ++task) {
      forgotten_ = std::max(forgotten_, task->second);
      outcomes_.erase(task->second);
    }
    tasks_.erase(first, last);
    arrays_.erase(array);
    at = outcomes_.lower_bound(here);
  }
}

void Dependencies::rebuild() {
  living_.clear();
  dependents_.clear();
  singletons_ = 0;
  namesakes_.clear();
  arrays_.clear();
  tasks_.clear();
  changed_.clear();
  for (const auto& [job, outcome] : outcomes_) {
    if (!outcome.array) continue;
    tasks_.emplace(std::pair(outcome.array, outcome.task), job);
    Sum& sum = arrays_[outcome.array];
    ++sum.total;
    ++sum.begun;
    ++sum.ended;
    if (outcome.ok) ++sum.ok;
    sum.last_began = std::max(sum.last_began, outcome.began_at);
  }
}

Dependencies::Sum Dependencies::sum_of_job(JobId job) const {
  if (const auto ended = outcomes_.find(job); ended != outcomes_.end()) {
    return {1, 1, 1, ended->second.ok ? 1U : 0U, ended->second.began_at};
  }
  if (!living_.contains(job)) return {};
  const auto begun = begun_.find(job);
  if (begun == begun_.end()) return {.total = 1};
  return {.total = 1, .begun = 1, .last_began = begun->second};
}

Dependencies::Sum Dependencies::sum_of(const Dependency& dependency) const {
  if (dependency.task != k_no_array_task) {
    const auto task = tasks_.find({dependency.job, dependency.task});
    return task != tasks_.end() ? sum_of_job(task->second) : Sum{};
  }
  const auto array = arrays_.find(dependency.job);
  return array != arrays_.end() ? array->second : sum_of_job(dependency.job);
}

/// With aftercorr, the task of the other array that bears the number of this one; none where there is no such task.
JobId Dependencies::counterpart(const Living& living, const Dependency& dependency) const {
  if (dependency.kind != DependencyKind::aftercorr || !living.array) return {};
  const auto task = tasks_.find({dependency.job, living.task});
  return task != tasks_.end() ? task->second : JobId{};
}

DependencyAnswer Dependencies::answer_of(JobId job, const Living& living, const Dependency& dependency) const {
  using Kind = DependencyAnswer::Kind;
  const auto answer = [&](bool satisfied, bool never) -> DependencyAnswer {
    if (satisfied) return {};
    return {never ? Kind::never : Kind::waiting, {}, dependency_text(dependency)};
  };
  if (dependency.kind == DependencyKind::singleton) {
    return answer(*namesakes_.at(living.namesake()).begin() == job, false);
  }
  const JobId twin = counterpart(living, dependency);
  const Sum sum = twin ? sum_of_job(twin) : sum_of(dependency);
  const bool all_ended = sum.ended == sum.total;
  switch (dependency.kind) {
    case DependencyKind::after: {
      DependencyAnswer after = answer(sum.begun == sum.total, false);
      if (after.kind == Kind::satisfied && sum.last_began.is_set()) after.from = sum.last_began + dependency.delay;
      return after;
    }
    case DependencyKind::afterany:
      return answer(all_ended, false);
    case DependencyKind::afterok:
    case DependencyKind::aftercorr:
      return answer(sum.ok == sum.total, sum.ok < sum.ended);
    case DependencyKind::afternotok:
      return answer(all_ended && sum.ok < sum.total, all_ended);
    case DependencyKind::singleton:
      break;
  }
  return {};
}

DependencyAnswer Dependencies::answer_of(JobId job) const {
  using Kind = DependencyAnswer::Kind;
  const auto known = living_.find(job);
  if (known == living_.end() || known->second.spec->dependencies.empty()) return {};
  const Living& living = known->second;
  const bool any = living.spec->any_dependency;
  DependencyAnswer sum{any ? Kind::never : Kind::satisfied, {}, ""};
  for (const Dependency& dependency : living.spec->dependencies) {
    DependencyAnswer one = answer_of(job, living, dependency);
    if (any) {
      if (sum.kind == Kind::satisfied) {
        if (one.kind == Kind::satisfied) sum.from = std::min(sum.from, one.from);
      } else if (one.kind == Kind::satisfied || sum.detail.empty() || one.kind == Kind::waiting) {
        sum = std::move(one);
      }
    } else if (one.kind == Kind::never) {
      return one;
    } else if (one.kind == Kind::waiting) {
      if (sum.kind == Kind::satisfied) sum = std::move(one);
    } else if (sum.kind == Kind::satisfied) {
      sum.from = std::max(sum.from, one.from);
    }
  }
  return sum;
}

std::vector<JobId> Dependencies::take_changed() {
  std::vector<JobId> result(changed_.begin(), changed_.end());
  changed_.clear();
  return result;
}

}  // namespace virga
