#include "brain/policy/start_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "brain/policy/reservations.hpp"
#include "brain/sched/fit.hpp"

namespace virga {

namespace {

/// So many of one company come back at a time; if they start, the next ones follow within the same event.
constexpr std::uint32_t k_recalled_at_a_time = 64;
/// A company's first jobs may be too large where smaller ones behind them are not; so many are looked at in vain.
constexpr std::uint32_t k_looked_at_in_vain = 16;

std::optional<LimitHit> reservation_block(const State& state, const Job& job) {
  const Config& config = state.config;
  if (config.reservations.empty()) return std::nullopt;
  std::vector<ReservedSlice> slices = slices_of(config, job.spec->partition);
  if (slices.empty()) return std::nullopt;
  for (ReservedSlice& slice : slices) slice.in_use = state.policy.nodes_held(job.spec->partition, slice.name);
  ReservationQuery query{.from = state.now, .until = Time::never(), .reservation = job.spec->reservation};
  query.used_by_others = state.policy.nodes_held(job.spec->partition, "");
  if (!job.spec->time_limit.is_infinite()) query.until = state.now + job.spec->time_limit + config.kill_wait;
  for (const std::string& name : state.find_partition(job.spec->partition)->pools) {
    const PoolIndex& pool = state.index.pools[state.number_of_pool(name)];
    query.total += pool.size() - pool.drained();
  }
  const std::uint32_t usable = usable_nodes(slices, query);
  if (usable >= job.spec->nodes) return std::nullopt;
  for (const ReservedSlice& slice : slices) {
    if (slice.name == job.spec->reservation && slice.end <= state.now) {
      return LimitHit{Reason::reservation, "reservation " + slice.name + " is over"};
    }
  }
  if (job.spec->reservation.empty()) {
    return LimitHit{Reason::reservation,
                    fmt::format("{} nodes would do for all of its time limit, {} are needed", usable, job.spec->nodes)};
  }
  return LimitHit{Reason::reservation, fmt::format("reservation {} has {} nodes for it now, {} are needed",
                                                   job.spec->reservation, usable, job.spec->nodes)};
}

Company company_of(const Job& job) {
  return {job.spec->partition, job.spec->qos,         job.spec->account,
          job.owner.uid,       job.spec->reservation, job.spec->licenses};
}

/// Their order must not depend on the time at which they came here.
OrderKey order_aside(const Job& job) { return {job.spec->nice, job.id.value}; }

void bring_back(State& state, Job& job) {
  unindex_job(state, job);
  job.reason = Reason::priority;
  job.detail.clear();
  index_job(state, job);
}

}  // namespace

std::optional<LimitHit> start_block(const State& state, const Job& job) {
  const Config& config = state.config;
  const bool is_limited = !config.qos.empty() || !config.tenants.empty() || !config.reservations.empty();
  if (!is_limited && job.spec->licenses.empty()) return std::nullopt;
  if (std::optional<LimitHit> hit = state.policy.limits.check_start(limited_job(job.spec, job.owner.uid))) return hit;
  if (config.find_tenant(job.spec->account) != nullptr) {
    const Money worst = least_worst_case(state, job.spec).value_or(Money{});
    if (auto hit = state.policy.budgets.check(config, job.spec->account, worst, state.now)) {
      return LimitHit{Reason::budget, *std::move(hit)};
    }
  }
  return reservation_block(state, job);
}

bool is_affordable(const State& state, const Job& job, const Pool& pool) {
  if (state.config.find_tenant(job.spec->account) == nullptr) return true;
  const Money worst = worst_case_on(state, job.spec, pool).value_or(Money{});
  return !state.policy.budgets.check(state.config, job.spec->account, worst, state.now);
}

void set_aside(State& state, Job& job, LimitHit block) {
  unindex_job(state, job);
  job.reason = block.reason;
  job.detail = std::move(block.detail);
  index_job(state, job);
}

void enter_set_aside(State& state, const Job& job) { state.index.set_aside[company_of(job)].emplace(order_aside(job)); }

void leave_set_aside(State& state, const Job& job) {
  auto company = state.index.set_aside.find(company_of(job));
  company->second.erase(order_aside(job));
  if (company->second.empty()) state.index.set_aside.erase(company);
  state.policy.note_room();  // another of its company may be looked at now
}

bool recall(Effects& fx, bool anybody_started) {
  State& state = fx.state;
  PolicyState& policy = state.policy;
  const bool follow = anybody_started && policy.more_aside;
  policy.more_aside = false;
  if (!policy.take_room(state.config, state.now) && !follow) return false;
  std::vector<JobId> back;
  for (const auto& [company, jobs] : state.index.set_aside) {
    std::uint32_t recalled = 0;
    std::uint32_t in_vain = 0;
    for (const OrderKey& key : jobs) {
      if (recalled == k_recalled_at_a_time) {
        policy.more_aside = true;
        break;
      }
      const JobId id{static_cast<std::uint32_t>(key.sequence)};
      Job& job = state.jobs.at(id);
      if (std::optional<LimitHit> block = start_block(state, job)) {
        job.reason = block->reason;
        job.detail = std::move(block->detail);
        if (++in_vain == k_looked_at_in_vain) break;
      } else {
        back.push_back(id);
        ++recalled;
      }
    }
  }
  for (JobId id : back) bring_back(state, state.jobs.at(id));
  policy.take_room(state.config, state.now);  // their leaving made no room for others
  return !back.empty();
}

Time next_policy_change(const Config& config, Time now) {
  Time next = Time::never();
  for (const Tenant& tenant : config.tenants) {
    if (tenant.budget_period != BudgetPeriod::month) continue;
    next = month_start(month_start(now) + Duration::minutes(32 * 24 * 60));
    break;
  }
  for (const Reservation& reservation : config.reservations) {
    for (const Time at : {boots_from(config, reservation), reservation.start, reservation.end}) {
      if (at > now) next = std::min(next, at);
    }
  }
  return next;
}

std::optional<Money> worst_case_on(const State& state, const JobSpec& spec, const Pool& pool) {
  const Qos* qos = state.config.find_qos(spec.qos);
  return worst_case_price(pool.node_price(), spec.nodes, spec.time_limit, state.config.kill_wait,
                          qos != nullptr ? qos->price_factor_percent : 100);
}

std::optional<Money> least_worst_case(const State& state, const JobSpec& spec) {
  std::optional<Money> least;
  for (const std::string& name : state.find_partition(spec.partition)->pools) {
    const Pool* pool = state.find_pool(name);
    if (pool == nullptr || !can_hold(state, *pool, spec)) continue;
    const std::optional<Money> price = worst_case_on(state, spec, *pool);
    if (!price) return std::nullopt;
    least = least ? std::min(*least, *price) : *price;
  }
  return least ? *least : Money{};
}

}  // namespace virga
