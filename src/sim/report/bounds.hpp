// What no scheduler can beat: bounds on wait, makespan, capacity and cost from the jobs alone.
//
//   DemandCurve demand = demand_of({{.submit_ms = 0, .duration_ms = 60'000, .units = 8}});
//   double wait_s = fluid_wait_s(demand, 4);           // least possible work-weighted mean wait on 4 units
//   ZeroWaitCost cost = zero_wait_cost(demand, {.reserved = Money::usd(2), .on_demand = Money::usd(5)});
//
// The idea: demand(t) is what would run if every job started the moment it was submitted. Pour the work into a machine
// of P units as if it were water: the backlog B follows dB/dt = demand - P, reflected at 0. No schedule, preemptive and
// elastic ones included, has done more work by any time t, so
//   sum(delay * work) / sum(work) >= integral B dt / sum(work),
// and none ends before the water has run out. With zero wait the served curve is demand itself, and R reserved units
// cost p R T while those above are paid on demand; the best R is a quantile of demand. A sweep of the fluid machine's
// capacity gives a curve of cost against wait.
//
// Units: time in milliseconds, work in unit-milliseconds, prices per unit and hour. All integration is exact in 128-bit
// integers, but for the last triangle of each busy period, which is rounded down to one unit * ms^2. doubles appear in
// the results only. Building a curve is O(n log n) in jobs; everything else is O(n) in its steps, or O(n log n) where a
// quantile is taken. Source: reflected fluid queue (Harrison, Brownian Motion and Stochastic Flow Systems, 1985, 2.2);
// the reservation quantile is the newsvendor's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/money.hpp"
#include "sim/report/run_record.hpp"

namespace virga {

__extension__ using Wide = __int128;

struct FluidJob {
  std::int64_t submit_ms = 0;
  std::int64_t duration_ms = 0;
  std::int64_t units = 0;
};

/// `units` are wanted from `at_ms` up to the next step. The last step has 0.
struct DemandStep {
  std::int64_t at_ms = 0;
  std::int64_t units = 0;

  friend bool operator==(const DemandStep&, const DemandStep&) = default;
};

struct DemandCurve {
  std::vector<DemandStep> steps;
  Wide work = 0;  ///< the integral, unit-ms

  std::int64_t from_ms() const { return steps.empty() ? 0 : steps.front().at_ms; }
  std::int64_t to_ms() const { return steps.empty() ? 0 : steps.back().at_ms; }
};

/// Jobs without work (no units or no duration) leave no trace.
DemandCurve demand_of(std::span<const FluidJob> jobs);

/// The ended jobs of a run, with the run time they needed.
std::vector<FluidJob> fluid_jobs(const RunRecord& run);

struct FluidSchedule {
  Wide wait_area = 0;        ///< integral of the backlog, unit * ms^2
  std::int64_t end_ms = 0;   ///< when the last work is done, rounded up; at least the last end without any wait
  DemandCurve served;        ///< what runs, rounded to milliseconds where a backlog runs out between two of them
  std::int64_t busy_ms = 0;  ///< with a backlog
};

/// `capacity` is at least 1.
FluidSchedule fluid_schedule(const DemandCurve& demand, std::int64_t capacity);

/// Least work-weighted mean wait, seconds.
double fluid_wait_s(const DemandCurve& demand, std::int64_t capacity);
/// Least time from the first submission to the last end, seconds.
double fluid_makespan_s(const DemandCurve& demand, std::int64_t capacity);
/// The smallest machine on which nobody ever waits: exact.
std::int64_t zero_wait_capacity(const DemandCurve& demand);

/// Per unit and hour.
struct UnitPrices {
  Money reserved;
  Money on_demand;
};

struct ZeroWaitCost {
  Money cost;                 ///< least cost of serving the whole curve
  std::int64_t reserved = 0;  ///< units to reserve for that
  Money all_on_demand;        ///< the same curve without a reservation
  Money floor;                ///< all work at the cheaper price, however long it waits

  double ratio() const {
    if (all_on_demand.micro_usd == 0) return 1;
    return static_cast<double>(cost.micro_usd) / static_cast<double>(all_on_demand.micro_usd);
  }
};

/// min over R of reserved * R * T + on_demand * integral (demand - R)+, where T is the curve's own span.
ZeroWaitCost zero_wait_cost(const DemandCurve& demand, UnitPrices prices);

struct FrontierPoint {
  std::int64_t capacity = 0;
  std::int64_t reserved = 0;  ///< of the capacity; the rest is on demand
  double wait_s = 0;
  Money cost;
};

/// Fluid schedules of at most `count` capacities from the mean demand to the highest, in rising order, each with the
/// best split into reserved and on-demand units. The last point waits for nothing and costs zero_wait_cost().
std::vector<FrontierPoint> cost_wait_frontier(const DemandCurve& demand, UnitPrices prices, std::size_t count);

}  // namespace virga
