// The cost report: sums that agree to a millionth of a dollar, whatever the span and whatever a row is about.
#include "wire/cost_report.hpp"

#include <doctest/doctest.h>

#include <random>

namespace virga {
namespace {

Time at(std::int64_t minute) { return Time::from_seconds(1'000'000 + minute * 60); }

VmRecord vm(std::uint32_t id, const std::string& pool, std::int64_t from, std::int64_t to, Money cost) {
  VmRecord record;
  record.id = {id};
  record.pool = pool;
  record.granted = at(from);
  if (to >= 0) record.released = at(to);
  record.cost = cost;
  return record;
}

Job job(std::uint32_t id, const std::string& user, std::vector<std::uint32_t> vms, std::int64_t from, std::int64_t to,
        Money cost) {
  Job j;
  j.id = {id};
  j.owner.user = user;
  j.spec.edit().account = user == "ada" ? "physics" : "chemistry";
  std::vector<JobNode> nodes;
  for (std::uint32_t number : vms) nodes.push_back({{number}, "n", {}});
  j.nodes = nodes;
  j.started = at(from);
  if (to >= 0) j.ended = at(to);
  j.cost = cost;
  return j;
}

/// Two VMs of `nd` for an hour at 60 USD, one of `hb` for half an hour at 20.
CostInput small_input() {
  CostInput input;
  input.now = at(120);
  input.vms = {vm(1, "nd", 0, 60, Money::usd(60)), vm(2, "nd", 0, 60, Money::usd(60)),
               vm(3, "hb", 90, -1, Money::usd(10))};
  input.jobs = {job(1, "ada", {1, 2}, 10, 40, Money::usd(60)), job(2, "bob", {1}, 40, 50, Money::usd(10)),
                job(3, "ada", {3}, 100, -1, {6'666'666})};
  return input;
}

Money sum(const CostBody& body, Money CostRow::*member) {
  Money all;
  for (const CostRow& row : body.rows) all += row.*member;
  return all;
}

}  // namespace

TEST_CASE("cost report: by tenant, user, job and pool the same totals") {
  const CostBody pools = cost_report(small_input(), CostBy::pool);
  REQUIRE(pools.rows.size() == 2);
  CHECK(pools.rows[0].name == "hb");
  CHECK(pools.rows[0].idle_cost == Money{3'333'334});
  CHECK(pools.rows[0].idle_time == Duration::minutes(10));
  CHECK(pools.rows[1].name == "nd");
  CHECK(pools.rows[1].jobs == 2);
  CHECK(pools.rows[1].job_cost == Money::usd(70));
  CHECK(pools.rows[1].node_time == Duration::minutes(70));
  CHECK(pools.rows[1].vms == 2);
  CHECK(pools.rows[1].vm_cost == Money::usd(120));
  CHECK(pools.rows[1].vm_time == Duration::minutes(120));
  CHECK(pools.rows[1].idle_cost == Money::usd(50));
  CHECK(pools.rows[1].idle_time == Duration::minutes(50));
  CHECK(pools.total.jobs == 3);
  for (const CostBy by : {CostBy::tenant, CostBy::user, CostBy::job}) {
    const CostBody body = cost_report(small_input(), by);
    CHECK(body.rows.size() == (by == CostBy::job ? 3 : 2));
    CHECK(sum(body, &CostRow::job_cost) == body.total.job_cost);
    CHECK(body.total.job_cost == pools.total.job_cost);
    CHECK(body.total.vm_cost == Money::usd(130));
    CHECK(body.total.idle_cost + body.total.job_cost == body.total.vm_cost);
    CHECK(body.total.idle_time == Duration::minutes(60));
  }
  CHECK(cost_report(small_input(), CostBy::tenant).rows[1].name == "physics");
}

TEST_CASE("cost report: what was of no use is told, exactly, over any spans") {
  CostInput input = small_input();
  input.vms[0].wasted_since = at(50);  // sick after its last job
  input.vms.push_back(vm(4, "hb", 30, 60, {10'000'001}));
  input.vms[3].wasted_since = at(30);  // nobody ever ran on it
  const CostBody body = cost_report(input, CostBy::pool);
  CHECK(body.rows[0].wasted_time == Duration::minutes(30));
  CHECK(body.rows[0].wasted_cost == Money{10'000'001});
  CHECK(body.rows[1].wasted_time == Duration::minutes(10));
  CHECK(body.rows[1].wasted_cost == Money::usd(10));
  CHECK(body.total.wasted_cost == Money{20'000'001});
  CHECK(body.total.wasted_time == Duration::minutes(40));
  Money sum_of_spans;
  Duration time_of_spans;
  for (const auto& [from, to] : {std::pair(0, 37), {37, 51}, {51, 58}, {58, 120}}) {
    input.since = at(from);
    input.until = at(to);
    const CostBody part = cost_report(input, CostBy::tenant);
    sum_of_spans += part.total.wasted_cost;
    time_of_spans = time_of_spans + part.total.wasted_time;
  }
  CHECK(sum_of_spans == Money{20'000'001});
  CHECK(time_of_spans == Duration::minutes(40));
  input.may_see_all = false;
  CHECK(cost_report(input, CostBy::tenant).total.wasted_cost == Money{});
}

TEST_CASE("cost report: a span cuts what lies partly in it") {
  CostInput input = small_input();
  input.since = at(20);
  input.until = at(45);
  const CostBody body = cost_report(input, CostBy::user);
  REQUIRE(body.rows.size() == 2);
  CHECK(body.rows[0].job_cost == Money::usd(40));
  CHECK(body.rows[1].job_cost == Money::usd(5));
  CHECK(body.total.vm_cost == Money::usd(50));
  CHECK(body.total.idle_time == Duration::minutes(5));
}

TEST_CASE("cost report: a requeued job's records hold what came before; it is one job") {
  CostInput input = small_input();
  input.jobs = {job(1, "ada", {1}, 10, 20, Money::usd(10)), job(1, "ada", {2}, 30, 50, Money::usd(30))};
  input.jobs[1].incarnation = 1;
  CostBody body = cost_report(input, CostBy::job);
  REQUIRE(body.rows.size() == 1);
  CHECK(body.rows[0].jobs == 1);
  CHECK(body.rows[0].job_cost == Money::usd(30));
  input.since = at(25);
  body = cost_report(input, CostBy::job);
  CHECK(body.rows[0].job_cost == Money::usd(20));
}

TEST_CASE("cost report: who may not see all gets his own jobs and no VMs") {
  CostInput input = small_input();
  input.may_see_all = false;
  input.is_visible = {false, true, false};
  const CostBody body = cost_report(input, CostBy::pool);
  CHECK_FALSE(body.all_jobs);
  REQUIRE(body.rows.size() == 1);
  CHECK(body.rows[0].job_cost == Money::usd(10));
  CHECK(body.total.job_cost == Money::usd(10));
  CHECK(body.total.vm_cost == Money{});
  CHECK(body.total.idle_cost == Money{});
}

TEST_CASE("cost report: random accounts add up over rows and over adjoining spans") {
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  const auto below = [&](std::int64_t limit) {
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(limit));
  };
  for (int round = 0; round < 50; ++round) {
    CostInput input;
    input.now = at(1'000);
    for (std::uint32_t id = 1; id <= 12; ++id) {
      const std::int64_t from = below(900);
      const std::int64_t to = below(4) == 0 ? -1 : from + 1 + below(99);
      input.vms.push_back(vm(id, id % 3 == 0 ? "hb" : "nd", from, to, Money{below(1'000'000'000)}));
      input.jobs.push_back(job(id, id % 2 == 0 ? "ada" : "bob", {id}, from, to, Money{below(1'000'000'000)}));
    }
    const CostBody whole = cost_report(input, CostBy::pool);
    CHECK(sum(whole, &CostRow::job_cost) == whole.total.job_cost);
    CHECK(sum(whole, &CostRow::vm_cost) == whole.total.vm_cost);
    CHECK(sum(whole, &CostRow::idle_cost) == whole.total.idle_cost);
    const Time cut = Time::from_seconds(1'000'000 + below(60'000));
    CostInput before = input;
    before.until = cut;
    CostInput after = input;
    after.since = cut;
    const CostRow first = cost_report(before, CostBy::user).total;
    const CostRow second = cost_report(after, CostBy::user).total;
    CHECK(first.job_cost + second.job_cost == whole.total.job_cost);
    CHECK(first.vm_cost + second.vm_cost == whole.total.vm_cost);
    CHECK(first.idle_time.ns + second.idle_time.ns == whole.total.idle_time.ns);
    CHECK(whole.total.idle_time == Duration{});  // each VM is busy all the time
  }
}

TEST_CASE("cents add up to the rounded sum") {
  const std::vector<Money> thirds(3, Money{3'333});
  CHECK(whole_cents(thirds) == std::vector<std::int64_t>{0, 1, 0});
  CHECK(whole_cents({Money{-5'000}, Money{20'000}}) == std::vector<std::int64_t>{-1, 3});
  CHECK(whole_cents({}).empty());
}

}  // namespace virga
