// What the policy remembers between events, as one part of the state, and its gates: why a job may not be looked at
// yet.
//
//   state.policy.sync(job);                       // after every change of a job: index_job() does it
//   state.policy.rebuild(config, now, jobs);        // after loading, and when the configuration has changed
//   apply_gates(fx);                              // before each pass of the scheduler
//
// sync() compares the job with what was counted of it and counts the difference, so no caller can forget one side. A
// closed gate is a job whose `eligible` is Time::never(), with the reason why: the scheduler needs to know nothing of
// dependencies and array limits. apply_gates() opens and closes them, and ends jobs that would miss their deadline.
//
// Stored are what ended jobs leave behind (outcomes, usage, spent money); the rest is derived from the jobs.
// sync(): O(log n); apply_gates(): O(log n) for each job whose gate may have changed.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/id_map.hpp"
#include "brain/policy/budget.hpp"
#include "brain/policy/decay.hpp"
#include "brain/policy/dependencies.hpp"
#include "brain/policy/limits.hpp"
#include "core/config.hpp"
#include "core/job.hpp"

namespace virga {

struct Effects;

class PolicyState {
 public:
  Dependencies dependencies;
  UsageLedger usage;  ///< for FairTree
  Budgets budgets;
  /// For PriorityFactors, by tenant and user, as of `ranked_at` (policy/ranking.hpp).
  std::map<std::string, std::map<std::string, std::uint32_t>> fair_share_ppm;
  Time ranked_at;
  // Derived.
  Limits limits;
  bool more_aside = false;  ///< of recall() (policy/start_rules.hpp)

  void sync(Job& job);
  void rebuild(const Config& config, Time now, IdMap<JobId, Job>& jobs);

  /// Somebody gave back what a limit, a budget or a reservation counts.
  void note_room() { has_room_ = true; }
  /// Whether that happened since the last call, or a policy has changed by itself.
  bool take_room(const Config& config, Time now);
  /// When one will.
  Time next_change() const { return next_change_; }
  /// Of jobs of the partition that name this reservation; empty: none. Counted where there are reservations.
  std::uint32_t nodes_held(const std::string& partition, const std::string& reservation) const;

  /// Pending jobs with a deadline, by the last moment at which they could start.
  const std::set<std::pair<Time, JobId>>& last_starts() const { return last_starts_; }
  /// Whether another task of this array may be let to the queue.
  bool array_has_room(const Job& job) const;
  /// Whether apply_gates() would find anything to look at.
  bool has_gates_to_look_at() const {
    return dependencies.has_changed() || !freed_arrays_.empty() || !last_starts_.empty();
  }
  /// Arrays in which a task has become free since the last call.
  std::set<JobId> take_freed_arrays() { return std::exchange(freed_arrays_, {}); }
  /// The first task of the array that its limit holds back; zero if there is none.
  JobId next_gated(JobId array) const;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("dependencies", s.dependencies);
    v("usage", s.usage);
    v("budgets", s.budgets);
    v("fair_share_ppm", s.fair_share_ppm);
    v("ranked_at", s.ranked_at);
  }

 private:
  struct Array {
    std::uint32_t open = 0;  ///< tasks that are let to the queue or run
    std::set<JobId> gated;
  };
  void place(Job& job, ArrayPlace place);
  void count_nodes(Job& job, bool running);

  std::map<JobId, Array> arrays_;
  std::set<JobId> freed_arrays_;
  std::set<std::pair<Time, JobId>> last_starts_;
  bool counts_nodes_ = false;
  std::map<std::pair<std::string, std::string>, std::uint32_t> nodes_held_;  ///< by partition and reservation
  bool has_room_ = false;
  Time next_change_ = Time::never();
};

/// The moment after which a job that has not started cannot end before its deadline; Time::never() without one.
Time last_start_of(const JobSpec& spec);

/// Sets the gate of a pending job that is new or was released: its reason, detail and `eligible`.
void set_gate(Effects& fx, Job& job);
/// Opens the gates that the last event unlocked, and ends jobs whose deadline cannot be met any more. Whether it did
/// anything.
bool apply_gates(Effects& fx);

}  // namespace virga
