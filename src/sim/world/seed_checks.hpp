// The invariants of docs/design.md, section 4, checked from the outside: against what really runs and what is billed.
//
//   SeedChecks checks(plan, world);
//   checks.sample(brain);            // after a step of the controller, now and then
//   checks.finish(brain);            // at the end, when everything must be over
//   if (checks.broken()) …
//
// What happens at a moment (a start, an end, an account) is checked at that moment; what can only be seen over time (a
// machine that nobody knows or needs) at each sample. A sample costs what there is: jobs that wait, and machines.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "brain/brain.hpp"
#include "sim/world/machines.hpp"
#include "sim/world/memory_journal.hpp"
#include "sim/world/processes.hpp"
#include "sim/world/seed_plan.hpp"

namespace virga {

/// The names of what can be broken; the numbers are the design's.
namespace broken {
inline constexpr const char* k_job = "1: a job is never lost and has one end";
inline constexpr const char* k_gang = "2: a gang is all or nothing";
inline constexpr const char* k_incarnation = "3: one incarnation at a time";
inline constexpr const char* k_room = "4: no node holds more than it has";
inline constexpr const char* k_billing = "5: every billed machine is known";
inline constexpr const char* k_idle = "5: what nobody needs is released";
inline constexpr const char* k_limits = "6: nobody has more than he may";
inline constexpr const char* k_replay = "7: a replay gives the same state";
inline constexpr const char* k_starved = "8: every job that can run does";
inline constexpr const char* k_refusal = "8: what can never run, and only that, is refused";
inline constexpr const char* k_truth = "an end is told as it was";
inline constexpr const char* k_brain = "the brain's own assertions";
inline constexpr const char* k_livelock = "the loop comes to rest";
}  // namespace broken

struct Broken {
  std::string invariant;
  std::string what;
  Time at;
};

class SeedChecks {
 public:
  SeedChecks(const SeedPlan& plan, const EventQueue& queue, Machines& machines, Processes& processes,
             JournalDisk& disk);

  void accepted(std::size_t planned, JobId job);
  void refused(std::size_t planned, const Error& why);
  bool is_over(JobId job) const { return ends_.contains(job); }
  /// Every job that was accepted and has no end yet.
  const std::set<JobId>& living() const { return living_; }

  void sample(const Brain& brain);
  /// What was seen over time is forgotten: nobody is there to act in time.
  void controller_is_gone() { since_.clear(); }
  void finish(const Brain& brain);

  void fail(const char* invariant, std::string what);
  const std::optional<Broken>& broken() const { return broken_; }

 private:
  void job_record(const Job& record);
  void run_started(const Run& run);
  void check_room(VmId vm);
  void check_limits(const Run& started);
  void check_billed(const Brain& brain);
  void check_idle(const Brain& brain);
  void check_replay(const Brain& brain);
  /// Neither idle nor in quarantine without a job.
  void note_needed(VmId vm);
  bool longer_than(Duration limit, std::string_view what, VmId vm);

  const SeedPlan& plan_;
  const EventQueue& queue_;
  Machines& machines_;
  Processes& processes_;
  JournalDisk& disk_;
  std::optional<Broken> broken_;
  std::map<std::string, const PlannedJob*> planned_;  ///< by the job's name
  std::map<std::size_t, JobId> job_of_;               ///< by place in the plan
  std::set<JobId> living_;
  std::map<JobId, std::pair<JobState, std::uint32_t>> ends_;  ///< final state and incarnation
  std::set<Processes::Key> executed_;
  std::set<Processes::Key> succeeded_;
  std::set<VmId> used_;  ///< a job ran on it
  std::map<std::pair<VmId, std::string>, Time> since_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> digests_;  ///< (event, digest)
};

}  // namespace virga
