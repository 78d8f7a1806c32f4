// The life of one job between its nodes: bound, launched, ended, back to the queue or final.
//
//   pending ──bind──▶ configuring ──launch, JobStarted──▶ running ──JobEnded──▶ completed | failed
//      ▲                  │                                  │
//      │              unbind (a node failed to boot)     begin_ending (cancel, limit, node lost)
//      └──────────────────┴───────── requeue ◀── completing ─┴──JobEnded──▶ cancelled | timeout | node_fail
#pragma once

#include <string>
#include <vector>

#include "brain/effects.hpp"

namespace virga {

/// Binds a pending job to VMs, in rank order, and launches it if all are ready.
void bind_job(Effects& fx, Job& job, const std::vector<VmId>& vms);
/// Sends StartJob once every node of a configuring job is ready.
void launch_if_ready(Effects& fx, Job& job);
/// A configuring job that was not launched goes back to its place in the queue.
void unbind_job(Effects& fx, Job& job, Reason reason, std::string detail);

struct Ending {
  JobState state = JobState::cancelled;  ///< the final state it goes to
  Reason reason = Reason::cancelled;
  std::string detail;
  std::uint32_t signal = 15;  ///< 9: no grace
  bool requeue = false;       ///< back to the queue instead
};
/// Ends a job that holds nodes. One that was never launched ends at once; else EndJob goes out and JobEnded is awaited.
void begin_ending(Effects& fx, Job& job, const Ending& ending);
/// A job that waits or whose processes are gone becomes final, or is requeued if `begin_ending` said so.
void finish_job(Effects& fx, Job& job, JobState state, Reason reason, std::string detail);

/// SIGTERM again as SIGKILL, warning signals, time limits: whatever of this job is due now.
void apply_job_deadlines(Effects& fx, Job& job);
/// When apply_job_deadlines() has something to do.
Time next_deadline_of(const Job& job);

/// Keeps queue, living, front, ended and the policy's counters in step with the job's state. Call after every change of
/// state or reason.
void index_job(State& state, const Job& job);

}  // namespace virga
