// The simulator against its plain twin, against its promises, and against what no schedule can beat.
#include "sim/flat/flat_simulator.hpp"

#include <doctest/doctest.h>

#include <map>
#include <numeric>

#include "brain/sched/availability_profile.hpp"
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
  double area_weighted_wait_s = std::numeric_limits<double>::max();
};

/// One of all orders, each job as early as it can be after those before it, is best: both measures only grow with the
/// end of any job (Sprecher, Kolisch, Drexl, "Semi-active, active, and non-delay schedules", 1995).
Optimum best_schedule(const Workload& w) {
  std::vector<std::size_t> order(w.jobs.size());
  std::iota(order.begin(), order.end(), 0);
  Optimum best;
  do {
    AvailabilityProfile free(w.units);
    std::int64_t end_s = 0;
    double area = 0;
    double work = 0;
    for (const std::size_t i : order) {
      const TraceJob& job = w.jobs[i];
      const Duration lasts = Duration::seconds(job.duration_s);
      const Time start = free.earliest_fit(Time::from_seconds(job.submit_s), {job.units, lasts});
      free.take({start, start + lasts}, job.units);
      const auto weight = static_cast<double>(job.units * job.duration_s);
      area += static_cast<double>(start.whole_seconds() - job.submit_s) * weight;
      work += weight;
      end_s = std::max(end_s, start.whole_seconds() + job.duration_s);
    }
    best.makespan_s = std::min(best.makespan_s, end_s - w.jobs.front().submit_s);
    best.area_weighted_wait_s = std::min(best.area_weighted_wait_s, area / work);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

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

TEST_CASE("no policy beats the best of all schedules of up to six jobs, which the bound does not exceed") {
  std::uint64_t optimal = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    const Workload w = random_workload(seed, 6);
    const Optimum best = best_schedule(w);
    CHECK(best.area_weighted_wait_s >= wait_bound_s(w.jobs, w.units) - 1e-9);
    for (const FlatOptions& options : all_options(w.units)) {
      INFO("seed ", seed, ", ", text_of(options));
      const FlatMetrics m = measure_flat(w.jobs, simulate_flat(w.jobs, options), w.units);
      CHECK(m.makespan_s >= best.makespan_s);
      CHECK(m.area_weighted_wait_s >= best.area_weighted_wait_s - 1e-9);
      optimal += m.makespan_s == best.makespan_s;
    }
  }
  CHECK(optimal > 0);  // the optimum is one that can be had
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
