#include "sim/flat/flat_simulator.hpp"

#include <algorithm>
#include <queue>
#include <utility>

#include "base/assert.hpp"
#include "brain/sched/conservative.hpp"
#include "brain/sched/due_order.hpp"

namespace virga {

namespace {

/// The pool: what runs, what waits, and the time. It is the machine of the passes.
class FlatMachine {
 public:
  FlatMachine(std::span<const TraceJob> jobs, const FlatOptions& options)
      : jobs_(jobs), options_(options), free_(options.units), plan_(options.units) {
    run_.start_s.assign(jobs.size(), 0);
    run_.promised_s.assign(jobs.size(), k_no_promise);
  }

  // What a pass asks for.
  Time now() const { return Time::from_seconds(now_s_); }
  std::int64_t free_units() const { return free_; }
  Shadow shadow(const WaitingEntry& entry) {
    const Shadow shadow = running_.shadow({free_, entry.units, now()});
    std::int64_t& promised = run_.promised_s[index_of(entry.job)];
    if (promised == k_no_promise) promised = shadow.at.whole_seconds();
    return shadow;
  }
  bool start(const WaitingEntry& entry) {
    const std::size_t i = index_of(entry.job);
    run_.start_s[i] = now_s_;
    free_ -= entry.units;
    ends_.emplace(now_s_ + jobs_[i].duration_s, entry.job);
    if (uses_plan()) return true;
    if (options_.policy == QueuePolicy::virga) {
      queue_.erase(entry.key);
    } else {
      queue_.erase({0, entry.job.value});
    }
    if (options_.policy == QueuePolicy::easy_sjbf) shortest_.erase({entry.estimate.ns, entry.job.value});
    if (options_.policy != QueuePolicy::fcfs) running_.insert({{now() + entry.estimate, entry.job}, job(i).units});
    return true;
  }

  FlatRun run();

 private:
  using End = std::pair<std::int64_t, JobId>;

  static std::size_t index_of(JobId id) { return id.value - 1; }
  const TraceJob& job(std::size_t i) const { return jobs_[i]; }
  bool uses_plan() const { return options_.policy == QueuePolicy::conservative; }
  std::size_t waiting() const { return uses_plan() ? plan_.size() : queue_.size(); }
  Duration estimate_of(const TraceJob& job) const {
    return Duration::seconds(options_.estimates == FlatEstimates::exact ? job.duration_s : job.estimate_s);
  }

  void advance(std::int64_t to_s);
  void end_one();
  void submit_one();
  void pass();
  void keep_first(const WaitingEntry& head);

  std::span<const TraceJob> jobs_;
  FlatOptions options_;
  FlatRun run_;
  std::int64_t now_s_ = 0;
  std::int64_t free_;
  std::size_t submitted_ = 0;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  WaitingList queue_;     ///< in the order of submission; with virga by due time
  WaitingList shortest_;  ///< the same jobs by estimate; easy-sjbf only
  ReleaseProfile running_;
  ConservativePlan plan_;
};

void FlatMachine::advance(std::int64_t to_s) {
  if (waiting() > 0) {
    run_.queued_s += to_s - now_s_;
    run_.queued_unit_seconds += (to_s - now_s_) * (options_.units - free_);
  }
  now_s_ = to_s;
}

void FlatMachine::end_one() {
  const JobId id = ends_.top().second;
  ends_.pop();
  const std::size_t i = index_of(id);
  const Time started = Time::from_seconds(run_.start_s[i]);
  const Time expected = started + estimate_of(job(i));
  free_ += job(i).units;
  if (uses_plan()) {
    plan_.ended({started, expected}, job(i).units, now());
  } else if (options_.policy != QueuePolicy::fcfs) {
    const bool was_there = running_.erase({expected, id});
    VIRGA_ASSERT(was_there, "a job ended that did not run");
  }
}

void FlatMachine::submit_one() {
  const std::size_t i = submitted_++;
  const JobId id{static_cast<std::uint32_t>(i + 1)};
  WaitingEntry entry{{0, id.value}, id, job(i).units, estimate_of(job(i))};
  if (uses_plan()) {
    run_.promised_s[i] = plan_.submit(entry, now()).whole_seconds();
  } else {
    if (options_.policy == QueuePolicy::virga) entry.key.rank = due_of(now(), entry.estimate).ns;
    queue_.insert(entry);
    entry.key.rank = entry.estimate.ns;
    if (options_.policy == QueuePolicy::easy_sjbf) shortest_.insert(entry);
  }
}

void FlatMachine::pass() {
  ++run_.passes;
  run_.waiting_max = std::max<std::uint64_t>(run_.waiting_max, waiting());
  switch (options_.policy) {
    case QueuePolicy::fcfs:
      backfill_pass(queue_, nullptr, *this);
      break;
    case QueuePolicy::easy:
      run_.backfilled += backfill_pass(queue_, &queue_, *this).backfilled;
      break;
    case QueuePolicy::easy_sjbf:
      run_.backfilled += backfill_pass(queue_, &shortest_, *this).backfilled;
      break;
    case QueuePolicy::conservative:
      plan_.pass(*this);
      break;
    case QueuePolicy::virga:
      const PassResult done = backfill_pass(queue_, &queue_, *this);
      run_.backfilled += done.backfilled;
      if (done.blocked) keep_first(*done.blocked);
      break;
  }
}

/// It was told a start time: who is due earlier, but came later, must not delay it.
void FlatMachine::keep_first(const WaitingEntry& head) {
  if (head.key.rank == k_promised_rank) return;
  queue_.erase(head.key);
  WaitingEntry promised = head;
  promised.key.rank = k_promised_rank;
  queue_.insert(promised);
}

FlatRun FlatMachine::run() {
  const bool pass_each = options_.pass == FlatPass::event;
  while (submitted_ < jobs_.size() || !ends_.empty()) {
    std::int64_t next = k_no_promise;
    if (submitted_ < jobs_.size()) next = jobs_[submitted_].submit_s;
    if (!ends_.empty()) next = std::min(next, ends_.top().first);
    advance(next);
    while (!ends_.empty() && ends_.top().first == now_s_) {
      end_one();
      if (pass_each) pass();
    }
    while (submitted_ < jobs_.size() && jobs_[submitted_].submit_s == now_s_) {
      submit_one();
      if (pass_each) pass();
    }
    if (!pass_each) pass();
  }
  VIRGA_ASSERT(waiting() == 0, "a job was never started");
  return std::move(run_);
}

}  // namespace

FlatRun simulate_flat(std::span<const TraceJob> jobs, const FlatOptions& options) {
  return FlatMachine(jobs, options).run();
}

}  // namespace virga
