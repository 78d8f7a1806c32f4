// Scenarios under the real control code: equal inputs give equal records, accounts add up, faults cost what they
// should.
#include "sim/scenario/scenario_run.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>

#include "sim/report/html_report.hpp"
#include "sim/report/metrics.hpp"
#include "sim/scenario/pool_layout.hpp"
#include "wire/config_toml.hpp"

namespace virga {
namespace {

const std::string k_pool = R"([pool.nd]
cloud = "sim"
max_nodes = 96
boot_time = "3m"
boot_timeout = "15m"
idle_time = "10m"
nodes_per_leaf = 8

[partition.main]
pools = ["nd"]
)";

const std::string k_workload = R"([workload]
span = "2d"
jobs_per_day = 150
users = 7
limit_over_percent = 100

[workload.mix.small]
weight = 3
least_gpus = 1
most_gpus = 8
median = "15m"
longest = "4h"

[workload.mix.large]
least_gpus = 16
most_gpus = 128
median = "40m"
longest = "10h"
checkpoint = "10m"
)";

ScenarioInput input_of(const std::string& text) {
  const auto scenario = parse_scenario(text, "s.toml");
  if (!scenario) FAIL(scenario.error().message);
  const auto config = parse_config(scenario->config_text, "s.toml", {.plain_network = {}, .simulated = true});
  if (!config) FAIL(config.error().message);
  return {.name = "s",
          .config = *config,
          .faults = scenario->faults,
          .jobs = make_workload(scenario->workload),
          .seed = scenario->workload.seed};
}

RunRecord record_of(const std::string& text) {
  const Result<RunRecord> run = run_scenario(input_of(text));
  if (!run) FAIL(run.error().message);
  return *run;
}

/// What holds for every run, whatever went wrong in it.
void check_record(const RunRecord& run) {
  const RunMetrics m = metrics_of(run);
  CHECK(m.cost.micro_usd > 0);
  CHECK(m.cost >= m.floor);
  CHECK(m.area_weighted_wait_s >= m.area_weighted_wait_bound_s);
  CHECK(m.makespan_s >= m.makespan_bound_s);
  for (const JobRecord& job : run.jobs) {
    CAPTURE(job.id.value);
    CHECK(job.start >= job.submit);
    if (job.ended()) CHECK(job.end >= job.start);
    if (job.ended()) CHECK(is_final(job.state));
    CHECK(job.leaves >= job.least_leaves);
  }
  for (const SeriesSample& sample : run.series) {
    std::uint64_t units = 0;
    for (std::size_t i = 0; i < run.pools.size(); ++i) {
      const PoolSample& pool = sample.pools[i];
      CHECK(pool.requested + pool.booting + pool.ready + pool.releasing <= run.pools[i].max_nodes);
      units += std::uint64_t{pool.ready} * run.pools[i].units_per_node;
    }
    CHECK(sample.running_units <= units);
  }
  for (const VmUse& vm : run.vms) {
    CHECK(vm.requested <= vm.granted);
    CHECK(vm.granted <= vm.released);
  }
}

/// On each row and at each moment, no more GPUs than a node has.
void check_rows(const RunRecord& run) {
  std::map<JobId, const JobRecord*> jobs;
  for (const JobRecord& job : run.jobs) jobs[job.id] = &job;
  std::map<std::uint32_t, std::map<Time, std::int64_t>> changes;
  for (const GangRun& gang : run.gangs) {
    const JobRecord& job = *jobs.at(gang.job);
    std::uint32_t nodes = 0;
    for (const RowSpan& span : gang.rows) {
      nodes += span.count;
      for (std::uint32_t row = span.first; row < span.first + span.count; ++row) {
        changes[row][gang.start] += static_cast<std::int64_t>(job.units / job.nodes);
        changes[row][gang.end] -= static_cast<std::int64_t>(job.units / job.nodes);
      }
    }
    CHECK(nodes == job.nodes);
  }
  for (const auto& [row, steps] : changes) {
    std::int64_t used = 0;
    for (const auto& [at, change] : steps) {
      used += change;
      CHECK(used <= run.pools[run.rows[row].pool].units_per_node);
    }
  }
}

/// What a job ran in all is its work and what was lost of it.
void check_work(const RunRecord& run) {
  std::map<JobId, Duration> ran;
  for (const GangRun& gang : run.gangs) ran[gang.job] = ran[gang.job] + (gang.end - gang.start);
  for (const JobRecord& job : run.jobs) {
    if (job.state != JobState::completed) continue;
    CAPTURE(job.id.value);
    const std::int64_t lost_s = static_cast<std::int64_t>(job.lost_node_seconds / job.nodes);
    const std::int64_t more_s = (ran[job.id] - job.needed).whole_seconds() - lost_s;
    CHECK(more_s >= -std::int64_t{job.incarnations});  // whole seconds are rounded down
    CHECK(more_s <= 2 * job.incarnations);             // starts and ends take moments
    CHECK((job.incarnations > 1 || lost_s == 0));
  }
}

