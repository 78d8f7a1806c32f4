// Figures of a run: by hand on a small one, against published figures on a real trace.
#include "sim/report/metrics.hpp"

#include <doctest/doctest.h>

#include "unit/sim/easy_run.hpp"
#include "unit/sim/trace_files.hpp"

namespace virga {
namespace {

JobRecord job(std::uint32_t id, std::int64_t submit, std::int64_t start, std::int64_t end, std::uint64_t units) {
  JobRecord j;
  j.id = JobId{id};
  j.submit = Time::from_seconds(submit);
  j.start = Time::from_seconds(start);
  j.end = Time::from_seconds(end);
  j.needed = j.end - j.start;
  j.units = units;
  j.state = JobState::completed;
  return j;
}

RunRecord small_run() {
  RunRecord run;
  run.name = "small";
  run.from = Time::from_seconds(0);
  run.to = Time::from_seconds(3600);
  run.pools = {{"base", PoolKind::reserved, Money::usd(2), 2, 2}, {"burst", PoolKind::on_demand, Money::usd(6), 1, 2}};
  run.jobs = {job(1, 0, 0, 100, 4), job(2, 0, 100, 200, 4), job(3, 10, 30, 35, 2)};
  run.jobs.push_back({});
  run.jobs.back().start = Time::never();
  run.jobs[0].leaves = run.jobs[0].least_leaves = 1;
  run.jobs[1].leaves = 3;
  run.jobs[1].least_leaves = 1;
  VmUse vm;
  vm.pool = 1;
  vm.granted = Time::from_seconds(0);
  vm.released = Time::from_seconds(1800);
  vm.gang_wasted = true;
  run.vms = {vm, VmUse{}};
  run.series = {{Time::from_seconds(0), 1, 4, 3, {}}, {Time::from_seconds(100), 0, 0, 6, {}}};
  run.faults = {{Time::from_seconds(1), "node failure", "base1"}, {Time::from_seconds(2), "node failure", "base2"}};
  run.skipped = {{"no duration", 7, "trace.csv:9"}};
  return run;
}

}  // namespace

TEST_CASE("metrics: a small run by hand") {
  const auto run = small_run();
  const auto m = metrics_of(run);
  CHECK(m.jobs == 4);
  CHECK(m.jobs_ended == 3);
  CHECK(m.waited_jobs == 2);
  CHECK(m.wait.mean_s == doctest::Approx(40));
  CHECK(m.wait.median_s == doctest::Approx(20));
  CHECK(m.wait.max_s == doctest::Approx(100));
  CHECK(m.mean_bsld10 == doctest::Approx((1 + 2 + 2.5) / 3));
  CHECK(m.makespan_s == doctest::Approx(200));
  CHECK(m.utilisation == doctest::Approx(810.0 / (6 * 200)));
  CHECK(m.utilisation_queued.value() == doctest::Approx(0.5));
  CHECK(m.area_weighted_wait_s == doctest::Approx((100 * 400 + 20 * 10) / 810.0));
  CHECK(m.area_weighted_wait_bound_s < m.area_weighted_wait_s);
  CHECK(m.zero_wait_capacity == 10);
  CHECK(m.cost == Money::usd(4 + 3));
  CHECK(m.prices.reserved == Money::usd(1));
  CHECK(m.prices.on_demand == Money::usd(3));
  CHECK(m.excess_leaves == 2);
  CHECK(m.jobs_above_least_leaves == 1);
  CHECK(m.wasted_vm_minutes == doctest::Approx(30));
  CHECK(m.vms == 1);
  CHECK(m.faults.at("node failure") == 2);
  CHECK(m.skipped.at("no duration") == 7);
}

TEST_CASE("metrics: a VM that is soon given back is paid for as long as the cloud's billing minimum") {
  auto run = small_run();
  run.billing_minimum = Duration::minutes(60 * 24);
  const auto m = metrics_of(run);
  CHECK(m.cost > Money::usd(4 + 3));
  run.billing_minimum = Duration::seconds(1);
  CHECK(metrics_of(run).cost == Money::usd(4 + 3));
}

TEST_CASE("metrics: JSON has every figure, and equal runs have equal texts") {
  const auto run = small_run();
  const auto json = metrics_json(run, metrics_of(run));
  CHECK(json == metrics_json(run, metrics_of(run)));
  CHECK(json.find(R"("mean_wait_s":40.000,)") != std::string::npos);
  CHECK(json.find(R"("cost_usd":7,)") != std::string::npos);
  CHECK(json.find(R"("faults":{"node failure":2})") != std::string::npos);
  CHECK(json.find(R"("skipped":{"no duration":7})") != std::string::npos);
}

TEST_CASE("metrics: an empty run has figures too") {
  const RunRecord run;
  const auto json = metrics_json(run, metrics_of(run));
  CHECK(json.find(R"("jobs":0)") != std::string::npos);
  CHECK(json.find("nan") == std::string::npos);
  CHECK(json.find("cost_usd") == std::string::npos);
}

TEST_CASE("metrics: EASY on a real trace gives the published figures") {
  const auto rows = read_trace("kth-sp2-1996", "cpus");
  if (!rows) return;
  std::vector<EasyJob> jobs;
  for (const auto& row : *rows) {
    if (row.units > 100) continue;
    jobs.push_back({row.submit_s, row.units, row.duration_s, std::max(row.requested_s, row.duration_s), row.user});
  }
  EasyMachine machine;
  machine.pools = {{"sp2", PoolKind::on_demand, {}, 100, 1}};
  const auto m = metrics_of(easy_run("KTH SP2", machine, jobs));
  CHECK(m.jobs_ended == 28'481);
  CHECK(m.waited_jobs == 13'227);
  CHECK(m.wait.max_s == 262'194);
  CHECK(m.wait.mean_s == doctest::Approx(6855.456).epsilon(1e-6));
  CHECK(m.mean_bsld10 == doctest::Approx(90.8155).epsilon(1e-6));
  CHECK(m.utilisation == doctest::Approx(0.689499).epsilon(1e-5));
  CHECK(m.makespan_s == 29'363'626);
  CHECK(m.area_weighted_wait_s == doctest::Approx(25025.312).epsilon(1e-6));
  CHECK(m.wait_ratio().value() == doctest::Approx(2.52).epsilon(0.003));
}

}  // namespace virga
