// What is wanted of Slurm, what Slurm says, and the next step from the one to the other.
//
//   Reconciler reconciler(options, sink);
//   reconciler.start(job, payload);      // remembers what is wanted
//   reconciler.turn();                   // looks at Slurm and acts; again at next_turn(), or when something happened
//
// Nothing here depends on having seen a change: each turn compares what Slurm lists now with what is wanted, so a lost
// message, a restart of slurmctld or of this process only make it later. That an incarnation enters Slurm once follows
// from three things: one that the ledger knows as submitted is looked for by its comment first, after a submission of
// which the answer was lost it is looked for again, and it enters held, so that a second one can be thrown away before
// it runs.
//
// A leader that was frozen, and wakes under its successor, does nothing: a job that it submits nevertheless, because it
// was frozen in the middle of that, stays held, and the successor throws it away.
//
// One thread, but for several sbatch at once. Everything blocks as long as Slurm's commands do.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/foreign.hpp"
#include "engines/slurm/accounts.hpp"
#include "engines/slurm/adoption.hpp"
#include "engines/slurm/cluster.hpp"
#include "engines/slurm/commands.hpp"
#include "engines/slurm/ledger.hpp"
#include "ports/engine.hpp"
#include "ports/event_sink.hpp"
#include "wire/user_table.hpp"

namespace virga::slurm {

struct ReconcilerOptions {
  Cluster cluster;
  SubmissionSite site;
  std::chrono::milliseconds sweep{15'000};  ///< how often Slurm is looked at though nothing happened
  std::function<void(const std::string&)> say;
  std::string told_name;         ///< of several clusters: what it is called where jobs are told that came past Virga
  Accounts* accounts = nullptr;  ///< is told of each end; nullptr: Slurm keeps none
  Adopt adopt;                   ///< empty: jobs that come past Virga are left alone
};

class Reconciler {
 public:
  using Clock = std::chrono::steady_clock;

  Reconciler(ReconcilerOptions options, EventSink& sink);

  /// From here on nothing is done once another controller has begun a later term.
  void lead(std::uint64_t term);

  /// A node of this name will come: what Slurm remembers of an earlier one must not be taken for it.
  void expect(const std::string& name, VmId vm);
  void attach(VmId vm);
  void detach(VmId vm);
  void start(Job job, LaunchPayload payload);
  void signal(const SignalJob& command);
  void end(const EndJob& command);
  void forget(const ForgetJob& command);

  /// Something happened: Slurm is looked at in the next turn, which is at once.
  void wake();
  /// The same, and perhaps to a job that is not ours.
  void stir();
  void turn();
  Clock::time_point next_turn() const { return next_turn_; }

 private:
  /// One start() (or end()) of one incarnation.
  struct Run {
    JobKey key;
    bool start_asked = false;
    Job job;
    LaunchPayload payload;         ///< until it is submitted
    std::uint32_t end_signal = 0;  ///< of the strongest end() so far; 0: none
    std::uint32_t signal_sent = 0;
    std::uint32_t id = 0;  ///< Slurm's; 0: not known
    bool looked_up = false;
    std::optional<SlurmJob> seen;  ///< in the last listing
    Clock::time_point seen_at;
    bool submitted = false;                         ///< sbatch was run for it, whatever came of that
    bool released_before = false;                   ///< by an earlier process, or it was about to be
    std::optional<std::uint32_t> released_after;    ///< that many outages Slurm was told to begin it
    std::optional<Clock::time_point> forgotten_at;  ///< slurmctld no longer knows that it was told
    std::optional<Clock::time_point> node_failed_at;
    std::string lost_node;           ///< before it began
    std::string occupied;            ///< what was on a node of it before it began, past Virga
    std::vector<SignalJob> signals;  ///< to be sent while it runs
    bool started = false;            ///< JobStarted was posted
    bool finished = false;           ///< JobEnded or JobLaunchFailed was posted
    std::optional<JobLaunchFailed> refused;
    ExitStatus exit;
  };
  struct Node {
    std::string name;  ///< empty until Slurm has listed it
    bool ready = false;
    bool failed = false;
    std::optional<std::string>
        foreign;  ///< what was told of it (core/foreign.hpp); unset: an earlier controller may have
    Clock::time_point seen_at;
  };

