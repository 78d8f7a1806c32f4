#include "unit/sim/easy_run.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "base/prng.hpp"

namespace virga {
namespace {

constexpr std::int64_t k_never = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t k_boot_s = 240;
constexpr std::int64_t k_idle_s = 1800;

struct Random : Prng {
  using Prng::Prng;
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(Prng::below(static_cast<std::uint64_t>(n))); }
};

class Easy {
 public:
  Easy(const EasyMachine& machine, const std::vector<EasyJob>& jobs, RunRecord& run)
      : machine_(machine), jobs_(jobs), run_(run), random_{machine.seed} {}

  void simulate();

 private:
  struct Running {
    std::size_t job;
    std::int64_t end;
    std::int64_t estimate;
    std::size_t gang;
  };
  void start(std::size_t job);
  void stop(std::size_t index, bool failed);
  void fail_node();
  void pass();
  bool fits(std::size_t job) const { return jobs_[job].nodes <= static_cast<std::int64_t>(free_.size()); }

  const EasyMachine& machine_;
  const std::vector<EasyJob>& jobs_;
  RunRecord& run_;
  Random random_;
  std::int64_t now_ = 0;
  std::set<std::uint32_t> free_;
  std::set<std::size_t> queue_;
  std::vector<Running> running_;
  std::map<std::size_t, std::int64_t> done_;  ///< whole hours saved before a failure
};

void Easy::start(std::size_t job) {
  GangRun gang{.job = run_.jobs[job].id, .start = Time::from_seconds(now_), .end = Time::never(), .rows = {}};
  std::set<std::uint32_t> leaves;
  for (std::int64_t i = 0; i < jobs_[job].nodes; ++i) {
    const auto row = *free_.begin();
    free_.erase(free_.begin());
    leaves.insert(row / machine_.nodes_per_leaf);
    if (!gang.rows.empty() && gang.rows.back().first + gang.rows.back().count == row) {
      ++gang.rows.back().count;
    } else {
      gang.rows.push_back({row, 1});
    }
  }
  auto& record = run_.jobs[job];
  if (!record.started()) record.start = Time::from_seconds(now_);
  record.leaves = static_cast<std::uint32_t>(leaves.size());
  record.state = JobState::running;
  const auto left = jobs_[job].duration_s - done_[job];
  running_.push_back({job, now_ + left, now_ + std::max(left, jobs_[job].limit_s - done_[job]), run_.gangs.size()});
  run_.gangs.push_back(std::move(gang));
  queue_.erase(job);
}

void Easy::stop(std::size_t index, bool failed) {
  const auto was = running_[index];
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  auto& gang = run_.gangs[was.gang];
  gang.end = Time::from_seconds(now_);
  gang.failed = failed;
  for (const auto& span : gang.rows) {
    for (auto row = span.first; row < span.first + span.count; ++row) free_.insert(row);
  }
  auto& record = run_.jobs[was.job];
  if (!failed) {
    record.end = gang.end;
    record.state = JobState::completed;
    return;
  }
  const auto ran = (gang.end - gang.start).whole_seconds();
  done_[was.job] += ran / 3600 * 3600;
  record.lost_node_seconds += static_cast<std::uint64_t>(ran % 3600 * jobs_[was.job].nodes);
  ++record.incarnations;
  record.state = JobState::pending;
  queue_.insert(was.job);
}

void Easy::fail_node() {
  const auto row = static_cast<std::uint32_t>(random_.below(static_cast<std::int64_t>(run_.rows.size())));
  std::string victim = "no job ran there";
  for (std::size_t i = 0; i < running_.size(); ++i) {
    for (const auto& span : run_.gangs[running_[i].gang].rows) {
      if (row < span.first || row >= span.first + span.count) continue;
      victim = "job " + std::to_string(run_.jobs[running_[i].job].id.value) + " starts again";
      stop(i, true);
      run_.faults.push_back({Time::from_seconds(now_), "node failure", run_.rows[row].name + ": " + victim});
      return;
    }
  }
  run_.faults.push_back({Time::from_seconds(now_), "node failure", run_.rows[row].name + ": " + victim});
}

void Easy::pass() {
  while (!queue_.empty() && fits(*queue_.begin())) start(*queue_.begin());
  if (queue_.empty() || free_.empty()) return;
  std::vector<std::pair<std::int64_t, std::int64_t>> ends;
  for (const auto& r : running_) ends.push_back({r.estimate, jobs_[r.job].nodes});
  std::sort(ends.begin(), ends.end());
  auto free = static_cast<std::int64_t>(free_.size());
  std::int64_t shadow = now_;
  const auto head = jobs_[*queue_.begin()].nodes;
  for (std::size_t i = 0; i < ends.size() && (free < head || ends[i].first == shadow); ++i) {
    free += ends[i].second;
    shadow = ends[i].first;
  }
  auto extra = free - head;
  for (auto at = std::next(queue_.begin()); at != queue_.end();) {
    const auto job = *at++;
    const bool in_time = now_ + std::max(jobs_[job].limit_s, jobs_[job].duration_s) <= shadow;
    if (!fits(job) || (!in_time && jobs_[job].nodes > extra)) continue;
    if (!in_time) extra -= jobs_[job].nodes;
    start(job);
  }
}

void Easy::simulate() {
  for (std::uint32_t row = 0; row < run_.rows.size(); ++row) free_.insert(row);
  std::size_t next = 0;
  std::int64_t fault = machine_.node_failure_every_s > 0 ? machine_.node_failure_every_s : k_never;
  while (next < jobs_.size() || !running_.empty()) {
    now_ = next < jobs_.size() ? jobs_[next].submit_s : k_never;
    for (const auto& r : running_) now_ = std::min(now_, r.end);
    now_ = std::min(now_, fault);
    for (std::size_t i = running_.size(); i-- > 0;) {
      if (running_[i].end == now_) stop(i, false);
    }
    if (now_ == fault) {
      fail_node();
      fault += 1 + random_.below(2 * machine_.node_failure_every_s);
    }
    while (next < jobs_.size() && jobs_[next].submit_s == now_) queue_.insert(next++);
    pass();
  }
  run_.to = Time::from_seconds(now_);
}

void add_rows(const EasyMachine& machine, RunRecord& run) {
  for (std::uint32_t pool = 0; pool < machine.pools.size(); ++pool) {
    for (std::uint32_t i = 0; i < machine.pools[pool].max_nodes; ++i) {
      const auto leaf = "leaf-" + std::to_string(run.rows.size() / machine.nodes_per_leaf + 1);
      run.rows.push_back({machine.pools[pool].name + std::to_string(i + 1), pool, leaf});
    }
  }
}

/// VMs of each row from the gangs that ran there.
void add_vms(RunRecord& run) {
  std::vector<std::vector<std::pair<std::int64_t, std::int64_t>>> busy(run.rows.size());
  for (const auto& gang : run.gangs) {
    for (const auto& span : gang.rows) {
      for (auto row = span.first; row < span.first + span.count; ++row) {
        busy[row].push_back({gang.start.whole_seconds(), gang.end.whole_seconds()});
      }
    }
  }
  const auto seconds = [](std::int64_t s) { return Time::from_seconds(s); };
  for (std::uint32_t row = 0; row < run.rows.size(); ++row) {
    const auto pool = run.rows[row].pool;
    std::int64_t from = k_never, to = 0;
    const auto close = [&] {
      if (from == k_never) return;
      const auto asked = std::max<std::int64_t>(0, from - k_boot_s);
      const auto until = std::min(to + k_idle_s, run.to.whole_seconds());
      run.vms.push_back({VmId{run.vms.size() + 1}, run.rows[row].name, pool, seconds(asked), seconds(asked + 5),
                         seconds(from), seconds(until)});
    };
    if (run.pools[pool].kind == PoolKind::reserved) {
      run.vms.push_back({VmId{run.vms.size() + 1}, run.rows[row].name, pool, run.from, run.from, run.from});
      continue;
    }
    for (const auto& [start, end] : busy[row]) {
      if (from != k_never && start <= to + k_idle_s) {
        to = std::max(to, end);
        continue;
      }
      close();
      from = start;
      to = end;
    }
    close();
  }
}

void add_series(const EasyMachine& machine, RunRecord& run) {
  const auto step = machine.sample_every_s;
  const auto count = static_cast<std::size_t>(run.to.whole_seconds() / step + 1);
  run.series.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    run.series[i].at = Time::from_seconds(static_cast<std::int64_t>(i) * step);
    run.series[i].pools.resize(run.pools.size());
  }
  const auto first_at = [&](Time t) { return static_cast<std::size_t>((t.whole_seconds() + step - 1) / step); };
  const auto each = [&](Time from, Time to, auto&& f) {
    for (auto i = first_at(from); i < count && i < first_at(to); ++i) f(run.series[i]);
  };
  std::map<JobId, std::uint64_t> units;
  for (const auto& job : run.jobs) {
    units[job.id] = job.units;
    each(job.submit, job.start, [&](SeriesSample& s) {
      ++s.queued_jobs;
      s.queued_units += job.units;
    });
  }
  for (const auto& gang : run.gangs) {
    each(gang.start, gang.end, [&](SeriesSample& s) { s.running_units += units[gang.job]; });
  }
  for (const auto& vm : run.vms) {
    each(vm.granted, vm.ready, [&](SeriesSample& s) { ++s.pools[vm.pool].booting; });
    each(vm.ready, vm.released, [&](SeriesSample& s) { ++s.pools[vm.pool].ready; });
  }
}

}  // namespace

