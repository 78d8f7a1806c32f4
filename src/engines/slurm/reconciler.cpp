// Jobs. The nodes' half is in reconciler_nodes.cpp.
#include "engines/slurm/reconciler.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <thread>
#include <utility>

#include "engines/slurm/conf.hpp"
#include "wire/term_file.hpp"

namespace virga::slurm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// How fast Slurm is looked at while something is on its way.
constexpr milliseconds k_pace_first{30};
constexpr milliseconds k_pace_most{500};
constexpr milliseconds k_pace_busy{100};
/// So many jobs under way do not keep Slurm busy if each of their events is looked at by itself.
constexpr std::size_t k_few = 4;
constexpr std::size_t k_submitters = 4;
constexpr milliseconds k_retry_first{200};
constexpr milliseconds k_retry_most{5000};
/// A slurmctld that was killed forgets up to some seconds. By now the nodes have said what they run, and it has ended
/// there what it does not know.
constexpr seconds k_lost_after{15};

constexpr seconds k_stray_after{5};

/// Faults of the nodes' and not of the job.
bool is_about_nodes(std::string_view text) {
  for (const std::string_view known : {"node name", "Nodes required", "node configuration", "node count"}) {
    if (text.find(known) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

Reconciler::Reconciler(ReconcilerOptions options, EventSink& sink)
    : options_(std::move(options)),
      sink_(sink),
      slurm_(options_.cluster.environment(), options_.cluster.file("spool")),
      ledger_(options_.cluster.file("jobs")),
      retry_after_(k_retry_first),
      pace_(k_pace_first) {}

void Reconciler::wake() {
  pace_ = shortest_pace();
  // Where much happens, one look sees several things.
  next_look_ = under_way_ <= k_few ? Clock::now() : std::max(Clock::now(), last_look_ + k_pace_busy);
  next_turn_ = std::min(next_turn_, next_look_);
}

milliseconds Reconciler::shortest_pace() const { return under_way_ <= k_few ? k_pace_first : k_pace_busy; }

void Reconciler::lead(std::uint64_t term) {
  term_ = term;
  note_term(options_.cluster.options().home, term);
}

bool Reconciler::is_superseded() const { return has_later_term(options_.cluster.options().home, term_); }

void Reconciler::start(Job job, LaunchPayload payload) {
  const JobKey key{job.id, job.incarnation};
  Run& run = runs_[key];
  run.key = key;
  if (run.start_asked || run.finished) return tell(run);
  next_turn_ = Clock::now();
  run.start_asked = true;
  run.job = std::move(job);
  run.payload = std::move(payload);
  run.looked_up = !ledger_.may_have(key);  // what was never submitted need not be looked for
  const auto entry = ledger_.find(key);
  run.released_before = entry && entry->released && !entry->ended;
  if (!run.job.started.is_set()) run.job.started = Time::from_seconds(std::time(nullptr));
}

/// The same answers as before, to a command that is given again.
void Reconciler::tell(const Run& run) {
  if (run.refused) return sink_.post(*run.refused);
  if (run.started) sink_.post(JobStarted{run.key.job, run.key.incarnation});
  if (run.finished) sink_.post(JobEnded{run.key.job, run.key.incarnation, run.exit, {}, {}});
}

void Reconciler::signal(const SignalJob& command) {
  const auto it = runs_.find({command.job, command.incarnation});
  if (it == runs_.end() || it->second.finished) return;
  it->second.signals.push_back(command);
  wake();
}

void Reconciler::end(const EndJob& command) {
  Run& run = runs_[{command.job, command.incarnation}];
  run.key = {command.job, command.incarnation};
  wake();
  if (run.finished) {
    sink_.post(JobEnded{run.key.job, run.key.incarnation, run.exit, {}, {}});
    return;
  }
  run.end_signal = command.signal == SIGKILL || run.end_signal == SIGKILL ? SIGKILL : command.signal;
}

void Reconciler::forget(const ForgetJob& command) {
  const JobKey key{command.job, command.incarnation};
  ledger_.forget(key);
  runs_.erase(key);
}

// Reaching Slurm ------------------------------------------------------------------------------------------------------

bool Reconciler::reachable() {
  if (reached_) return true;
  if (Clock::now() < retry_at_) return false;
  if (Status kept = options_.cluster.keep(); !kept) {
    unreachable(kept.error());
    return false;
  }
  if (trouble_told_) options_.say("slurmctld answers again");
  reached_ = true;
  trouble_told_ = false;
  retry_after_ = k_retry_first;
  next_look_ = Clock::now();
  for (auto& [key, run] : runs_) run.seen_at = Clock::now();
  for (auto& [vm, node] : nodes_) node.seen_at = Clock::now();
  return true;
}

void Reconciler::unreachable(const Error& error) {
  if (!trouble_told_) options_.say(error.message + "; trying again until it answers");
  trouble_told_ = true;
  if (reached_) ++outages_;
  reached_ = false;
  retry_at_ = Clock::now() + retry_after_;
  retry_after_ = std::min(retry_after_ * 2, k_retry_most);
}

/// Whether slurmctld has answered, whatever it said.
bool Reconciler::take(const Status& status) {
  if (status || !status.error().retryable) return true;
  unreachable(status.error());
  return false;
}

// Looking -------------------------------------------------------------------------------------------------------------

bool Reconciler::has_to_find() const {
  return std::any_of(runs_.begin(), runs_.end(), [](const auto& entry) {
    const Run& run = entry.second;
    return !run.finished && run.id == 0 && !run.looked_up;
  });
}

/// Everything while an incarnation has to be found by its comment, and at each sweep; else only what is under way.
bool Reconciler::look_at_jobs() {
  const bool all = Clock::now() >= next_sweep_ || stirred_ || has_to_find();
  std::vector<std::uint32_t> ids;
  for (const auto& [key, run] : runs_) {
    if (!run.finished && run.id != 0) ids.push_back(run.id);
  }
  under_way_ = ids.size();
  if (!all && ids.empty()) return true;
  const auto jobs = all ? slurm_.jobs() : slurm_.jobs(ids);
  if (!jobs) {
    unreachable(jobs.error());
    return false;
  }
  observe(*jobs, all);
  if (all) note_foreign(*jobs);
  if (all && options_.adopt) look_for_adoptable(*jobs);
  return true;
}

void Reconciler::observe(const std::vector<SlurmJob>& jobs, bool all) {
  for (auto& [key, run] : runs_) {
    run.seen.reset();
    run.looked_up = run.looked_up || all;
  }
  const std::string& cluster = options_.cluster.options().cluster_name;
  std::set<std::uint32_t> strays;
  for (const SlurmJob& job : jobs) {
    const auto key = key_of(job.comment, cluster);
    if (!key) continue;
    const auto it = runs_.find(*key);
    if (it == runs_.end() || it->second.finished) {
      if (job.stage != JobStage::held || !all || !is_ours(job)) continue;
      strays.insert(job.id);
      throw_away_stray(job);
      continue;
    }
    Run& run = it->second;
    if (run.start_asked && run.job.owner.uid != job.uid) continue;  // somebody's who only says so
    if (run.seen) {
      // Twice: a submission whose answer was lost. The one that was released counts; nothing of the other has run.
      const bool keep_new = run.seen->stage == JobStage::held && job.stage != JobStage::held;
      (void)take(slurm_.cancel(keep_new ? run.seen->id : job.id));
      if (!keep_new) continue;
    }
    run.id = job.id;
    run.seen = job;
    run.seen_at = Clock::now();
  }
  if (!all) return;
  std::erase_if(strays_, [&](const auto& entry) { return !strays.contains(entry.first); });
}

/// Held under a key that nobody asks for (any more): what an old leader submitted late. Whoever has just taken over is
/// given time to ask.
void Reconciler::throw_away_stray(const SlurmJob& job) {
  const auto since = strays_.try_emplace(job.id, Clock::now()).first->second;
  if (Clock::now() - since < k_stray_after) return;
  options_.say("Slurm's job " + std::to_string(job.id) + " (" + job.comment +
               ") was submitted too late, and is cancelled");
  (void)take(slurm_.cancel(job.id));
  strays_.erase(job.id);
}

// Acting --------------------------------------------------------------------------------------------------------------

void Reconciler::turn() {
  if (is_superseded()) {
    next_turn_ = Clock::now() + k_pace_most;
    return;
  }
  const bool reaches = reachable();
  const bool sweeps = Clock::now() >= next_sweep_;
  const bool looks = sweeps || Clock::now() >= next_look_ || has_to_find();
  bool submits = false;
  if (reaches && (!looks || look_at_jobs())) {
    if (looks) tell_foreign();
    for (auto& [key, run] : runs_) {
      if (reached_ && (looks || run.id == 0)) advance(run);
    }
    submits = !to_submit_.empty();
    submit();
    release();
    if (reached_ && looks) look_at_nodes();
    if (reached_) advance_adoptions();
  }
  const auto now = Clock::now();
  if (sweeps) next_sweep_ = now + options_.sweep;
  if (looks) {
    last_look_ = now;
    next_look_ = is_restless() ? now + pace_ : next_sweep_;
    pace_ = std::min(pace_ + pace_ / 3, k_pace_most);
  }
  if (submits) {
    pace_ = shortest_pace();
    next_look_ = std::min(next_look_, now + pace_);
  }
  next_turn_ = std::min(next_sweep_, next_look_);
  if (!reached_) next_turn_ = retry_at_;
}

bool Reconciler::is_restless() const {
  if (!gone_.empty() || stirred_ || is_adopting()) return true;
  for (const auto& [vm, node] : nodes_) {
    if (!node.ready && !node.failed) return true;
  }
  return std::any_of(runs_.begin(), runs_.end(), [](const auto& entry) {
    const Run& run = entry.second;
    if (run.finished) return false;
    return !run.seen || !run.signals.empty() || run.seen->stage != JobStage::running || run.end_signal != 0;
  });
}

void Reconciler::advance(Run& run) {
  if (run.finished) return;
  if (run.seen) return advance_known(run);
  const auto entry = ledger_.find(run.key);
  if (entry && entry->ended) {
    if (entry->never_ran && entry->exit.signal == k_launch_failure_signal) return conclude(run);
    if (run.id == 0) run.id = entry->id;
    return finish(run, entry->exit, !entry->never_ran);
  }
  // It was there, and is not any more; or it was given to Slurm so long ago that Slurm may have forgotten its end.
  const bool was_there = run.id != 0 || (entry && !run.submitted && entry->age > seconds(k_min_job_age_s / 2));
  if (run.id != 0 && Clock::now() - run.seen_at < k_lost_after) return;
  if (run.end_signal != 0) return finish(run, {0, run.end_signal}, was_there);
  if (!run.start_asked) return;
  if (was_there) return refuse(run, "Slurm has lost the job", false);
  prepare(run);
}

void Reconciler::prepare(Run& run) {
  if (const std::string gone = lost_node_of(run); !gone.empty()) return refuse(run, "node " + gone + " is gone", false);
  if (run.job.nodes.empty()) return refuse(run, "the job has no nodes", false);
  if (const std::string occupied = occupied_node_of(run); !occupied.empty()) return refuse(run, occupied, false);
  if (run.job.spec->kind == JobKind::allocation && !run.payload.script.starts_with("#!")) {
    return refuse(run, "Slurm's nodes are kept by a script only, and this allocation came without one", true);
  }
  const auto user = users_.look_up(run.job.owner);
  if (!user) return refuse(run, user.error().message, true);
  run.job.owner.gid = user->gid;
  if (run.job.owner.user.empty()) run.job.owner.user = user->name;
  if (Status noted = ledger_.note_submitted(run.key); !noted) return unreachable(noted.error());
  SubmissionSite site = options_.site;
  site.environment.home_dir = user->home_dir;
  site.environment.shell = user->shell;
  const std::string comment = comment_of(options_.cluster.options().cluster_name, run.key);
  run.submitted = true;
  to_submit_.push_back({&run, submission_of(run.job, run.payload, site, comment)});
}

/// Several at once: sbatch waits for slurmctld most of its time.
void Reconciler::submit() {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < to_submit_.size(); i = next++) {
      to_submit_[i].id = slurm_.submit(to_submit_[i].what, to_submit_[i].run->payload.arguments);
    }
  };
  std::vector<std::thread> others;
  while (others.size() + 1 < std::min(to_submit_.size(), k_submitters)) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  for (Submitting& submitting : to_submit_) {
    Run& run = *submitting.run;
    const Result<std::uint32_t>& id = submitting.id;
    if (!id && id.error().retryable) {
      run.looked_up = false;  // it may be there all the same
      if (reached_) unreachable(id.error());
    } else if (!id) {
      refuse(run, id.error().message, !is_about_nodes(id.error().message));
    } else {
      run.id = *id;
      run.seen_at = Clock::now();
      run.payload = {};
      to_release_.push_back(&run);
    }
  }
  to_submit_.clear();
}

void Reconciler::release() {
  const std::vector<Run*> wanted = std::exchange(to_release_, {});
  if (wanted.empty() || is_superseded()) return;
  std::vector<std::uint32_t> ids;
  for (Run* run : wanted) {
    if (!reached_) break;
    if (Status noted = ledger_.note_released(run->key); !noted) {
      unreachable(noted.error());
      break;
    }
    run->released_after = outages_;
    ids.push_back(run->id);
  }
  if (!ids.empty() && !is_superseded()) (void)take(slurm_.release(ids));
}

void Reconciler::advance_known(Run& run) {
  switch (run.seen->stage) {
    case JobStage::held:
    case JobStage::waiting:
      return advance_pending(run);
    case JobStage::running:
      if (!run.started && run.start_asked) sink_.post(JobStarted{run.key.job, run.key.incarnation});
      run.started = run.started || run.start_asked;
      return send_signals(run);
    case JobStage::completing:
      return;
    case JobStage::over:
      return conclude(run);
  }
}

void Reconciler::advance_pending(Run& run) {
  if (run.start_asked && run.lost_node.empty()) run.lost_node = lost_node_of(run);
  if (run.start_asked && run.occupied.empty()) run.occupied = occupied_node_of(run);
  // A slurmctld that was killed may know the job as it was before it began, while its script runs on the node, or has
  // ended there. Released again, it would fail as a duplicate.
  const bool was_released =
      run.released_after ? *run.released_after != outages_ : run.released_before && run.seen->stage == JobStage::held;
  const bool had_begun = run.started || was_released;
  if (had_begun && !run.forgotten_at) run.forgotten_at = Clock::now();
  if (run.end_signal != 0 || !run.lost_node.empty() || had_begun) {
    (void)take(slurm_.cancel(run.id));
  } else if (!run.occupied.empty()) {
    (void)take(slurm_.cancel_pending(run.id));  // it may begin beside the other one at this very moment
  } else if (run.start_asked && run.seen->stage == JobStage::held) {
    to_release_.push_back(&run);
  }
}

void Reconciler::send_signals(Run& run) {
  while (!run.signals.empty()) {
    const SignalJob& next = run.signals.front();
    const auto whom = next.whole_job          ? Commands::Whom::everything
                      : next.batch_shell_only ? Commands::Whom::batch_shell
                                              : Commands::Whom::steps;
    // Slurm numbers steps in its own way, so that a signal to one of them would reach another.
    if (next.step == k_no_step && !take(slurm_.signal(run.id, next.signal, whom))) return;
    run.signals.erase(run.signals.begin());
  }
  // SIGKILL goes on until it is over: what is sent while the script is being launched reaches nobody.
  if (run.end_signal == 0 || (run.signal_sent == run.end_signal && run.end_signal != SIGKILL)) return;
  if (!take(slurm_.signal(run.id, run.end_signal, Commands::Whom::everything))) return;
  run.signal_sent = run.end_signal;
  if (run.end_signal == SIGKILL) (void)take(slurm_.cancel(run.id));
}

/// Slurm is done with it.
void Reconciler::conclude(Run& run) {
  if (run.forgotten_at && run.end_signal == 0) {
    if (Clock::now() - *run.forgotten_at < k_lost_after) return;
    return refuse(run, "slurmctld was killed and has forgotten that it began the job", false);
  }
  if (!run.lost_node.empty() && !run.started && run.end_signal == 0) {
    return refuse(run, "node " + run.lost_node + " was lost while the job was being started", false);
  }
  if (!run.occupied.empty() && !run.started && run.end_signal == 0 && run.seen && run.seen->nodes.empty()) {
    return refuse(run, run.occupied, false);
  }
  const bool never_ran = !run.seen || run.seen->never_ran();
  if (never_ran && run.end_signal == 0) {  // Slurm calls it running even while it fails to begin it
    (void)ledger_.note_ended(run.key, {0, k_launch_failure_signal}, true);
    return refuse(run,
                  "Slurm could not begin the job: its working directory or its output file cannot be used on node " +
                      (run.job.nodes.empty() ? std::string("?") : run.job.nodes[0].name),
                  true);
  }
  const bool node_failed = run.seen && (run.seen->state == "NODE_FAIL" || run.seen->state == "BOOT_FAIL");
  if (node_failed && run.end_signal == 0) {
    // Who tells of the node's loss asks for the end of its jobs; if nobody does, the job is worth another try.
    if (!run.node_failed_at) run.node_failed_at = Clock::now();
    if (Clock::now() - *run.node_failed_at < k_lost_after) return;
    return refuse(run, "Slurm has lost a node of the job", false);
  }
  ExitStatus exit = run.seen ? run.seen->exit : ExitStatus{};
  const bool was_ended = run.seen && (run.seen->state == "CANCELLED" || node_failed);
  if (was_ended && exit.ok()) exit = {0, run.end_signal != 0 ? run.end_signal : std::uint32_t{SIGTERM}};
  if (never_ran) exit = run.end_signal != 0 ? ExitStatus{0, run.end_signal} : ExitStatus{1, 0};
  finish(run, exit, run.started || !was_ended);
}

void Reconciler::finish(Run& run, ExitStatus exit, bool ran) {
  if (Status noted = ledger_.note_ended(run.key, exit, !ran, run.id); !noted) return unreachable(noted.error());
  if (ran && run.id != 0 && options_.accounts != nullptr) {
    if (Status noted = options_.accounts->note(run.key, run.id); !noted) {
      options_.say("its steps and usage are not told: " + noted.error().message);  // which holds no job's end
    }
  }
  if (ran && run.start_asked && !run.started) {
    sink_.post(JobStarted{run.key.job, run.key.incarnation});
    run.started = true;
  }
  run.exit = exit;
  run.finished = true;
  run.payload = {};
  sink_.post(JobEnded{run.key.job, run.key.incarnation, exit, {}, {}});
}

/// Told once nothing of it can be left anywhere: another incarnation may follow at once.
void Reconciler::refuse(Run& run, const std::string& message, bool job_at_fault) {
  run.refused = JobLaunchFailed{run.key.job, run.key.incarnation, message, job_at_fault};
  run.finished = true;
  run.payload = {};
  run.exit = {1, 0};
  sink_.post(*run.refused);
}

std::string Reconciler::lost_node_of(const Run& run) const {
  for (const JobNode& node : run.job.nodes) {
    if (!nodes_.contains(node.vm)) return node.name;
  }
  return "";
}

}  // namespace virga::slurm