bool all_completed(const RunRecord& run) {
  return std::all_of(run.jobs.begin(), run.jobs.end(), [](auto& job) { return job.state == JobState::completed; });
}

std::size_t faults_of(const RunRecord& run, const std::string& kind) {
  return static_cast<std::size_t>(
      std::count_if(run.faults.begin(), run.faults.end(), [&](auto& fault) { return fault.kind == kind; }));
}

std::uint32_t restarts_of(const RunRecord& run) {
  std::uint32_t sum = 0;
  for (const JobRecord& job : run.jobs) sum += job.incarnations - 1;
  return sum;
}

}  // namespace

TEST_CASE("scenario run: on a pool of enough nodes nobody waits longer than a boot") {
  const RunRecord run = record_of(k_pool + k_workload);
  CHECK(run.jobs.size() == 300);
  CHECK(run.skipped.empty());
  CHECK(run.faults.empty());
  CHECK(all_completed(run));
  CHECK(restarts_of(run) == 0);
  const RunMetrics m = metrics_of(run);
  CHECK(m.wait.max_s > 60);           // machines do boot
  CHECK(m.wait.max_s < 9 * 60 + 60);  // at most three times boot_time, and a minute of the cloud's own
  CHECK(m.cost.micro_usd >= m.zero_wait.cost.micro_usd);
  CHECK(m.jobs_with_leaves == 300);
  check_record(run);
  check_rows(run);
  check_work(run);
}

TEST_CASE("scenario run: equal inputs give equal pages and figures, another seed others") {
  const std::string faults = "[faults]\nnode_mtbf = \"10d\"\nboot_failures_per_1000 = 20\n";
  const RunRecord first = record_of(k_pool + k_workload + faults);
  const RunRecord again = record_of(k_pool + k_workload + faults);
  CHECK(metrics_json(first, metrics_of(first)) == metrics_json(again, metrics_of(again)));
  CHECK(html_report({first}) == html_report({again}));
  const RunRecord other = record_of(k_pool + k_workload + faults + "seed = 2\n");
  CHECK(html_report({first}) != html_report({other}));
}

TEST_CASE("scenario run: nodes and leaves fail, jobs go on from their checkpoints") {
  const RunRecord run = record_of(k_pool + k_workload +
                                  "[faults]\nnode_mtbf = \"5d\"\nleaf_mtbf = \"6d\"\nrepair = \"3h\"\n"
                                  "boot_failures_per_1000 = 50\n");
  CHECK(all_completed(run));
  CHECK(faults_of(run, "node failure") > 5);
  CHECK(faults_of(run, "leaf failure") > 0);
  CHECK(faults_of(run, "boot failure") > 3);
  CHECK(restarts_of(run) > 5);
  CHECK(metrics_of(run).lost_node_hours > 0);
  bool some_saved = false;
  for (const JobRecord& job : run.jobs) {
    const auto lost_s = static_cast<std::int64_t>(job.lost_node_seconds / job.nodes);
    if (job.nodes > 2 && job.incarnations > 1) {
      CHECK(lost_s <= 600 * (job.incarnations - 1));  // never more than a checkpoint's interval
      some_saved = some_saved || job.needed > Duration::minutes(60);
    }
  }
  CHECK(some_saved);
  check_record(run);
  check_rows(run);
  check_work(run);
}

TEST_CASE("scenario run: spot VMs are evicted after a notice, and their jobs come back") {
  const std::string spot = R"([pool.spot]
cloud = "sim"
max_nodes = 64
purchase = "spot"
price_per_hour = 20.0
boot_time = "1m"
boot_timeout = "10m"

[partition.main]
pools = ["spot"]
)";
  const RunRecord run = record_of(spot + k_workload + "[faults]\nspot_eviction_mean = \"2d\"\nspot_notice = \"2m\"\n");
  CHECK(all_completed(run));
  CHECK(faults_of(run, "spot eviction") > 10);
  CHECK(metrics_of(run).evictions == faults_of(run, "spot eviction"));
  CHECK(restarts_of(run) > 5);
  CHECK(run.pools[0].kind == PoolKind::spot);
  check_record(run);
  check_rows(run);
  check_work(run);
}