RunRecord easy_run(const std::string& name, const EasyMachine& machine, const std::vector<EasyJob>& jobs) {
  RunRecord run;
  run.name = name;
  run.policy = "easy";
  run.seed = machine.seed;
  run.version = "test";
  run.pools = machine.pools;
  run.unit = machine.pools.front().units_per_node > 1 ? "GPU" : "node";
  add_rows(machine, run);
  for (const auto& job : jobs) {
    JobRecord record;
    record.id = JobId{static_cast<std::uint32_t>(run.jobs.size() + 1)};
    record.user = job.user;
    record.nodes = static_cast<std::uint32_t>(job.nodes);
    record.units = static_cast<std::uint64_t>(job.nodes) * machine.pools.front().units_per_node;
    record.submit = record.eligible = Time::from_seconds(job.submit_s);
    record.start = Time::never();
    record.needed = Duration::seconds(job.duration_s);
    record.limit = Duration::seconds(job.limit_s);
    record.least_leaves = (record.nodes + machine.nodes_per_leaf - 1) / machine.nodes_per_leaf;
    record.wait_reason = Reason::resources;
    record.wait_detail = std::to_string(record.nodes) + " nodes were not free at once";
    run.jobs.push_back(std::move(record));
  }
  Easy(machine, jobs, run).simulate();
  add_vms(run);
  add_series(machine, run);
  return run;
}

