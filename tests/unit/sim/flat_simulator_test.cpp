// The simulator against its plain twin, against its promises, and against what no schedule can beat.
#include "sim/flat/flat_simulator.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <vector>

#include "brain/sched/due_order.hpp"
#include "reference.hpp"
#include "sim/flat/metrics.hpp"
#include "workloads.hpp"

namespace virga::test {

namespace {

constexpr std::uint64_t k_workloads = 1000;

/// Never more units than there are, nobody before submission.
bool is_feasible(const Workload& w, const FlatRun& run) {
  std::map<std::int64_t, std::int64_t> changes;
  for (std::size_t i = 0; i < w.jobs.size(); ++i) {
    if (run.start_s[i] < w.jobs[i].submit_s) return false;
    changes[run.start_s[i]] += w.jobs[i].units;
    changes[run.start_s[i] + w.jobs[i].duration_s] -= w.jobs[i].units;
  }
  std::int64_t used = 0;
  for (const auto& [at, change] : changes) {
    used += change;
    if (used > w.units) return false;
  }
  return true;
}

struct Optimum {
  std::int64_t makespan_s = std::numeric_limits<std::int64_t>::max();
  std::int64_t wait_area = std::numeric_limits<std::int64_t>::max();  ///< sum of wait * units * duration
  friend bool operator==(const Optimum&, const Optimum&) = default;
};

/// The best of all schedules, which share no code with those under test. One of all orders, each job as early as it can
/// be after those before it, is best: both measures only grow with the end of any job (Sprecher, Kolisch, Drexl,
/// "Semi-active, active, and non-delay schedules", 1995). Such a schedule also comes of its jobs in order of their
/// starts, so an order that leads to an earlier start than the one before is not followed; nor is one that can lead to
/// nothing better, as no job starts earlier because others are placed.
class BestSchedule {
 public:
  BestSchedule(const Workload& w, bool skips) : w_(w), skips_(skips) {
    std::int64_t horizon_s = w.jobs.back().submit_s;
    for (const TraceJob& job : w.jobs) horizon_s += job.duration_s;
    used_.resize(static_cast<std::size_t>(horizon_s) + 1);
    is_placed_.resize(w.jobs.size());
  }

  Optimum find() {
    place_next({.last_start_s = 0, .end_s = 0, .wait_area = 0});
    best_.makespan_s -= w_.jobs.front().submit_s;
    return best_;
  }

 private:
  struct Partial {
    std::int64_t last_start_s = 0;
    std::int64_t end_s = 0;
    std::int64_t wait_area = 0;

    Partial with(const TraceJob& job, std::int64_t start_s) const {
      return {start_s, std::max(end_s, start_s + job.duration_s),
              wait_area + (start_s - job.submit_s) * job.units * job.duration_s};
    }
  };

  std::int64_t earliest(const TraceJob& job) const {
    std::int64_t start_s = job.submit_s;
    for (std::int64_t s = start_s; s < start_s + job.duration_s; ++s) {
      if (used_[static_cast<std::size_t>(s)] + job.units > w_.units) start_s = s + 1;
    }
    return start_s;
  }

  void occupy(const TraceJob& job, std::int64_t start_s, std::int64_t units) {
    for (std::int64_t s = start_s; s < start_s + job.duration_s; ++s) used_[static_cast<std::size_t>(s)] += units;
  }

