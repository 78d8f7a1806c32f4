#include "sim/flat/metrics.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace virga {

namespace {

__extension__ using Wide = __int128;  // unit-seconds times seconds of a large overlay need more than 64 bits

std::int64_t work_of(const TraceJob& job) { return job.units * job.duration_s; }

}  // namespace

double wait_bound_s(std::span<const TraceJob> jobs, std::int64_t units) {
  std::vector<std::pair<std::int64_t, std::int64_t>> changes;  // of the demand
  changes.reserve(2 * jobs.size());
  Wide work = 0;
  for (const TraceJob& job : jobs) {
    changes.emplace_back(job.submit_s, job.units);
    changes.emplace_back(job.submit_s + job.duration_s, -std::int64_t{job.units});
    work += work_of(job);
  }
  std::sort(changes.begin(), changes.end());
  double backlog = 0;  // unit-seconds
  double area = 0;     // its integral over time
  std::int64_t demand = 0;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    demand += changes[i].second;
    const bool is_last = i + 1 == changes.size();
    const double slope = static_cast<double>(demand - units);
    const double lasts = is_last ? 0 : static_cast<double>(changes[i + 1].first - changes[i].first);
    if (is_last || (slope < 0 && backlog + slope * lasts < 0)) {
      if (slope < 0) area += backlog * backlog / (-2 * slope);
      backlog = 0;
    } else {
      area += (backlog + slope * lasts / 2) * lasts;
      backlog += slope * lasts;
    }
  }
  return area / static_cast<double>(work);
}

FlatMetrics measure_flat(std::span<const TraceJob> jobs, const FlatRun& run, std::int64_t units) {
  FlatMetrics m;
  m.jobs = jobs.size();
  Wide wait_sum = 0;
  Wide work = 0;
  Wide waited_work = 0;
  double slowdown_sum = 0;
  std::int64_t last_end = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::int64_t wait = run.start_s[i] - jobs[i].submit_s;
    wait_sum += wait;
    work += work_of(jobs[i]);
    waited_work += Wide{wait} * work_of(jobs[i]);
    m.max_wait_s = std::max(m.max_wait_s, wait);
    m.waited_jobs += wait > 0;
    const std::int64_t length = std::max<std::int64_t>(jobs[i].duration_s, 10);
    slowdown_sum += std::max(1.0, static_cast<double>(wait + jobs[i].duration_s) / static_cast<double>(length));
    last_end = std::max(last_end, run.start_s[i] + jobs[i].duration_s);
    if (run.promised_s[i] != k_no_promise && wait > 0) {
      ++m.promises;
      m.promises_broken += run.start_s[i] > run.promised_s[i];
    }
  }
  const double count = static_cast<double>(m.jobs);
  m.mean_wait_s = static_cast<double>(wait_sum) / count;
  m.mean_bsld10 = slowdown_sum / count;
  m.makespan_s = last_end - jobs.front().submit_s;
  m.utilisation = static_cast<double>(work) / (static_cast<double>(units) * static_cast<double>(m.makespan_s));
  m.area_weighted_wait_s = static_cast<double>(waited_work) / static_cast<double>(work);
  m.area_weighted_wait_bound_s = wait_bound_s(jobs, units);
  if (m.area_weighted_wait_bound_s > 0) {
    m.area_weighted_wait_ratio = m.area_weighted_wait_s / m.area_weighted_wait_bound_s;
  }
  if (run.queued_s > 0) {
    m.utilisation_while_queued =
        static_cast<double>(run.queued_unit_seconds) / (static_cast<double>(units) * static_cast<double>(run.queued_s));
  }
  return m;
}

}  // namespace virga
