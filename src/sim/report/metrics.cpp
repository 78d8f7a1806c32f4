#include "sim/report/metrics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "wire/json_codec.hpp"

namespace virga {
namespace {

double seconds(Duration d) { return static_cast<double>(d.ns) / 1e9; }

void add_jobs(const RunRecord& run, RunMetrics& m) {
  std::vector<double> waits;
  double slowdowns = 0, work = 0, delayed = 0;
  Time first = Time::never(), last;
  for (const auto& job : run.jobs) {
    ++m.jobs;
    m.preemptions += job.preempted;
    m.restarts += job.incarnations - 1;
    m.lost_node_hours += static_cast<double>(job.lost_node_seconds) / 3600;
    if (job.leaves > 0 && job.least_leaves > 0) {
      ++m.jobs_with_leaves;
      if (job.nodes > 1) ++m.gangs_with_leaves;
      if (job.leaves > job.least_leaves) {
        ++m.jobs_above_least_leaves;
        m.excess_leaves += job.leaves - job.least_leaves;
      }
    }
    if (!job.ended()) continue;
    ++m.jobs_ended;
    waits.push_back(wait_seconds(job));
    if (job.start > job.submit) ++m.waited_jobs;
    const double needed = seconds(job.needed);
    slowdowns += std::max(1.0, seconds(job.end - job.submit) / std::max(needed, 10.0));
    work += static_cast<double>(job.units) * needed;
    delayed += (seconds(job.end - job.submit) - needed) * static_cast<double>(job.units) * needed;
    first = std::min(first, job.submit);
    last = std::max(last, job.end);
  }
  if (waits.empty()) return;
  std::sort(waits.begin(), waits.end());
  double sum = 0;
  for (const double wait : waits) sum += wait;
  m.wait = {sum / static_cast<double>(waits.size()), quantile(waits, 0.5), quantile(waits, 0.95), waits.back()};
  m.mean_bsld10 = slowdowns / static_cast<double>(waits.size());
  m.makespan_s = seconds(last - first);
  const double room = static_cast<double>(run.capacity_units()) * m.makespan_s;
  if (room > 0) m.utilisation = work / room;
  if (work > 0) m.area_weighted_wait_s = delayed / work;
}

void add_series(const RunRecord& run, RunMetrics& m) {
  double queued = 0, used = 0;
  for (std::size_t i = 0; i < run.series.size(); ++i) {
    const auto& sample = run.series[i];
    if (sample.queued_jobs == 0) continue;
    const Time next = i + 1 < run.series.size() ? run.series[i + 1].at : run.to;
    queued += seconds(next - sample.at);
    used += seconds(next - sample.at) * static_cast<double>(sample.running_units);
  }
  const double capacity = static_cast<double>(run.capacity_units());
  if (queued > 0 && capacity > 0) m.utilisation_queued = used / (queued * capacity);
}

void add_vms(const RunRecord& run, RunMetrics& m) {
  for (const auto& pool : run.pools) {
    const bool paid_ahead = pool.kind == PoolKind::reserved;
    const Money span = price_for(pool.price_per_node_hour, run.span());
    m.pool_costs.push_back({pool.name, paid_ahead ? Money{span.micro_usd * pool.max_nodes} : Money{}});
  }
  for (const auto& vm : run.vms) {
    if (vm.granted.is_never()) continue;
    ++m.vms;
    if (vm.evicted) ++m.evictions;
    const Duration held = std::min(vm.released, run.to) - vm.granted;
    const Duration billed = std::max(held, run.billing_minimum);
    if (vm.gang_wasted) m.wasted_vm_minutes += seconds(held) / 60;
    const auto& pool = run.pools.at(vm.pool);
    if (pool.kind != PoolKind::reserved) m.pool_costs[vm.pool].cost += price_for(pool.price_per_node_hour, billed);
  }
  for (const auto& pool : m.pool_costs) m.cost += pool.cost;
}

/// The cheapest unit of each way of paying; where one is missing, the other's price stands in.
void add_prices(const RunRecord& run, RunMetrics& m, Money& cheapest) {
  std::optional<Money> reserved, on_demand, spot;
  for (const auto& pool : run.pools) {
    const Money unit{pool.price_per_node_hour.micro_usd / std::max<std::int64_t>(1, pool.units_per_node)};
    auto& least = pool.kind == PoolKind::reserved ? reserved : pool.kind == PoolKind::spot ? spot : on_demand;
    least = std::min(least.value_or(unit), unit);
    m.has_prices = m.has_prices || unit.micro_usd > 0;
  }
  if (!on_demand) on_demand = reserved ? reserved : spot;
  if (!reserved) reserved = on_demand;
  m.prices = {reserved.value_or(Money{}), on_demand.value_or(Money{})};
  cheapest = std::min(m.prices.reserved, m.prices.on_demand);
  if (spot) cheapest = std::min(cheapest, *spot);
}

void add_bounds(const RunRecord& run, RunMetrics& m) {
  Money cheapest;
  add_prices(run, m, cheapest);
  const auto demand = demand_of(fluid_jobs(run));
  const auto capacity = static_cast<std::int64_t>(run.capacity_units());
  m.zero_wait_capacity = zero_wait_capacity(demand);
  if (capacity > 0) {
    m.area_weighted_wait_bound_s = fluid_wait_s(demand, capacity);
    m.makespan_bound_s = fluid_makespan_s(demand, capacity);
  }
  m.zero_wait = zero_wait_cost(demand, m.prices);
  m.floor = zero_wait_cost(demand, {cheapest, cheapest}).floor;
}

/// Numbers with a fixed count of decimals, so that equal runs have equal texts.
class FigureWriter {
 public:
  explicit FigureWriter(JsonWriter& writer) : writer_(writer) {}
  void number(std::string_view name, double value, int decimals = 3) {
    writer_.key(name);
    writer_.put_json(fmt::format("{:.{}f}", value, decimals));
  }
  void number(std::string_view name, const std::optional<double>& value, int decimals = 3) {
    if (value) {
      number(name, *value, decimals);
    } else {
      writer_.key(name);
      writer_.put_null();
    }
  }

