#include "http/wait_board.hpp"

#include "http/job_reads.hpp"
#include "wire/api_bodies.hpp"

namespace virga {

void WaitBoard::wait(JobId job, WaitFor what, Actor actor, Responder responder) {
  auto self = shared_from_this();
  controller_.with_journal(
      [self, job, waiter = Waiter{what, std::move(actor), std::move(responder)}](Journal& journal, const Brain& brain) {
        if (self->answer_if_reached(job, waiter, journal, brain)) return;
        WaiterKey key{job, ++self->last_waiter_};
        self->waiters_.emplace(key, waiter);
        waiter.responder.on_abandon(
            [self, key] { self->controller_.view([self, key](const Brain&) { self->waiters_.erase(key); }); });
      });
}

bool WaitBoard::answer_if_reached(JobId id, const Waiter& waiter, Journal& journal, const Brain& brain) {
  Result<Job> job = find_job(id, waiter.actor, journal, brain);
  if (!job) {
    waiter.responder.error(job.error());
    return true;
  }
  bool started = job->state == JobState::running || job->state == JobState::completing;
  bool reached = is_final(job->state) || (waiter.what == WaitFor::started && started);
  if (reached) waiter.responder.json(200, JobBody{api_now(brain), *std::move(job)});
  return reached;
}

void WaitBoard::on_event(const Event& event) {
  if (waiters_.empty()) return;
  struct Mark {
    WaitBoard& board;
    void operator()(const JobStarted& e) const { board.mark(e.job); }
    void operator()(const JobLaunchFailed& e) const { board.mark(e.job); }
    void operator()(const JobEnded& e) const { board.mark(e.job); }
    // These change no job's state, or none that is waited for.
    void operator()(const JobSubmitted&) const {}
    void operator()(const StepStarted&) const {}
    void operator()(const StepEnded&) const {}
    void operator()(const CheckpointDone&) const {}
    void operator()(const JobAccounted&) const {}
    void operator()(const GangGranted&) const {}
    void operator()(const VmReady&) const {}
    void operator()(const VmReleased&) const {}
    // These may end jobs that they do not name; an action may be for a whole array.
    void operator()(const JobActed&) const { board.mark_all(); }
    void operator()(const JobChanged&) const { board.mark_all(); }
    void operator()(const ConfigChanged&) const { board.mark_all(); }
    void operator()(const PartitionUpdated&) const { board.mark_all(); }
    void operator()(const NodeUpdated&) const { board.mark_all(); }
    void operator()(const ShutdownRequested&) const { board.mark_all(); }
    void operator()(const ControllerStarted&) const { board.mark_all(); }
    void operator()(const GangRefused&) const { board.mark_all(); }
    void operator()(const VmFailed&) const { board.mark_all(); }
    void operator()(const VmEvicting&) const { board.mark_all(); }
    void operator()(const VmUnhealthy&) const { board.mark_all(); }
    void operator()(const TimerFired&) const { board.mark_all(); }
  };
  std::visit(Mark{*this}, event.body);
}

void WaitBoard::mark(JobId job) {
  auto it = waiters_.lower_bound({job, 0});
  if (it == waiters_.end() || it->first.first != job) return;
  marked_.insert(job);
  check_soon();
}

void WaitBoard::mark_all() {
  all_marked_ = true;
  check_soon();
}

void WaitBoard::check_soon() {
  if (check_is_coming_) return;
  check_is_coming_ = true;
  controller_.with_journal(
      [self = shared_from_this()](Journal& journal, const Brain& brain) { self->check_marked(journal, brain); });
}

void WaitBoard::check_marked(Journal& journal, const Brain& brain) {
  check_is_coming_ = false;
  std::set<JobId> jobs = std::exchange(marked_, {});
  if (std::exchange(all_marked_, false)) {
    for (const auto& [key, waiter] : waiters_) jobs.insert(jobs.end(), key.first);
  }
  for (JobId job : jobs) {
    auto it = waiters_.lower_bound({job, 0});
    while (it != waiters_.end() && it->first.first == job) {
      it = answer_if_reached(job, it->second, journal, brain) ? waiters_.erase(it) : std::next(it);
    }
  }
}

}  // namespace virga
