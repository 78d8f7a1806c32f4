// Which jobs wait for which: Slurm's --dependency.
//
//   Dependencies graph;
//   if (auto error = graph.refusal_of(spec)) refuse(*error);   // unknown job, job forgotten
//   graph.submitted(job);                     // every job, also one without dependencies: others may name it
//   graph.began(job.id, now);  graph.ended(job.id, ok);
//   for (JobId id : graph.take_changed()) …   // whose answer may be another one now
//   DependencyAnswer answer = graph.answer_of(id);     // waiting, satisfied (from a time on), never
//
// A dependency on an array's id means all its tasks; Dependency::task names a single one.
//   after       all have begun, or were ended before that; `delay` after the last beginning
//   afterany    all have ended
//   afterok     all have ended well; never, once one has not
//   afternotok  all have ended and one not well; never, if all ended well
//   singleton   every earlier job of the same user and name has ended
// All must be satisfied; with `any_dependency` (Slurm's `?`) one. A job that is requeued has not ended.
//
// What became of the last k_outcomes_kept jobs is remembered after they left the state, and is all that is stored
// (visit()); on a restart the living jobs are submitted again, with began() and ended() as far as they came.
// submitted(), began(), ended(): O(log n) and the dependents of the job; answer_of(): O(log n) for each dependency.
// Source of the words: sbatch(1) of Slurm 22.05.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/id_map.hpp"
#include "base/result.hpp"
#include "base/shared.hpp"
#include "core/job.hpp"

namespace virga {

struct DependencyAnswer {
  enum class Kind : std::uint8_t { waiting, satisfied, never };
  Kind kind = Kind::satisfied;
  Time from;           ///< of a satisfied one: not before this (a delay after the beginning of another)
  std::string detail;  ///< of the others: the one that it is because of, such as "afterok:12"
};

/// "afterok:12", "after:12+5", "afterany:12_3", "singleton": as Slurm writes it.
std::string dependency_text(const Dependency& dependency);

class Dependencies {
 public:
  static constexpr std::size_t k_outcomes_kept = 100'000;
  static constexpr std::size_t k_dependencies_max = 1'000;  ///< of one job

  /// What is wrong with the dependencies of a new job.
  std::optional<Error> refusal_of(const JobSpec& spec) const;
  /// The same for new dependencies of a job that is there: they may not lead back to it.
  std::optional<Error> refusal_of_change(JobId job, const JobSpec& spec) const;

  void submitted(const Job& job);
  void changed(const Job& job);  ///< its spec's dependencies are others now
  void began(JobId job, Time at);
  void ended(JobId job, bool ok);

  DependencyAnswer answer_of(JobId job) const;
  bool has_changed() const { return !changed_.empty(); }
  /// Waiting jobs whose answer may have changed since the last call, ascending.
  std::vector<JobId> take_changed();

  /// After loading: what is derived from the memory. Then come submitted() for each living job.
  void rebuild();

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("outcomes", s.outcomes_);
    v("begun", s.begun_);
    v("forgotten", s.forgotten_);
  }

 private:
  using Namesake = std::pair<std::uint32_t, std::string>;  ///< uid and name

  struct Outcome {
    bool began = false;
    Time began_at;
    bool ok = false;
    JobId array;
    std::uint32_t task = 0;
    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("began", s.began);
      v("began_at", s.began_at);
      v("ok", s.ok);
      v("array", s.array);
      v("task", s.task);
    }
  };
  struct Living {
    Shared<JobSpec> spec;
    std::uint32_t uid = 0;
    JobId array;
    std::uint32_t task = 0;

    Namesake namesake() const { return {uid, spec->name}; }
  };
  /// What all tasks of an array (or one plain job) have come to.
  struct Sum {
    std::uint32_t total = 0;
    std::uint32_t begun = 0;  ///< or ended before that
    std::uint32_t ended = 0;
    std::uint32_t ok = 0;
    Time last_began = {};
  };

  std::optional<Error> refuse_each(const JobSpec& spec) const;
  Sum sum_of(const Dependency& dependency) const;
  Sum sum_of_job(JobId job) const;
  JobId counterpart(const Living& living, const Dependency& dependency) const;
  DependencyAnswer answer_of(JobId job, const Living& living, const Dependency& dependency) const;
  std::vector<JobId> waits_for(JobId job, const Living& living) const;
  void link(JobId job, const Living& living, bool add);
  void count_singleton(const JobSpec& spec, bool add);
  void leave_namesakes(JobId job, const Living& living);
  void tell(JobId named);
  void forget_oldest();
  bool is_forgettable(JobId job, const Outcome& outcome) const;

  IdMap<JobId, Outcome> outcomes_;
  IdMap<JobId, Time> begun_;  ///< of living jobs: the first beginning
  JobId forgotten_;           ///< the highest id whose outcome was dropped
  // Derived from the above and the living jobs:
  IdMap<JobId, Living> living_;
  std::map<std::pair<JobId, JobId>, std::uint32_t> dependents_;  ///< (named job or array, who waits) → how often
  std::uint32_t singletons_ = 0;                                 ///< living jobs that wait for those of their name
  std::map<Namesake, std::set<JobId>> namesakes_;  ///< that have not ended; only while there are singletons
  std::map<JobId, Sum> arrays_;
  std::map<std::pair<JobId, std::uint32_t>, JobId> tasks_;  ///< (array, index) → its own id
  std::set<JobId> changed_;
};

}  // namespace virga
