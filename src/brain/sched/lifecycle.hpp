// The life of one job between its nodes: promised, bound, launched, ended, back to the queue or final.
//
//   pending ──assign──▶ configuring ──launch, JobStarted──▶ running ──JobEnded──▶ completed | failed
//    ▲ │ ▲ promised        │                                   │
//    │ └─┘ until granted   │ unbind (a node failed to boot)  begin_ending (cancel, limit, node lost, preemption)
//    └─────────────────────┴───────── requeue ◀── completing ──┴──JobEnded──▶ cancelled | timeout | node_fail
//
// A promise keeps nodes for a pending job while the cloud has not granted all of them: nobody else gets their room, but
// the job is bound only to machines that exist.
#pragma once

#include <string>
#include <vector>

#include "brain/effects.hpp"

namespace virga {

/// Gives a pending job these VMs, in rank order: binds it, or promises them if some are not granted yet.
void assign_nodes(Effects& fx, Job& job, const std::vector<Vm*>& vms);
/// Binds the job if every node promised to it is granted by now.
void keep_promise(Effects& fx, Job& job);
/// The schedule counts on a job that holds nodes to end then.
void expect_end(State& state, Job& job, Time when);
/// A pending job loses what was promised to it, and is in the queue again.
void break_promise(Effects& fx, Job& job, Reason reason, std::string detail);
/// How many nodes of a job that holds all of them still boot.
std::uint32_t count_booting(const State& state, const Job& job);
/// Sends StartJob once every node of a configuring job is ready.
void launch_if_ready(Effects& fx, Job& job);
/// A configuring job that was not launched goes back to its place in the queue.
void unbind_job(Effects& fx, Job& job, Reason reason, std::string detail);
/// The same for one that was launched, but of which nothing ran: a new incarnation of it waits.
void unlaunch_job(Effects& fx, Job& job, std::string detail);
/// After a change of the configuration: of jobs that do not run yet, the youngest give back what their tenants' budgets
/// do not cover any more. O(n log n) for n jobs of tenants.
void give_back_beyond_budget(Effects& fx);

/// Its processes stand still, and so does its time limit; it keeps its nodes.
void suspend_job(Effects& fx, Job& job);
void resume_job(Effects& fx, Job& job);

/// Tells whoever the job names, if that is among what he asked for.
void send_mail(Effects& fx, const Job& job, MailType what);

struct Ending {
  JobState state = JobState::cancelled;  ///< the final state it goes to
  Reason reason = Reason::cancelled;
  std::string detail;
  std::uint32_t signal = 15;  ///< 9: no grace
  Duration grace = {};        ///< between SIGTERM and SIGKILL; zero: the configuration's kill_wait
  bool requeue = false;       ///< back to the queue instead
};
/// Ends a job that holds nodes. One that was never launched ends at once; else EndJob goes out and JobEnded is awaited.
void begin_ending(Effects& fx, Job& job, const Ending& ending);
/// Numbers the step. Of very many the oldest ended ones leave.
std::uint32_t add_step(Job& job, Step step);
/// A job that waits or whose processes are gone becomes final, or is requeued if `begin_ending` said so.
void finish_job(Effects& fx, Job& job, JobState state, Reason reason, std::string detail);

/// SIGTERM again as SIGKILL, warning signals, time limits: whatever of this job is due now.
void apply_job_deadlines(Effects& fx, Job& job);
/// The signal that a running job asked for before its end comes, at most once.
void warn_job(Effects& fx, Job& job);
/// When apply_job_deadlines() has something to do.
Time next_deadline_of(const Job& job);

}  // namespace virga