  /// A job that waits in Slurm, past Virga. Each stage but the last two is gone through again after a restart.
  struct Adoption {
    enum class Stage : std::uint8_t {
      found,
      asked,       ///< held in Slurm; Virga's queue has been asked to take it
      journalled,  ///< Virga's journal has it
      refused,
      cancelled,  ///< in Slurm
      left,       ///< alone
    };
    Stage stage = Stage::found;
    Clock::time_point not_before;
    std::uint64_t job = 0;  ///< its number in Virga
    std::string why;        ///< it was refused
  };
  /// Outlives the reconciler where Virga answers late.
  struct AdoptionAnswers {
    void put(std::uint32_t id, Result<std::uint64_t> answer);
    std::mutex mutex;
    std::vector<std::pair<std::uint32_t, Result<std::uint64_t>>> all;
  };

  void tell(const Run& run);
  bool is_superseded() const;
  bool reachable();
  void unreachable(const Error& error);
  bool take(const Status& status);
  std::chrono::milliseconds shortest_pace() const;
  bool has_to_find() const;
  bool look_at_jobs();
  void observe(const std::vector<SlurmJob>& jobs, bool all);
  void throw_away_stray(const SlurmJob& job);
  void advance(Run& run);
  void advance_known(Run& run);
  void advance_pending(Run& run);
  void release();
  void prepare(Run& run);
  void submit();
  void send_signals(Run& run);
  void conclude(Run& run);
  void finish(Run& run, ExitStatus exit, bool ran);
  void refuse(Run& run, const std::string& message, bool job_at_fault);
  std::string lost_node_of(const Run& run) const;
  void look_at_nodes();
  void observe(const std::vector<SlurmNode>& nodes);
  void give_up_nodes(const std::vector<SlurmNode>& nodes);
  bool make_way(const std::vector<std::string>& names);
  bool is_restless() const;
  bool is_ours(const SlurmJob& job) const;
  bool is_foreign(const SlurmJob& job) const;
  void note_foreign(const std::vector<SlurmJob>& jobs);
  void tell_foreign();
  std::string occupied_node_of(const Run& run) const;
  void look_for_adoptable(const std::vector<SlurmJob>& jobs);
  void take_answers();
  void advance_adoptions();
  void begin_adoption(std::uint32_t id, Adoption& adoption);
  void ask_for(std::uint32_t id, Adoption& adoption, Adoptee job);
  bool is_adopting() const;

  ReconcilerOptions options_;
  EventSink& sink_;
  Commands slurm_;
  Ledger ledger_;
  UserTable users_;
  std::map<JobKey, Run> runs_;
  std::map<VmId, Node> nodes_;  ///< attached
  std::set<VmId> gone_;         ///< detached, and perhaps still in Slurm's list
  std::map<std::string, VmId> expected_;
  std::set<VmId> booted_;  ///< under this controller: no earlier one has told anything of them
  std::map<std::uint32_t, Clock::time_point> strays_;  ///< jobs of Slurm's, and when they were seen first
  /// What this turn gives to Slurm.
  struct Submitting {
    Run* run;
    Submission what;
    Result<std::uint32_t> id = 0U;
  };
  std::vector<Submitting> to_submit_;
  std::vector<Run*> to_release_;
  std::map<std::string, std::vector<ForeignJob>> foreign_;  ///< by node, in the last listing of all jobs
  bool looked_for_foreign_ = false;
  bool stirred_ = false;                         ///< the next listing is one of all jobs
  std::map<std::uint32_t, Adoption> adoptions_;  ///< by Slurm's number
  std::shared_ptr<AdoptionAnswers> answers_ = std::make_shared<AdoptionAnswers>();

  bool reached_ = false;  ///< the last command was answered
  std::uint32_t outages_ = 0;
  bool trouble_told_ = false;
  std::uint64_t term_ = 0;  ///< 0: there is one controller only
  Clock::time_point retry_at_;
  std::chrono::milliseconds retry_after_;
  Clock::time_point next_turn_;
  Clock::time_point last_look_;
  Clock::time_point next_look_;
  std::size_t under_way_ = 0;  ///< jobs, at the last look
  Clock::time_point next_sweep_;
  std::chrono::milliseconds pace_;
};

}  // namespace virga::slurm