TEST_CASE("scenario run: a job that is held after too many restarts ends the run, and is told") {
  const std::string machine =
      "[cluster]\nmax_requeues = 2\n[pool.spot]\ncloud = \"sim\"\nmax_nodes = 16\npurchase = \"spot\"\n"
      "[partition.main]\npools = [\"spot\"]\n";
  const std::string jobs =
      "[workload]\njobs_per_day = 1\n[workload.mix.a]\nleast_gpus = 128\nmost_gpus = 128\nmedian = \"5d\"\n"
      "longest = \"6d\"\n[faults]\nspot_eviction_mean = \"12h\"\n";
  const RunRecord run = record_of(machine + jobs);
  REQUIRE(run.jobs.size() == 1);
  CHECK(run.jobs[0].state == JobState::pending);
  CHECK(run.jobs[0].wait_reason == Reason::held_admin);
  CHECK(run.span() < Duration::minutes(3 * 24 * 60));
  CHECK(metrics_of(run).jobs_ended == 0);
}

TEST_CASE("scenario run: stock-outs, quotas and throttling delay jobs and lose none") {
  const RunRecord free = record_of(k_pool + k_workload);
  const RunRecord run = record_of(k_pool + k_workload +
                                  "[faults]\nstock_out_every = \"6h\"\nstock_out_lasts = \"2h\"\n"
                                  "throttle_every = \"8h\"\nthrottle_lasts = \"10m\"\nquota_percent = 50\n");
  CHECK(all_completed(run));
  CHECK(faults_of(run, "stock-out") > 2);
  CHECK(faults_of(run, "throttling") > 1);
  CHECK(metrics_of(run).wait.mean_s > metrics_of(free).wait.mean_s);
  std::uint32_t most = 0;
  for (const SeriesSample& sample : run.series) most = std::max(most, sample.pools[0].booting + sample.pools[0].ready);
  CHECK(most <= 48);
  check_record(run);
  check_rows(run);
}

TEST_CASE("scenario run: what can never run is skipped, with the reason; nothing at all is an error") {
  const std::string small = "[pool.nd]\ncloud = \"sim\"\nmax_nodes = 4\n[partition.main]\npools = [\"nd\"]\n";
  const RunRecord run = record_of(small + k_workload);
  REQUIRE(run.skipped.size() == 1);
  CHECK(run.skipped[0].reason == "Requested node configuration is not available");
  CHECK(run.skipped[0].example.find("nodes asked for, pool nd has at most 4") != std::string::npos);
  CHECK(run.skipped[0].count + run.jobs.size() == 300);
  CHECK(all_completed(run));
  const Result<RunRecord> none =
      run_scenario(input_of(small + "[workload]\n[workload.mix.a]\nleast_gpus = 64\nmost_gpus = 64\n"));
  REQUIRE_FALSE(none);
  CHECK(none.error().code == Code::invalid);
  CHECK(none.error().message.find("8 nodes asked for, pool nd has at most 4") != std::string::npos);
}

TEST_CASE("scenario run: jobs ask for their share of a node, and for no more time than the partition allows") {
  const ScenarioInput input = input_of(k_pool + "max_time = \"2h\"\n" + k_workload);
  SimJob job;
  job.nodes = 3;
  job.gpus_per_node = 4;
  job.limit = Duration::minutes(300);
  const JobSpec spec = spec_of(input.config, job);
  const Resources& has = input.config.pools[0].sku.resources;
  CHECK(spec.per_node.gpus == 4);
  CHECK(spec.per_node.cpus == has.cpus / 2);
  CHECK(spec.per_node.memory_bytes == has.memory_bytes / 2);
  CHECK(spec.time_limit == Duration::minutes(120));
  CHECK(spec.partition == "main");
  job.gpus_per_node = 0;
  CHECK(spec_of(input.config, job).exclusive);
}

TEST_CASE("pool layout: leaves start anew with a scale set where InfiniBand ends at it") {
  Pool a;
  a.name = a.node_prefix = "a";
  a.max_nodes = 10;
  a.fabric.nodes_per_leaf = 4;
  Pool b = a;
  b.name = b.node_prefix = "b";
  b.set_nodes_max = 5;
  Config config;
  config.pools = {a, b};
  const PoolLayout layout(config);
  CHECK(layout.rows() == 20);
  CHECK(layout.leaves() == 3 + 4);
  CHECK(layout.row_of("b1") == 10);
  CHECK(layout.leaf_of(layout.row_of("a4")) == 0);
  CHECK(layout.leaf_of(layout.row_of("a5")) == 1);
  CHECK(layout.leaf_of(layout.row_of("b5")) == 4);
  CHECK(layout.leaf_of(layout.row_of("b6")) == 5);
  CHECK(layout.node_rows()[15].leaf == "b leaf 3");
  CHECK(layout.least_leaves(0, 9) == 3);
}

}  // namespace virga