  void place_next(const Partial& before) {
    std::vector<std::int64_t> starts(w_.jobs.size());
    Partial least = before;
    for (std::size_t i = 0; i < w_.jobs.size(); ++i) {
      if (is_placed_[i]) continue;
      starts[i] = earliest(w_.jobs[i]);
      least = least.with(w_.jobs[i], starts[i]);
    }
    if (std::count(is_placed_.begin(), is_placed_.end(), true) == static_cast<std::ptrdiff_t>(is_placed_.size())) {
      best_.makespan_s = std::min(best_.makespan_s, before.end_s);
      best_.wait_area = std::min(best_.wait_area, before.wait_area);
    }
    if (skips_ && least.end_s >= best_.makespan_s && least.wait_area >= best_.wait_area) return;
    for (std::size_t i = 0; i < w_.jobs.size(); ++i) {
      if (is_placed_[i] || (skips_ && starts[i] < before.last_start_s)) continue;
      is_placed_[i] = true;
      occupy(w_.jobs[i], starts[i], w_.jobs[i].units);
      place_next(before.with(w_.jobs[i], starts[i]));
      occupy(w_.jobs[i], starts[i], -static_cast<std::int64_t>(w_.jobs[i].units));
      is_placed_[i] = false;
    }
  }

  const Workload& w_;
  const bool skips_;
  Optimum best_;
  std::vector<std::int64_t> used_;  ///< units in each second
  std::vector<bool> is_placed_;
};

}  // namespace

TEST_CASE("every job of 1,000 workloads starts when the plain simulator starts it, under every option") {
  for (std::uint64_t seed = 1; seed <= k_workloads; ++seed) {
    const Workload w = random_workload(seed);
    for (const FlatOptions& options : all_options(w.units)) {
      const FlatRun run = simulate_flat(w.jobs, options);
      const bool same = run.start_s == ReferenceSimulator(w.jobs, options).run();
      INFO("seed ", seed, ", ", text_of(options));
      CHECK(same);
    }
  }
}

TEST_CASE("by due time, long jobs too start when the plain simulator starts them") {
  std::uint64_t late_due = 0;
  for (std::uint64_t seed = 1; seed <= k_workloads; ++seed) {
    Workload w = random_workload(seed);
    for (TraceJob& job : w.jobs) {  // half an hour for each second: some are due after 18 hours, some before
      job.submit_s *= 1800;
      job.duration_s *= 1800;
      job.estimate_s *= 1800;
      late_due += job.estimate_s * 5 > 64'800;
    }
    const FlatOptions options{.units = w.units, .policy = QueuePolicy::virga};
    const FlatRun run = simulate_flat(w.jobs, options);
    const bool same = run.start_s == ReferenceSimulator(w.jobs, options).run();
    INFO("seed ", seed);
    CHECK(same);
  }
  CHECK(late_due > 5'000);
}

TEST_CASE("due times: five times the estimate, and no later than 18 hours") {
  const Time at = Time::from_seconds(1000);
  CHECK(due_of(at, Duration::seconds(60)) == Time::from_seconds(1300));
  CHECK(due_of(at, Duration::minutes(216)) == Time::from_seconds(1000 + 64'800));
  CHECK(due_of(at, Duration::minutes(217)) == Time::from_seconds(1000 + 64'800));
  CHECK(due_of(at, Duration::infinite()) == Time::from_seconds(1000 + 64'800));
}

TEST_CASE("by due time a short job goes before a long one, but not before one that was told its start") {
  // 2 units; the first job runs until 100. Of the next two, which come together, the short one goes first, though it
  // is behind in the file. The third comes later and is due first, but the head has been told to start at 100.
  std::vector<TraceJob> jobs = {{.submit_s = 0, .duration_s = 100, .estimate_s = 100, .units = 2},
                                {.submit_s = 10, .duration_s = 50, .estimate_s = 50, .units = 2},
                                {.submit_s = 10, .duration_s = 5, .estimate_s = 5, .units = 2},
                                {.submit_s = 11, .duration_s = 1, .estimate_s = 1, .units = 2}};
  const FlatRun run = simulate_flat(jobs, {.units = 2, .policy = QueuePolicy::virga});
  const std::vector<std::int64_t> expected = {0, 106, 100, 105};
  CHECK(run.start_s == expected);
  CHECK(run.promised_s[2] == 100);
}

TEST_CASE("nobody starts later than was first promised, and no schedule beats the bound") {
  std::uint64_t promises = 0;
  for (std::uint64_t seed = 1; seed <= k_workloads; ++seed) {
    const Workload w = random_workload(seed, seed % 10 == 0 ? 100 : 15);
    for (const FlatOptions& options : all_options(w.units)) {
      INFO("seed ", seed, ", ", text_of(options));
      const FlatRun run = simulate_flat(w.jobs, options);
      CHECK(is_feasible(w, run));
      const FlatMetrics m = measure_flat(w.jobs, run, w.units);
      CHECK(m.promises_broken == 0);
      CHECK(m.area_weighted_wait_s >= m.area_weighted_wait_bound_s - 1e-9);
      CHECK(m.utilisation <= 1);
      CHECK(m.utilisation_while_queued <= 1);
      promises += m.promises;
    }
  }
  CHECK(promises > 50'000);  // else the first check says nothing
}

TEST_CASE("the best of all schedules is also found where orders that lead nowhere are left out") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Workload w = random_workload(seed, 6);
    INFO("seed ", seed);
    const bool same = BestSchedule(w, true).find() == BestSchedule(w, false).find();
    CHECK(same);
  }
}

TEST_CASE("no policy beats the best of all schedules of up to eight jobs, which the bound does not exceed") {
  std::uint64_t optimal = 0;
  std::uint64_t beaten = 0;
  std::uint64_t with_eight_jobs = 0;
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    const Workload w = random_workload(seed, 8);
    const Optimum best = BestSchedule(w, true).find();
    std::int64_t work = 0;
    for (const TraceJob& job : w.jobs) work += job.units * job.duration_s;
    const double best_wait_s = static_cast<double>(best.wait_area) / static_cast<double>(work);
    CHECK(best_wait_s >= wait_bound_s(w.jobs, w.units) - 1e-9);
    with_eight_jobs += w.jobs.size() == 8;
    for (const FlatOptions& options : all_options(w.units)) {
      INFO("seed ", seed, ", ", text_of(options));
      const FlatMetrics m = measure_flat(w.jobs, simulate_flat(w.jobs, options), w.units);
      CHECK(m.makespan_s >= best.makespan_s);
      CHECK(m.area_weighted_wait_s >= best_wait_s - 1e-9);
      optimal += m.makespan_s == best.makespan_s;
      beaten += m.makespan_s > best.makespan_s;
    }
  }
  CHECK(optimal > 0);  // the optimum is one that can be had
  CHECK(beaten > 0);   // and one that can be missed
  CHECK(with_eight_jobs > 80);
}

TEST_CASE("the bound of a workload that is counted by hand") {
  // 10 units; at 0 a job of 10 x 10, at 5 another: from 5 to 10 the backlog grows to 50, from 10 to 15 the demand is
  // 10: it stays; then it is worked off in 5 s. Area 125 + 250 + 125 = 500 unit-seconds², work 200: 2.5 s.
  const std::vector<TraceJob> jobs = {{.submit_s = 0, .duration_s = 10, .estimate_s = 10, .units = 10},
                                      {.submit_s = 5, .duration_s = 10, .estimate_s = 10, .units = 10}};
  CHECK(wait_bound_s(jobs, 10) == doctest::Approx(2.5));
  CHECK(wait_bound_s(jobs, 20) == 0);
  const FlatMetrics m = measure_flat(jobs, simulate_flat(jobs, {.units = 10}), 10);
  CHECK(m.area_weighted_wait_s == 2.5);
  CHECK(m.area_weighted_wait_ratio == doctest::Approx(1));
  CHECK(m.mean_wait_s == 2.5);
  CHECK(m.max_wait_s == 5);
  CHECK(m.waited_jobs == 1);
  CHECK(m.mean_bsld10 == 1.25);
  CHECK(m.makespan_s == 20);
  CHECK(m.utilisation == 1);
  CHECK(m.utilisation_while_queued == 1);
  CHECK(m.promises == 1);
}

}  // namespace virga::test