EasyMachine big_machine(std::uint64_t seed) {
  EasyMachine machine;
  machine.pools = {{"base", PoolKind::reserved, Money::usd(39, 330'000), 1200, 8},
                   {"burst", PoolKind::on_demand, Money::usd(98, 320'000), 400, 8},
                   {"spot", PoolKind::spot, Money::usd(29, 500'000), 200, 8}};
  machine.node_failure_every_s = 5 * 3600;
  machine.seed = seed;
  return machine;
}

std::vector<EasyJob> big_jobs(std::uint64_t seed, int count) {
  constexpr std::int64_t k_days = 30;
  Random random{seed};
  std::vector<EasyJob> jobs;
  while (jobs.size() < static_cast<std::size_t>(count)) {
    EasyJob job;
    job.submit_s = random.below(k_days * 86400);
    const auto hour = job.submit_s / 3600 % 24;
    const auto weekday = job.submit_s / 86400 % 7;
    if (random.below(100) >= (hour >= 8 && hour < 20 ? 90 : 35) / (weekday >= 5 ? 2 : 1)) continue;
    const auto kind = random.below(1000);
    const int doublings = static_cast<int>(kind < 700   ? random.below(3)
                                           : kind < 940 ? 2 + random.below(3)
                                           : kind < 997 ? 5 + random.below(3)
                                                        : 8 + random.below(2));
    job.nodes = std::int64_t{1} << doublings;
    job.duration_s = 120 + random.below(1200);
    for (auto i = random.below(8); i > 0; --i) job.duration_s = job.duration_s * 9 / 5;
    job.limit_s = job.duration_s * (100 + random.below(200)) / 100;
    job.user = "u" + std::to_string(random.below(40));
    jobs.push_back(std::move(job));
  }
  std::stable_sort(jobs.begin(), jobs.end(), [](auto& a, auto& b) { return a.submit_s < b.submit_s; });
  return jobs;
}

}  // namespace virga
