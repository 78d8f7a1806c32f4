#include "brain/policy/budget.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/assert.hpp"

namespace virga {

namespace {

__extension__ using Int = __int128;

constexpr std::int64_t k_ns_per_day = 86'400LL * 1'000'000'000;

std::string dollars(Money money) {
  const std::int64_t cents = money.micro_usd / 10'000;
  return fmt::format("{}.{:02}", cents / 100, cents % 100);
}

/// From here on the tenant's owners are warned; zero: never.
Money warning_line(const Tenant& tenant) {
  if (tenant.budget_period == BudgetPeriod::none) return {};
  return {static_cast<std::int64_t>(Int{tenant.budget.micro_usd} * tenant.budget_warn_percent / 100)};
}

}  // namespace

Time month_start(Time t) {
  // Days since 0000-03-01, so that a leap day is the last day of its year: Howard Hinnant, "chrono-Compatible Low-Level
  // Date Algorithms", civil_from_days.
  std::int64_t days = t.ns / k_ns_per_day - (t.ns % k_ns_per_day < 0 ? 1 : 0);
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month = (5 * day_of_year + 2) / 153;
  const std::int64_t day_of_month = day_of_year - (153 * month + 2) / 5;
  return {(days - day_of_month) * k_ns_per_day};
}

std::optional<Money> worst_case_price(Money node_hour, std::uint32_t nodes, Duration time_limit, Duration kill_wait,
                                      std::uint32_t percent) {
  if (time_limit.is_infinite()) return std::nullopt;
  const Int whole = Int{node_hour.micro_usd} * nodes * percent;
  const Int length = Int{time_limit.ns} + kill_wait.ns;
  constexpr Int k_unit = Int{3'600} * 1'000'000'000 * 100;
  constexpr Int k_most = Int{1} << 62;
  // Beyond 10^19 or 36 years the product might not fit, and is more than any budget anyway.
  const bool is_huge = whole > (Int{1} << 66) || length > (Int{1} << 60);
  const Int price = is_huge ? k_most : (whole * length + k_unit - 1) / k_unit;
  return Money{static_cast<std::int64_t>(std::min(price, k_most))};
}

Budgets::Account Budgets::current(const Tenant& tenant, Time now) const {
  const auto known = accounts_.find(tenant.name);
  Account account = known != accounts_.end() ? known->second : Account{};
  if (tenant.budget_period == BudgetPeriod::month && account.period != month_start(now)) {
    account.period = month_start(now);
    account.spent = {};
    account.warned = {};
  }
  return account;
}

std::optional<Error> Budgets::never_fits(const Config& config, const std::string& tenant, std::optional<Money> worst) {
  for (const Tenant* at : config.way_up(tenant)) {
    if (at->budget_period == BudgetPeriod::none) continue;
    if (!worst) {
      return Error{Code::refused,
                   fmt::format("tenant {} has a budget, so its jobs need a time limit; give --time", at->name)};
    }
    if (*worst > at->budget) {
      return Error{Code::refused,
                   fmt::format("the job may cost {} USD to its time limit, the budget of tenant {} is {} "
                               "USD; ask for fewer nodes or a shorter --time",
                               dollars(*worst), at->name, dollars(at->budget))};
    }
  }
  return std::nullopt;
}

std::optional<std::string> Budgets::check(const Config& config, const std::string& tenant, Money worst,
                                          Time now) const {
  for (const Tenant* at : config.way_up(tenant)) {
    if (at->budget_period == BudgetPeriod::none) continue;
    const Account account = current(*at, now);
    if (account.spent + account.committed + worst > at->budget) {
      return fmt::format("the job may cost {} USD; of tenant {}'s {} USD, {} are spent and {} committed",
                         dollars(worst), at->name, dollars(at->budget), dollars(account.spent),
                         dollars(account.committed));
    }
  }
  return std::nullopt;
}

std::vector<std::string> Budgets::commit(const Config& config, JobId job, const std::string& tenant, Money worst,
                                         Time now) {
  Commitment commitment{{}, worst};
  std::vector<std::string> crossed;
  for (const Tenant* at : config.way_up(tenant)) {
    Account account = current(*at, now);
    account.committed += worst;
    const Money line = warning_line(*at);
    if (line > Money{} && account.spent + account.committed >= line && account.warned != line) {
      account.warned = line;
      crossed.push_back(at->name);
    }
    accounts_[at->name] = account;
    commitment.tenants.push_back(at->name);
  }
  const bool is_new = commitments_.emplace(job, std::move(commitment)).second;
  VIRGA_ASSERT(is_new, "a job is committed once for each time that it gets nodes");
  return crossed;
}

void Budgets::settle(const Config& config, JobId job, Money cost, Time now) {
  const auto found = commitments_.find(job);
  if (found == commitments_.end()) return;
  // Exactly those that were charged, whatever the configuration says of the tree by now.
  for (const std::string& name : found->second.tenants) {
    const Tenant* tenant = config.find_tenant(name);
    Account account = tenant != nullptr ? current(*tenant, now) : accounts_[name];
    account.committed.micro_usd -= found->second.worst.micro_usd;
    account.spent += cost;
    accounts_[name] = account;
  }
  commitments_.erase(found);
}

std::vector<JobId> Budgets::committed_jobs() const {
  std::vector<JobId> jobs;
  for (const auto& [job, commitment] : commitments_) jobs.push_back(job);
  return jobs;
}

std::optional<Money> Budgets::left(const Config& config, const std::string& tenant, Time now) const {
  std::optional<Money> least;
  for (const Tenant* at : config.way_up(tenant)) {
    if (at->budget_period == BudgetPeriod::none) continue;
    const Account account = current(*at, now);
    const Money left{at->budget.micro_usd - account.spent.micro_usd - account.committed.micro_usd};
    least = least ? std::min(*least, left) : left;
  }
  return least;
}

std::optional<std::string> Budgets::warning_of(const Tenant& tenant, Time now) const {
  const Money line = warning_line(tenant);
  const Account account = current(tenant, now);
  const Money used = account.spent + account.committed;
  if (line == Money{} || used < line) return std::nullopt;
  const auto percent = static_cast<std::int64_t>(Int{used.micro_usd} * 100 / tenant.budget.micro_usd);
  return fmt::format("tenant {} has used {} % of its budget of {} USD{} ({} spent, {} kept for its jobs)", tenant.name,
                     percent, dollars(tenant.budget), tenant.budget_period == BudgetPeriod::month ? " this month" : "",
                     dollars(account.spent), dollars(account.committed));
}

std::vector<std::string> Budgets::warnings(const Config& config, const std::string& tenant, Time now) const {
  std::vector<std::string> texts;
  for (const Tenant* at : config.way_up(tenant)) {
    if (auto text = warning_of(*at, now)) texts.push_back(*std::move(text));
  }
  return texts;
}

std::optional<std::string> Budgets::overrun(const Config& config, JobId job, Time now) const {
  const auto found = commitments_.find(job);
  if (found == commitments_.end()) return std::nullopt;
  for (const std::string& name : found->second.tenants) {
    const Tenant* tenant = config.find_tenant(name);
    if (tenant == nullptr || tenant->budget_period == BudgetPeriod::none) continue;
    const Account account = current(*tenant, now);
    if (account.spent + account.committed > tenant->budget) {
      return fmt::format("of tenant {}'s {} USD, {} are spent and {} committed, this job's {} among them", name,
                         dollars(tenant->budget), dollars(account.spent), dollars(account.committed),
                         dollars(found->second.worst));
    }
  }
  return std::nullopt;
}

Budgets::Account Budgets::account(const Config& config, const std::string& tenant, Time now) const {
  const Tenant* known = config.find_tenant(tenant);
  return known != nullptr ? current(*known, now) : Account{};
}

}  // namespace virga
