// The simulator again, as plainly as it can be said: no index, no heap, every question answered by looking at every
// job.
//
//   std::vector<std::int64_t> start_s = ReferenceSimulator(workload.jobs, options).run();
#pragma once

#include <algorithm>
#include <set>
#include <span>
#include <vector>

#include "sim/flat/flat_simulator.hpp"

namespace virga::test {

class ReferenceSimulator {
 public:
  ReferenceSimulator(std::span<const TraceJob> jobs, FlatOptions options)
      : jobs_(jobs),
        options_(options),
        state_(jobs.size(), unknown),
        start_(jobs.size(), -1),
        planned_(jobs.size(), -1),
        was_head_(jobs.size()) {}

  std::vector<std::int64_t> run() {
    for (;;) {
      std::set<std::int64_t> times;
      for (std::size_t i = 0; i < jobs_.size(); ++i) {
        if (state_[i] == unknown) times.insert(jobs_[i].submit_s);
        if (state_[i] == running) times.insert(start_[i] + jobs_[i].duration_s);
        if (state_[i] == waiting && is_conservative()) times.insert(std::max(now_, planned_[i]));
      }
      if (times.empty()) return start_;
      now_ = *times.begin();
      events_at_now();
    }
  }

 private:
  enum JobIs { unknown, waiting, running, done };

  bool is_conservative() const { return options_.policy == QueuePolicy::conservative; }
  std::int64_t estimate(std::size_t i) const {
    return options_.estimates == FlatEstimates::exact ? jobs_[i].duration_s : jobs_[i].estimate_s;
  }
  std::int64_t free_units() const {
    std::int64_t free = options_.units;
    for (std::size_t i = 0; i < jobs_.size(); ++i) free -= state_[i] == running ? jobs_[i].units : 0;
    return free;
  }
  bool fits(std::size_t i) const { return jobs_[i].units <= free_units(); }
  void start(std::size_t i) {
    state_[i] = running;
    start_[i] = now_;
  }
  std::vector<std::size_t> queue() const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (state_[i] == waiting) all.push_back(i);
    }
    return all;
  }

  std::vector<std::size_t> by_plan() const {
    std::vector<std::size_t> all = queue();
    std::stable_sort(all.begin(), all.end(), [&](std::size_t a, std::size_t b) { return planned_[a] < planned_[b]; });
    return all;
  }

  /// Five times its estimate after it came, but no later than 18 hours; who once was the head, before all others.
  void sort_by_due_time(std::vector<std::size_t>& all) const {
    const auto due_s = [&](std::size_t i) {
      if (was_head_[i]) return std::int64_t{-1};
      return jobs_[i].submit_s + std::min<std::int64_t>(5 * estimate(i), 64'800);
    };
    std::stable_sort(all.begin(), all.end(), [&](std::size_t a, std::size_t b) { return due_s(a) < due_s(b); });
  }

  void events_at_now() {
    const bool each = options_.pass == FlatPass::event;
    bool any = false;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (state_[i] != running || start_[i] + jobs_[i].duration_s != now_) continue;
      state_[i] = done;
      if (start_[i] + estimate(i) > now_) has_hole_ = true;
      any = true;
      if (each) pass();
    }
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (state_[i] != unknown || jobs_[i].submit_s != now_) continue;
      state_[i] = waiting;
      if (is_conservative()) {
        move_forward();
        planned_[i] = earliest(i);
      }
      any = true;
      if (each) pass();
    }
    if (!each || !any) pass();
  }

  void pass() {
    if (is_conservative()) return conservative_pass();
    std::vector<std::size_t> waiting_jobs = queue();
    if (options_.policy == QueuePolicy::virga) sort_by_due_time(waiting_jobs);
    while (!waiting_jobs.empty() && fits(waiting_jobs.front())) {
      start(waiting_jobs.front());
      waiting_jobs.erase(waiting_jobs.begin());
    }
    if (waiting_jobs.empty() || options_.policy == QueuePolicy::fcfs) return;
    const std::size_t head = waiting_jobs.front();
    was_head_[head] = true;
    waiting_jobs.erase(waiting_jobs.begin());
    std::set<std::int64_t> ends = {now_};
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (state_[i] == running) ends.insert(start_[i] + estimate(i));
    }
    std::int64_t shadow = now_;
    for (auto end = ends.begin(); free_if_nobody_starts(shadow) < jobs_[head].units; ++end) shadow = *end;
    std::int64_t extra = free_if_nobody_starts(shadow) - jobs_[head].units;
    if (options_.policy == QueuePolicy::easy_sjbf) {
      std::stable_sort(waiting_jobs.begin(), waiting_jobs.end(),
                       [&](std::size_t a, std::size_t b) { return estimate(a) < estimate(b); });
    }
    for (const std::size_t i : waiting_jobs) {
      if (!fits(i)) continue;
      if (now_ + estimate(i) <= shadow) {
        start(i);
      } else if (jobs_[i].units <= extra) {
        extra -= jobs_[i].units;
        start(i);
      }
    }
  }

  std::int64_t free_if_nobody_starts(std::int64_t t) const {
    std::int64_t free = options_.units;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      if (state_[i] == running && start_[i] + estimate(i) > t) free -= jobs_[i].units;
    }
    return free;
  }

  /// Second by second, with what runs and all plans but that of this job taken off.
  std::int64_t earliest(std::size_t job) const {
    std::vector<std::int64_t> free;
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
      const bool is_planned = state_[i] == waiting && i != job && planned_[i] >= 0;
      if (!is_planned && state_[i] != running) continue;
      const std::int64_t begin = is_planned ? planned_[i] : now_;
      const std::int64_t end = (is_planned ? planned_[i] : start_[i]) + estimate(i);
      if (end - now_ > static_cast<std::int64_t>(free.size())) free.resize(end - now_, options_.units);
      for (std::int64_t t = std::max(begin, now_); t < end; ++t) free[t - now_] -= jobs_[i].units;
    }
    std::int64_t start = now_;
    for (std::int64_t t = now_; t < start + estimate(job) && t - now_ < static_cast<std::int64_t>(free.size()); ++t) {
      if (free[t - now_] < jobs_[job].units) start = t + 1;
    }
    return start;
  }
  /// Until nobody can move any more.
  void move_forward() {
    while (has_hole_) {
      has_hole_ = false;
      for (const std::size_t i : by_plan()) {
        const std::int64_t start = planned_[i] > now_ ? earliest(i) : planned_[i];
        if (start < planned_[i]) has_hole_ = true;
        planned_[i] = std::min(planned_[i], start);
      }
    }
  }
  void conservative_pass() {
    move_forward();
    for (const std::size_t i : by_plan()) {
      if (planned_[i] <= now_ && fits(i)) start(i);
    }
  }

  std::span<const TraceJob> jobs_;
  FlatOptions options_;
  std::vector<JobIs> state_;
  std::vector<std::int64_t> start_;
  std::vector<std::int64_t> planned_;
  std::vector<bool> was_head_;
  std::int64_t now_ = 0;
  bool has_hole_ = false;
};

}  // namespace virga::test
