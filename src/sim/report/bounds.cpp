#include "sim/report/bounds.hpp"

#include <algorithm>
#include <cmath>

#include "base/assert.hpp"

namespace virga {
namespace {

constexpr std::int64_t k_ns_per_ms = 1'000'000;
constexpr std::int64_t k_ms_per_hour = 3'600'000;

void add_step(DemandCurve& curve, std::int64_t at_ms, std::int64_t units) {
  if (!curve.steps.empty() && curve.steps.back().at_ms == at_ms) curve.steps.pop_back();
  const std::int64_t before = curve.steps.empty() ? -1 : curve.steps.back().units;
  if (before != units) curve.steps.push_back({at_ms, units});
}

Wide integral(const DemandCurve& curve) {
  Wide sum = 0;
  for (std::size_t i = 0; i + 1 < curve.steps.size(); ++i) {
    sum += Wide{curve.steps[i].units} * (curve.steps[i + 1].at_ms - curve.steps[i].at_ms);
  }
  return sum;
}

Money money_of(Wide micro_usd_ms) { return {static_cast<std::int64_t>(micro_usd_ms / k_ms_per_hour)}; }

double seconds(Wide area, Wide work) {
  return work == 0 ? 0 : static_cast<double>(area) / static_cast<double>(work) / 1000;
}

}  // namespace

DemandCurve demand_of(std::span<const FluidJob> jobs) {
  std::vector<DemandStep> changes;
  changes.reserve(jobs.size() * 2);
  for (const auto& job : jobs) {
    if (job.units <= 0 || job.duration_ms <= 0) continue;
    changes.push_back({job.submit_ms, job.units});
    changes.push_back({job.submit_ms + job.duration_ms, -job.units});
  }
  std::sort(changes.begin(), changes.end(), [](auto& a, auto& b) { return a.at_ms < b.at_ms; });
  DemandCurve curve;
  std::int64_t units = 0;
  for (std::size_t i = 0; i < changes.size();) {
    const std::int64_t at_ms = changes[i].at_ms;
    for (; i < changes.size() && changes[i].at_ms == at_ms; ++i) units += changes[i].units;
    add_step(curve, at_ms, units);
  }
  curve.work = integral(curve);
  return curve;
}

std::vector<FluidJob> fluid_jobs(const RunRecord& run) {
  std::vector<FluidJob> jobs;
  jobs.reserve(run.jobs.size());
  for (const auto& job : run.jobs) {
    if (!job.ended()) continue;
    jobs.push_back({job.submit.ns / k_ns_per_ms, job.needed.ns / k_ns_per_ms, static_cast<std::int64_t>(job.units)});
  }
  return jobs;
}

FluidSchedule fluid_schedule(const DemandCurve& demand, std::int64_t capacity) {
  VIRGA_ASSERT(capacity > 0, "a machine without units never ends");
  FluidSchedule result;
  Wide backlog = 0;
  Wide twice_area = 0;
  for (std::size_t i = 0; i < demand.steps.size(); ++i) {
    const auto [at, units] = demand.steps[i];
    const bool last = i + 1 == demand.steps.size();
    const Wide net = Wide{units} - capacity;
    if (backlog == 0 && net <= 0) {
      add_step(result.served, at, units);
      result.end_ms = at;
      continue;
    }
    add_step(result.served, at, capacity);
    const Wide length = last ? backlog / capacity + 1 : Wide{demand.steps[i + 1].at_ms} - at;
    if (backlog + net * length > 0) {
      twice_area += (backlog + backlog + net * length) * length;
      backlog += net * length;
      result.busy_ms += static_cast<std::int64_t>(length);
      continue;
    }
    // The backlog runs out after backlog / -net, inside this step.
    twice_area += backlog * backlog / -net;
    const auto empty_after = static_cast<std::int64_t>((backlog - net - 1) / -net);
    backlog = 0;
    result.busy_ms += empty_after;
    result.end_ms = at + empty_after;
    add_step(result.served, result.end_ms, units);
  }
  result.wait_area = twice_area / 2;
  result.served.work = integral(result.served);
  return result;
}

double fluid_wait_s(const DemandCurve& demand, std::int64_t capacity) {
  return seconds(fluid_schedule(demand, capacity).wait_area, demand.work);
}

double fluid_makespan_s(const DemandCurve& demand, std::int64_t capacity) {
  if (demand.steps.empty()) return 0;
  return static_cast<double>(fluid_schedule(demand, capacity).end_ms - demand.from_ms()) / 1000;
}

std::int64_t zero_wait_capacity(const DemandCurve& demand) {
  std::int64_t most = 0;
  for (const auto& step : demand.steps) most = std::max(most, step.units);
  return most;
}

ZeroWaitCost zero_wait_cost(const DemandCurve& demand, UnitPrices prices) {
  struct Level {
    std::int64_t units;
    std::int64_t ms;
  };
  std::vector<Level> levels;
  for (std::size_t i = 0; i + 1 < demand.steps.size(); ++i) {
    levels.push_back({demand.steps[i].units, demand.steps[i + 1].at_ms - demand.steps[i].at_ms});
  }
  std::sort(levels.begin(), levels.end(), [](auto& a, auto& b) { return a.units > b.units; });
  ZeroWaitCost result;
  const Wide on_demand = prices.on_demand.micro_usd;
  const Wide reserved = prices.reserved.micro_usd;
  const Wide span = Wide{demand.to_ms()} - demand.from_ms();
  result.all_on_demand = money_of(on_demand * demand.work);
  result.floor = money_of(std::min(on_demand, reserved) * demand.work);
  // From the top down: with R just below a level, the time above R is known. The cost is convex and linear between
  // levels, so the best R is one of them, or 0.
  Wide above_ms = 0;
  Wide above_work = 0;  // integral of (demand - R)+
  Wide best = -1;
  std::int64_t at_level = levels.empty() ? 0 : levels.front().units;
  const auto consider = [&](std::int64_t units) {
    above_work += above_ms * (at_level - units);
    at_level = units;
    const Wide cost = reserved * units * span + on_demand * above_work;
    if (best < 0 || cost < best) {
      best = cost;
      result.reserved = units;
    }
  };
  for (const auto& level : levels) {
    consider(level.units);
    above_ms += level.ms;
  }
  consider(0);
  result.cost = money_of(best);
  return result;
}

std::vector<FrontierPoint> cost_wait_frontier(const DemandCurve& demand, UnitPrices prices, std::size_t count) {
  std::vector<FrontierPoint> points;
  const Wide span = Wide{demand.to_ms()} - demand.from_ms();
  if (span <= 0 || count == 0) return points;
  const auto mean = static_cast<std::int64_t>((demand.work + span - 1) / span);
  const double least = static_cast<double>(std::max<std::int64_t>(1, mean));
  const double ratio = static_cast<double>(zero_wait_capacity(demand)) / least;
  for (std::size_t i = 0; i < count; ++i) {
    const double share = count == 1 ? 1 : static_cast<double>(i) / static_cast<double>(count - 1);
    const auto capacity = i + 1 == count ? zero_wait_capacity(demand) : std::llround(least * std::pow(ratio, share));
    if (!points.empty() && points.back().capacity == capacity) continue;
    const auto fluid = fluid_schedule(demand, capacity);
    const auto cost = zero_wait_cost(fluid.served, prices);
    points.push_back({capacity, cost.reserved, seconds(fluid.wait_area, demand.work), cost.cost});
  }
  return points;
}

}  // namespace virga
