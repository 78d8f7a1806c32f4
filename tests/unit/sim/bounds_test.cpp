// Bounds: exact small cases, brute force over random ones, and the known figures of two real traces.
#include "sim/report/bounds.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "base/prng.hpp"
#include "unit/sim/trace_files.hpp"

namespace virga {
namespace {

struct Random : Prng {
  using Prng::Prng;
  std::int64_t below(std::int64_t n) { return static_cast<std::int64_t>(Prng::below(static_cast<std::uint64_t>(n))); }
};

std::vector<FluidJob> random_jobs(Random& random) {
  std::vector<FluidJob> jobs;
  for (std::int64_t i = 1 + random.below(12); i > 0; --i) {
    jobs.push_back({random.below(40), random.below(15), random.below(6)});
  }
  return jobs;
}

std::int64_t demand_at(const std::vector<FluidJob>& jobs, std::int64_t ms) {
  std::int64_t units = 0;
  for (const auto& job : jobs) {
    if (job.submit_ms <= ms && ms < job.submit_ms + job.duration_ms) units += job.units;
  }
  return units;
}

constexpr UnitPrices k_prices{.reserved = Money::usd(400'000), .on_demand = Money::usd(1'000'000)};

}  // namespace

TEST_CASE("demand: steps of overlapping jobs; equal ones merge, empty jobs leave no trace") {
  const std::vector<FluidJob> jobs{{10, 20, 3}, {30, 5, 3}, {15, 5, 2}, {0, 0, 9}, {0, 9, 0}};
  const auto demand = demand_of(jobs);
  CHECK(demand.steps == std::vector<DemandStep>{{10, 3}, {15, 5}, {20, 3}, {35, 0}});
  CHECK(static_cast<std::int64_t>(demand.work) == 20 * 3 + 5 * 3 + 5 * 2);
  CHECK(zero_wait_capacity(demand) == 5);
  CHECK(demand_of({}).steps.empty());
  CHECK(fluid_makespan_s(demand_of({}), 1) == 0);
}

TEST_CASE("fluid: two jobs of the whole machine at once wait for half a job on average") {
  const std::vector<FluidJob> jobs{{0, 10'000, 4}, {0, 10'000, 4}};
  const auto demand = demand_of(jobs);
  CHECK(fluid_wait_s(demand, 4) == doctest::Approx(5.0));
  CHECK(fluid_makespan_s(demand, 4) == doctest::Approx(20.0));
  CHECK(fluid_wait_s(demand, 8) == 0);
  CHECK(fluid_makespan_s(demand, 8) == doctest::Approx(10.0));
}

TEST_CASE("fluid: backlog and makespan agree with small steps of time, all seeds") {
  // Times are multiples of a number that every possible rate of draining divides, so that steps of 1 ms are exact.
  constexpr std::int64_t k_grid_ms = 840;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Random random{seed};
    auto jobs = random_jobs(random);
    const auto capacity = 1 + random.below(8);
    auto fine_jobs = jobs;
    for (auto& job : fine_jobs) {
      job.submit_ms *= k_grid_ms;
      job.duration_ms *= k_grid_ms;
    }
    const auto demand = demand_of(fine_jobs);
    const auto fluid = fluid_schedule(demand, capacity);
    std::int64_t backlog = 0, end_ms = 0, twice_area = 0, busy_ms = 0;
    for (std::int64_t step = 0; step < 60 || backlog > 0; ++step) {
      const auto units = demand_at(jobs, step);
      for (std::int64_t ms = step * k_grid_ms; ms < (step + 1) * k_grid_ms; ++ms) {
        const auto next = std::max<std::int64_t>(0, backlog + units - capacity);
        twice_area += backlog + next;
        if (backlog > 0 || units > 0) end_ms = ms + 1;
        if (backlog > 0 || next > 0) ++busy_ms;
        backlog = next;
      }
    }
    CHECK(static_cast<std::int64_t>(fluid.wait_area) == twice_area / 2);
    CHECK(fluid.busy_ms == busy_ms);
    CHECK(fluid.served.work == demand.work);
    if (!demand.steps.empty()) CHECK(fluid.end_ms == end_ms);
  }
}

TEST_CASE("cost without waiting: the best reservation is no worse than any other, all seeds") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Random random{seed};
    const auto jobs = random_jobs(random);
    const auto demand = demand_of(jobs);
    if (demand.steps.empty()) continue;
    std::int64_t least = std::int64_t{1} << 60;
    for (std::int64_t reserved = 0; reserved <= zero_wait_capacity(demand); ++reserved) {
      std::int64_t cost = k_prices.reserved.micro_usd * reserved * (demand.to_ms() - demand.from_ms());
      for (auto ms = demand.from_ms(); ms < demand.to_ms(); ++ms) {
        cost += k_prices.on_demand.micro_usd * std::max<std::int64_t>(0, demand_at(jobs, ms) - reserved);
      }
      least = std::min(least, cost);
    }
    const auto found = zero_wait_cost(demand, k_prices);
    CHECK(found.cost.micro_usd == least / 3'600'000);
    CHECK(found.floor <= found.cost);
    CHECK(found.cost <= found.all_on_demand);
    const auto frontier = cost_wait_frontier(demand, k_prices, 6);
    REQUIRE_FALSE(frontier.empty());
    CHECK(frontier.back().cost == found.cost);
    CHECK(frontier.back().wait_s == 0);
    for (std::size_t i = 1; i < frontier.size(); ++i) CHECK(frontier[i].wait_s <= frontier[i - 1].wait_s);
  }
}

TEST_CASE("real traces: EASY against the fluid bound, and the price of never waiting") {
  struct Known {
    std::string trace;
    std::string column;
    std::int64_t units;
    double easy_wait_s;
    double ratio;
  };
  for (const auto& known :
       {Known{"kth-sp2-1996", "cpus", 100, 25025.312, 2.52}, Known{"philly-2017", "gpus", 768, 881.952, 2.29}}) {
    CAPTURE(known.trace);
    const auto rows = read_trace(known.trace, known.column);
    if (!rows) return;
    std::vector<FluidJob> jobs;
    for (const auto& row : *rows) {
      if (row.units <= known.units) jobs.push_back({row.submit_s * 1000, row.duration_s * 1000, row.units});
    }
    const auto demand = demand_of(jobs);
    const double ratio = known.easy_wait_s / fluid_wait_s(demand, known.units);
    const auto cost = zero_wait_cost(demand, k_prices);
    MESSAGE(known.trace, ": EASY / bound ", ratio, ", zero-wait cost ", cost.ratio(),
            " of on-demand, zero-wait capacity ", zero_wait_capacity(demand), ", bound on the makespan ",
            fluid_makespan_s(demand, known.units), " s");
    CHECK(ratio == doctest::Approx(known.ratio).epsilon(0.003));
    CHECK(cost.ratio() > 0.67);
    CHECK(cost.ratio() < 0.71);
  }
}

}  // namespace virga