 private:
  JsonWriter& writer_;
};

void write_costs(JsonWriter& w, FigureWriter& figures, const RunMetrics& m) {
  w("cost_usd", m.cost);
  w.key("cost_by_pool_usd");
  w.begin_object();
  for (const auto& pool : m.pool_costs) w(pool.pool, pool.cost);
  w.end_object();
  w("cost_zero_wait_bound_usd", m.zero_wait.cost);
  w("cost_zero_wait_reserved_units", m.zero_wait.reserved);
  w("cost_all_on_demand_usd", m.zero_wait.all_on_demand);
  w("cost_floor_usd", m.floor);
  figures.number("cost_ratio", m.cost_ratio(), 4);
}

}  // namespace

double wait_seconds(const JobRecord& job) { return seconds(job.start - job.submit); }

double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(sorted.size())));
  return sorted[std::clamp<std::size_t>(rank, 1, sorted.size()) - 1];
}

std::optional<double> RunMetrics::wait_ratio() const {
  if (area_weighted_wait_bound_s <= 0) return std::nullopt;
  return area_weighted_wait_s / area_weighted_wait_bound_s;
}

std::optional<double> RunMetrics::cost_ratio() const {
  if (zero_wait.cost.micro_usd <= 0) return std::nullopt;
  return static_cast<double>(cost.micro_usd) / static_cast<double>(zero_wait.cost.micro_usd);
}

RunMetrics metrics_of(const RunRecord& run) {
  RunMetrics m;
  add_jobs(run, m);
  add_series(run, m);
  add_vms(run, m);
  add_bounds(run, m);
  for (const auto& fault : run.faults) ++m.faults[fault.kind];
  for (const auto& input : run.skipped) m.skipped[input.reason] += input.count;
  return m;
}

std::string metrics_json(const RunRecord& run, const RunMetrics& m) {
  JsonWriter w;
  FigureWriter figures(w);
  w.begin_object();
  w("name", run.name);
  w("traces", run.traces);
  w("seed", run.seed);
  w("version", run.version);
  w("policy", run.policy);
  w("unit", run.unit);
  w("units", run.capacity_units());
  w("jobs", m.jobs);
  w("jobs_ended", m.jobs_ended);
  figures.number("mean_wait_s", m.wait.mean_s);
  figures.number("median_wait_s", m.wait.median_s);
  figures.number("p95_wait_s", m.wait.p95_s);
  figures.number("max_wait_s", m.wait.max_s);
  w("waited_jobs", m.waited_jobs);
  figures.number("mean_bsld10", m.mean_bsld10, 4);
  figures.number("makespan_s", m.makespan_s);
  figures.number("makespan_bound_s", m.makespan_bound_s);
  figures.number("utilisation", m.utilisation, 6);
  figures.number("utilisation_queued", m.utilisation_queued, 6);
  figures.number("area_weighted_wait_s", m.area_weighted_wait_s);
  figures.number("area_weighted_wait_bound_s", m.area_weighted_wait_bound_s);
  figures.number("area_weighted_wait_ratio", m.wait_ratio(), 4);
  w("zero_wait_capacity", m.zero_wait_capacity);
  if (m.has_prices) write_costs(w, figures, m);
  w("excess_leaves", m.excess_leaves);
  const auto known = static_cast<double>(std::max<std::uint64_t>(1, m.jobs_with_leaves));
  figures.number("jobs_above_least_leaves_share", static_cast<double>(m.jobs_above_least_leaves) / known, 6);
  const auto gangs = static_cast<double>(std::max<std::uint64_t>(1, m.gangs_with_leaves));
  figures.number("gangs_above_least_leaves_share", static_cast<double>(m.jobs_above_least_leaves) / gangs, 6);
  w("restarts", m.restarts);
  w("preemptions", m.preemptions);
  figures.number("lost_node_hours", m.lost_node_hours);
  w("vms", m.vms);
  figures.number("wasted_vm_minutes", m.wasted_vm_minutes);
  w("evictions", m.evictions);
  w("faults", m.faults);
  w("skipped", m.skipped);
  w.end_object();
  return w.take();
}

}  // namespace virga
