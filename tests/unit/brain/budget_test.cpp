// Budgets: months, worst cases, and the one thing that matters: spent plus committed is never above the budget.
#include "brain/policy/budget.hpp"

#include <doctest/doctest.h>

#include <map>
#include <random>

#include "core/binary.hpp"

namespace virga {
namespace {

const Time k_jan = Time::from_seconds(1'767'225'600);  // 2026-01-01T00:00:00Z
constexpr Duration k_day = Duration::seconds(86'400);

Config budget_config(BudgetPeriod period = BudgetPeriod::month) {
  Config config;
  config.tenants.push_back({.name = "science", .budget_period = period, .budget = Money::usd(100)});
  config.tenants.push_back({.name = "physics", .parent = "science", .budget_period = period, .budget = Money::usd(60)});
  config.tenants.push_back({.name = "free"});
  return config;
}

}  // namespace

TEST_CASE("budget: months begin where the calendar says") {
  CHECK(month_start(k_jan) == k_jan);
  CHECK(month_start(k_jan + k_day * 30) == k_jan);
  CHECK(month_start(k_jan + k_day * 31) == k_jan + k_day * 31);
  CHECK(month_start(k_jan + k_day * 58) == k_jan + k_day * 31);                            // 28 February
  CHECK(month_start(k_jan + k_day * 59) == k_jan + k_day * 59);                            // 1 March
  CHECK(month_start(Time::from_seconds(1'709'164'800)).whole_seconds() == 1'706'745'600);  // 29 February 2024
  CHECK(month_start(Time::from_seconds(951'782'400)).whole_seconds() == 949'363'200);      // 29 February 2000
  CHECK(month_start(Time{-1}).whole_seconds() == -31 * 86'400);
}

TEST_CASE("budget: the worst case is rounded up, and none exists without a time limit") {
  CHECK(worst_case_price(Money::usd(36), 2, Duration::minutes(60), Duration{}, 100) == Money::usd(72));
  CHECK(worst_case_price(Money::usd(36), 2, Duration::minutes(59), Duration::minutes(1), 250) == Money::usd(180));
  CHECK(worst_case_price(Money{1}, 1, Duration::seconds(1), Duration{}, 100) == Money{1});
  CHECK_FALSE(worst_case_price(Money::usd(36), 2, Duration::infinite(), Duration{}, 100));
  CHECK(worst_case_price(Money::usd(1'000'000), 10'000'000, k_day * 366, Duration{}, 10'000)->micro_usd > 1LL << 61);
}

TEST_CASE("budget: committed, settled, and the rest is free again") {
  const Config config = budget_config();
  Budgets budgets;
  CHECK(budgets.left(config, "physics", k_jan) == Money::usd(60));
  CHECK_FALSE(budgets.left(config, "free", k_jan));
  CHECK_FALSE(budgets.check(config, "physics", Money::usd(60), k_jan));
  budgets.commit(config, {1}, "physics", Money::usd(50), k_jan);
  CHECK(*budgets.check(config, "physics", Money::usd(11), k_jan) ==
        "the job may cost 11.00 USD; of tenant physics's 60.00 USD, 0.00 are spent and 50.00 committed");
  CHECK(budgets.check(config, "science", Money::usd(51), k_jan).has_value());
  CHECK_FALSE(budgets.check(config, "free", Money::usd(1'000'000), k_jan));
  budgets.settle(config, {1}, Money::usd(20), k_jan + k_day);
  budgets.settle(config, {1}, Money::usd(20), k_jan + k_day);  // twice is once
  CHECK(budgets.left(config, "physics", k_jan + k_day) == Money::usd(40));
  CHECK(budgets.left(config, "science", k_jan + k_day) == Money::usd(80));
  CHECK(budgets.left(config, "physics", k_jan + k_day * 31) == Money::usd(60));  // a new month
  CHECK(encode(decode<Budgets>(encode(budgets)).value()) == encode(budgets));
}

TEST_CASE("budget: a commitment counts in each month it lives in, a total budget for ever") {
  const Config config = budget_config();
  Budgets budgets;
  budgets.commit(config, {1}, "physics", Money::usd(50), k_jan);
  CHECK(budgets.left(config, "physics", k_jan + k_day * 40) == Money::usd(10));
  const Config total = budget_config(BudgetPeriod::total);
  Budgets once;
  once.commit(total, {1}, "physics", Money::usd(50), k_jan);
  once.settle(total, {1}, Money::usd(45), k_jan);
  CHECK(once.left(total, "physics", k_jan + k_day * 400) == Money::usd(15));
}

TEST_CASE("budget: what never fits is refused with both sums") {
  const Config config = budget_config();
  CHECK(Budgets::never_fits(config, "physics", Money::usd(61))->message ==
        "the job may cost 61.00 USD to its time limit, the budget of tenant physics is 60.00 USD; ask for fewer nodes "
        "or a shorter --time");
  CHECK(Budgets::never_fits(config, "physics", std::nullopt)->message ==
        "tenant physics has a budget, so its jobs need a time limit; give --time");
  CHECK_FALSE(Budgets::never_fits(config, "physics", Money::usd(60)));
  CHECK_FALSE(Budgets::never_fits(config, "free", std::nullopt));
}

TEST_CASE("budget: never above it, whatever comes and goes") {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const Config config = budget_config(seed % 2 == 0 ? BudgetPeriod::month : BudgetPeriod::total);
    Budgets budgets;
    std::map<std::uint32_t, Money> open;
    Time now = k_jan;
    std::uint32_t next = 1;
    for (int step = 0; step < 400; ++step) {
      now = now + Duration::seconds(random() % (2 * 86'400));
      if (!open.empty() && random() % 2 == 0) {
        auto it = open.begin();
        std::advance(it, static_cast<std::ptrdiff_t>(random() % open.size()));
        budgets.settle(config, {it->first}, Money{static_cast<std::int64_t>(random() % 2 * it->second.micro_usd)}, now);
        open.erase(it);
      } else {
        const std::string tenant = random() % 2 == 0 ? "physics" : "science";
        const Money worst{static_cast<std::int64_t>(random() % 40'000'000)};
        if (!budgets.check(config, tenant, worst, now)) {
          budgets.commit(config, {next}, tenant, worst, now);
          open.emplace(next++, worst);
        }
      }
      for (const Tenant& tenant : config.tenants) {
        const Budgets::Account account = budgets.account(config, tenant.name, now);
        if (tenant.budget_period != BudgetPeriod::none) CHECK(account.spent + account.committed <= tenant.budget);
        CHECK(account.committed >= Money{});
      }
    }
    for (const auto& [job, worst] : open) budgets.settle(config, {job}, Money{}, now);
    CHECK(budgets.account(config, "science", now).committed == Money{});
  }
}

}  // namespace virga
