// Budgets as their owners meet them: the warning before the refusal, and no job beyond the budget, VMs booting or not.
#include <doctest/doctest.h>

#include <algorithm>

#include "unit/brain/world.hpp"

namespace virga {

using test::small_config;
using test::timed;
using test::World;

namespace {

/// One tenant; a node costs it 36 USD an hour.
Config budget_config(std::int64_t usd, BudgetPeriod period = BudgetPeriod::month) {
  Config config = small_config();
  config.kill_wait = Duration{};
  config.tenants = {{.name = "lab", .users = {"user1000"}, .budget_period = period, .budget = Money::usd(usd)}};
  return config;
}

void end(World& w, JobId id) { w.event(JobEnded{id, w.job(id).incarnation, {}, {}}); }

std::vector<std::string> warnings(World& w) {
  std::vector<std::string> texts;
  for (const Command& command : w.commands) {
    if (const auto* warning = std::get_if<WarnOfBudget>(&command)) texts.push_back(warning->text);
  }
  std::erase_if(w.commands, [](const Command& c) { return std::holds_alternative<WarnOfBudget>(c); });
  return texts;
}

bool starts(const World& w, JobId id) {
  return std::any_of(w.commands.begin(), w.commands.end(), [&](const Command& command) {
    const auto* start = std::get_if<StartJob>(&command);
    return start != nullptr && start->job.id == id;
  });
}

}  // namespace

TEST_CASE("budget: its owner is warned before it refuses, once in a period") {
  World w(budget_config(100));
  const JobId first = w.run(timed(1, 60));  // 36 of 100
  CHECK(warnings(w).empty());
  CHECK(w.brain.explain(first).warnings.empty());
  const JobId second = w.run(timed(1, 90));  // 54 more
  const std::string text =
      "tenant lab has used 90 % of its budget of 100.00 USD this month (0.00 spent, 90.00 kept for its jobs)";
  CHECK(warnings(w) == std::vector<std::string>{text});
  CHECK(w.brain.explain(first).warnings == std::vector<std::string>{text});
  CHECK(w.brain.explain(second).warnings == std::vector<std::string>{text});
  end(w, second);  // nearly nothing was spent, so the line can be crossed anew: it is not told again
  CHECK(w.brain.explain(first).warnings.empty());
  w.run(timed(1, 90));
  CHECK(warnings(w).empty());
  CHECK(w.brain.explain(first).warnings.size() == 1);
  CHECK(w.job(w.submit(timed(1, 60))).reason == Reason::budget);
}

TEST_CASE("budget: the next month's warning is a new one") {
  World w(budget_config(40));
  end(w, w.run(timed(1, 60)));
  CHECK(warnings(w).size() == 1);
  w.commands.clear();
  w.pass(Duration::minutes(25 * 24 * 60));  // the world begins on 12 January
  w.commands.clear();
  w.run(timed(1, 60));
  CHECK(warnings(w).size() == 1);
}

TEST_CASE("budget: another share, a tenant above, and none at all") {
  Config config = budget_config(100);
  config.tenants[0].budget_warn_percent = 30;
  config.tenants[0].parent = "all";
  config.tenants.push_back({.name = "all", .budget_period = BudgetPeriod::total, .budget = Money::usd(45)});
  World w(config);
  w.run(timed(1, 60));
  const std::vector<std::string> right = {
      "tenant lab has used 36 % of its budget of 100.00 USD this month (0.00 spent, 36.00 kept for its jobs)",
      "tenant all has used 80 % of its budget of 45.00 USD (0.00 spent, 36.00 kept for its jobs)"};
  CHECK(warnings(w) == right);
  for (Tenant& tenant : config.tenants) tenant.budget_warn_percent = 0;
  World silent(config);
  const JobId job = silent.run(timed(1, 60));
  CHECK(warnings(silent).empty());
  CHECK(silent.brain.explain(job).warnings.empty());
}

TEST_CASE("budget: what was told survives a snapshot") {
  World w(budget_config(40));
  const JobId first = w.run(timed(1, 60));
  CHECK(warnings(w).size() == 1);
  Result<Brain> loaded = Brain::load(w.brain.save());
  REQUIRE(loaded.has_value());
  w.brain = *std::move(loaded);
  end(w, first);
  w.run(timed(1, 60));
  CHECK(warnings(w).empty());
}

TEST_CASE("budget: a job whose VMs boot does not start once its budget was cut, and the VMs go") {
  Config config = budget_config(100);
  World w(config);
  const JobId running = w.run(timed(1, 60));     // 36
  const JobId booting = w.submit(timed(2, 45));  // 54
  const ReserveGang gang = w.take<ReserveGang>();
  w.event(GangGranted{gang.gang, {"10.0.0.8", "10.0.0.9"}});
  CHECK(w.job(booting).state == JobState::configuring);
  config.tenants[0].budget = Money::usd(80);
  w.event(ConfigChanged{config});
  CHECK(w.job(running).state == JobState::running);
  CHECK(w.job(booting).state == JobState::pending);
  CHECK(w.job(booting).reason == Reason::budget);
  CHECK(w.job(booting).nodes.empty());
  for (const WantedVm& vm : gang.vms) w.event(VmReady{vm.vm});
  CHECK_FALSE(starts(w, booting));
  w.commands.clear();
  w.pass(Duration::seconds(61));  // idle_time
  std::size_t released = 0;
  for (const Command& command : w.commands) released += std::holds_alternative<ReleaseVm>(command) ? 1 : 0;
  CHECK(released == 2);
  for (const WantedVm& vm : gang.vms) w.event(VmReleased{vm.vm});
  // Nothing is asked for anew, until there is money again.
  w.commands.clear();
  w.pass(Duration::minutes(10));
  w.drained();
  config.tenants[0].budget = Money::usd(200);
  w.event(ConfigChanged{config});
  CHECK(w.take<ReserveGang>().vms.size() == 2);
}

TEST_CASE("budget: of several jobs that do not run yet the youngest give back, promised nodes too") {
  Config config = budget_config(200);
  World w(config);
  const JobId first = w.submit(timed(1, 60));
  const ReserveGang gang = w.take<ReserveGang>();
  w.event(GangGranted{gang.gang, {"10.0.0.8"}});
  const JobId second = w.submit(timed(1, 60));
  const JobId third = w.submit(timed(1, 60));
  CHECK(w.job(third).reason == Reason::reserving);
  config.tenants[0].budget = Money::usd(75);
  w.event(ConfigChanged{config});
  CHECK(w.job(first).state == JobState::configuring);
  CHECK(w.job(second).reason == Reason::reserving);
  CHECK(w.job(third).reason == Reason::budget);
  w.event(VmReady{gang.vms[0].vm});
  CHECK(starts(w, first));
}

TEST_CASE("budget: a job whose VMs boot does not start if another cost more than was kept for it") {
  Config config = budget_config(72, BudgetPeriod::total);
  World w(config);
  const JobId running = w.run(timed(1, 60));
  const JobId booting = w.submit(timed(1, 60));
  const ReserveGang gang = w.take<ReserveGang>();
  w.event(GangGranted{gang.gang, {"10.0.0.9"}});
  config.pools[0].sku.price_per_hour = Money::usd(360);  // dearer than when it was committed
  w.event(ConfigChanged{config});
  CHECK(w.job(booting).state == JobState::configuring);
  w.now = w.now + Duration::minutes(30);
  end(w, running);  // 180 of 72
  w.event(VmReady{gang.vms[0].vm});
  CHECK_FALSE(starts(w, booting));
  CHECK(w.job(booting).reason == Reason::budget);
}

}  // namespace virga
