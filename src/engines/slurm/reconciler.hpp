// What is wanted of Slurm, what Slurm says, and the next step from the one to the other.
//
//   Reconciler reconciler(options, sink);
//   reconciler.start(job, payload);      // remembers what is wanted
//   reconciler.turn();                   // looks at Slurm and acts; again at next_turn(), or when something happened
//
// Nothing here depends on having seen a change: each turn compares what Slurm lists now with what is wanted, so a lost
// message, a restart of slurmctld or of this process only make it later. That an incarnation enters Slurm once follows
// from three things: it is looked for by its comment before it is submitted, after a submission of which the answer was
// lost it is looked for again, and it enters held, so that a second one can be thrown away before it runs.
//
// One thread. Everything blocks as long as Slurm's commands do.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

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
};

class Reconciler {
 public:
  using Clock = std::chrono::steady_clock;

  Reconciler(ReconcilerOptions options, EventSink& sink);

  /// A node of this name will come: what Slurm remembers of an earlier one must not be taken for it.
  void expect(const std::string& name, VmId vm);
  void attach(VmId vm);
  void detach(VmId vm);
  void start(Job job, LaunchPayload payload);
  void signal(const SignalJob& command);
  void end(const EndJob& command);
  void forget(const ForgetJob& command);

  /// Something happened: the next turn is at once.
  void wake();
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
    std::optional<std::uint32_t> released_after;    ///< that many outages Slurm was told to begin it
    std::optional<Clock::time_point> forgotten_at;  ///< slurmctld no longer knows that it was told
    std::optional<Clock::time_point> node_failed_at;
    std::string lost_node;           ///< before it began
    std::vector<SignalJob> signals;  ///< to be sent while it runs
    bool started = false;            ///< JobStarted was posted
    bool finished = false;           ///< JobEnded or JobLaunchFailed was posted
    std::optional<JobLaunchFailed> refused;
    ExitStatus exit;
  };
  struct Node {
    bool ready = false;
    bool failed = false;
    Clock::time_point seen_at;
  };

  void tell(const Run& run);
  bool reachable();
  void unreachable(const Error& error);
  bool take(const Status& status);
  bool look_at_jobs();
  void observe(const std::vector<SlurmJob>& jobs, bool all);
  void advance(Run& run);
  void advance_known(Run& run);
  void advance_pending(Run& run);
  void release(Run& run);
  void submit(Run& run);
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

  ReconcilerOptions options_;
  EventSink& sink_;
  Commands slurm_;
  Ledger ledger_;
  UserTable users_;
  std::map<JobKey, Run> runs_;
  std::map<VmId, Node> nodes_;  ///< attached
  std::set<VmId> gone_;         ///< detached, and perhaps still in Slurm's list
  std::map<std::string, VmId> expected_;
  std::vector<std::uint32_t> to_release_;

  bool reached_ = false;  ///< the last command was answered
  std::uint32_t outages_ = 0;
  bool trouble_told_ = false;
  Clock::time_point retry_at_;
  std::chrono::milliseconds retry_after_;
  Clock::time_point next_turn_;
  Clock::time_point next_sweep_;
  std::chrono::milliseconds pace_;
};

}  // namespace virga::slurm
