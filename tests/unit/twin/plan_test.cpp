// Plans: the front, what is chosen, what would help or make it fit; runs with failures; the schedule of a pipeline.
#include "twin/plan.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "twin/schedule.hpp"

namespace virga::twin {
namespace {

PlanRequest request_for(std::string_view model, std::string_view system, std::uint32_t gpus) {
  PlanRequest request;
  request.model = find_model(model);
  request.stack = &k_stacks.back();
  request.offers.push_back({.system = find_system(system), .usd_per_node_hour = 100, .reliability = {}});
  request.gpus = gpus;
  request.global_batch = 1024;
  request.tokens = 300e9;
  return request;
}

}  // namespace

TEST_CASE("plan: the front holds what nothing else beats in time and cost") {
  PlanRequest request = request_for("llama-3-70b", "Standard_ND96isr_H100_v5", 0);
  request.gpus_most = 1024;
  request.offers.push_back(
      {.system = find_system("Standard_ND96isr_H200_v5"), .usd_per_node_hour = 90, .reliability = {}});
  const Plan plan = make_plan(request);
  REQUIRE(plan.chosen.has_value());
  REQUIRE(plan.points.size() > 5);
  for (const PlanPoint& point : plan.points) {
    bool beaten = false;
    for (const PlanPoint& other : plan.points) {
      beaten = beaten || (other.run.wall_s <= point.run.wall_s && other.run.usd < point.run.usd);
    }
    CHECK(point.on_front == !beaten);
    CHECK(point.run.wall_s >= point.run.work_s);
  }
  // Nothing but cost counts where neither time nor money is limited.
  for (const PlanPoint& point : plan.points) CHECK(plan.points[*plan.chosen].run.usd <= point.run.usd);
}

TEST_CASE("plan: a deadline takes the cheapest that meets it, a budget the fastest that it pays") {
  PlanRequest request = request_for("llama-3-70b", "Standard_ND96isr_H100_v5", 0);
  const Plan free_plan = make_plan(request);
  REQUIRE(free_plan.points.size() > 3);
  const PlanPoint& middle = free_plan.points[free_plan.points.size() / 2];
  request.deadline_s = middle.run.wall_s;
  const Plan hurried = make_plan(request);
  CHECK(hurried.within_deadline);
  CHECK(hurried.points[*hurried.chosen].run.wall_s <= middle.run.wall_s);
  CHECK(hurried.points[*hurried.chosen].run.usd <= middle.run.usd);
  request.deadline_s = 0;
  request.budget_usd = middle.run.usd;
  const Plan frugal = make_plan(request);
  CHECK(frugal.within_budget);
  CHECK(frugal.points[*frugal.chosen].run.usd <= middle.run.usd);
  CHECK(frugal.points[*frugal.chosen].run.wall_s <= middle.run.wall_s);
  request.budget_usd = 1;
  CHECK_FALSE(make_plan(request).within_budget);
}

TEST_CASE("plan: a tenth more of something never makes a sample slower") {
  const Plan plan = make_plan(request_for("gpt-3-175b", "Standard_ND96amsr_A100_v4", 512));
  REQUIRE(plan.chosen.has_value());
  CHECK(plan.sensitivities.size() == 7);
  for (const Sensitivity& s : plan.sensitivities) {
    INFO(name_of(s.lever));
    if (s.lever != Lever::gpus && s.lever != Lever::batch) CHECK(s.any);
    if (s.lever != Lever::batch) CHECK(s.gain >= -1e-6);
    CHECK(s.gain < 0.11);
  }
}

TEST_CASE("plan: what would make it fit") {
  PlanRequest request = request_for("llama-3-70b", "Standard_ND96isr_H100_v5", 8);
  request.fixed.recompute = Recompute::none;
  const Plan plan = make_plan(request);
  CHECK_FALSE(plan.chosen.has_value());
  REQUIRE(plan.nearest.any_smallest);
  bool more_gpus = false;
  bool other_system = false;
  for (const Cure& cure : plan.cures) {
    more_gpus = more_gpus || (cure.remedy == Remedy::more_gpus && cure.gpus > 8);
    other_system = other_system || cure.remedy == Remedy::other_system;
  }
  CHECK(more_gpus);
  CHECK(other_system);
}

TEST_CASE("plan: sizes without a network have points of one node only") {
  PlanRequest request = request_for("llama-3-8b", "Standard_NC80adis_H100_v5", 0);
  request.fixed.recompute = Recompute::full;
  const Plan plan = make_plan(request);
  for (const PlanPoint& point : plan.points) CHECK(point.nodes == 1);
}

TEST_CASE("plan: a usual global batch is about 4 Mi tokens, and data ranks divide it") {
  for (const std::uint32_t gpus : {8U, 64U, 100U, 2240U, 16384U}) {
    const std::uint32_t batch = usual_global_batch(*find_model("mt-nlg-530b"), gpus);
    CHECK(batch * 2048.0 > 3e6);
    CHECK(batch * 2048.0 < 7e6);
  }
  CHECK(usual_global_batch(*find_model("mt-nlg-530b"), 2240) % 35 == 0);
}

TEST_CASE("run: the exponential is that of the library") {
  for (const double x : {-30.0, -1.0, -1e-9, 0.0, 1e-6, 0.01, 1.0, 2.5, 17.0, 300.0}) {
    CHECK(exponential(x) == doctest::Approx(std::exp(x)).epsilon(1e-12));
  }
  CHECK(std::isinf(exponential(1000)));
}

TEST_CASE("run: the checkpoint interval is the best of Daly's expected times") {
  const double m = 3600;
  const double d = 30;
  const double best = checkpoint_interval(d, m);
  CHECK(best == doctest::Approx(std::sqrt(2 * d * m)).epsilon(0.1));
  const auto expected = [&](double interval) { return (std::exp((interval + d) / m) - 1) / interval; };
  for (const double other : {0.5, 0.8, 1.2, 2.0}) CHECK(expected(best) <= expected(best * other));
  CHECK(checkpoint_interval(100, 20) == 20);
}

TEST_CASE("run: failures cost time, and too many end it") {
  const Reliability safe{.failures_per_node_hour = 0};
  CHECK(estimate_run(1000, 10, 36, safe).wall_s == 1000);
  CHECK(estimate_run(1000, 10, 36, safe).usd == doctest::Approx(100));
  double before = 1e6;
  for (const double rate : {1e-4, 1e-3, 1e-2, 1e-1}) {
    const RunEstimate run = estimate_run(1e6, 100, 10, {.failures_per_node_hour = rate});
    CHECK(run.wall_s > before);
    CHECK(run.failures == doctest::Approx(run.wall_s * 100 * rate / 3600));
    before = run.wall_s;
  }
  CHECK(std::isinf(estimate_run(1e6, 1e6, 10, {.failures_per_node_hour = 10}).wall_s));
}

TEST_CASE("schedule: one forward, one backward takes m + p - 1 micro batches' time, interleaved (p - 1) / v") {
  for (const std::uint32_t p : {1U, 2U, 4U, 7U}) {
    for (const std::uint32_t v : {1U, 2U, 5U}) {
      if (p == 1 && v > 1) continue;
      const std::uint32_t m = 4 * p;
      const Schedule schedule = make_schedule({p, v, m, 2, 2});
      INFO("p ", p, ", v ", v);
      CHECK(schedule.work.size() == std::size_t{2} * p * v * m);
      CHECK(schedule.seconds == doctest::Approx((m + (p - 1.0) / v) * 4));
      for (std::size_t i = 1; i < schedule.work.size(); ++i) {
        const Work& a = schedule.work[i - 1];
        const Work& b = schedule.work[i];
        if (a.stage == b.stage) CHECK(b.begin_s >= a.end_s);
        CHECK(b.end_s > b.begin_s);
      }
    }
  }
}

}  // namespace virga::twin
