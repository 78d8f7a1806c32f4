// What priorities are made of, as those who look are told.
#include "brain/policy/priority_report.hpp"

#include <doctest/doctest.h>

#include <map>

#include "unit/brain/world.hpp"

namespace virga::test {

namespace {

std::string text_of(const ShareRow& row) {
  return std::string(row.depth, ' ') + (row.tenant.empty() ? "-" : row.tenant) +
         (row.user.empty() ? "" : "/" + row.user) + " " + std::to_string(row.shares) + " of " +
         std::to_string(row.sibling_shares);
}

Config with_tenants() {
  Config config = small_config();
  config.scheduler.policy = OrderPolicy::multifactor;
  config.priority = {.age = 1, .fair_share = 1000};
  config.tenants = {{.name = "lab", .shares = 3, .users = {"user1001"}},
                    {.name = "team", .parent = "lab", .shares = 2, .users = {"user1000"}},
                    {.name = "shop", .shares = 1}};
  return config;
}

}  // namespace

TEST_CASE("priority report: the tree of shares, a tenant before its users, depth first") {
  World world(with_tenants());
  std::vector<std::string> rows;
  for (const ShareRow& row : priority_report_of(world.brain.state(), world.now).shares) rows.push_back(text_of(row));
  const std::vector<std::string> right = {
      "- 1 of 1",      " -/root 1 of 5",          " lab 3 of 5", "  lab/user1001 1 of 3",
      "  team 2 of 3", "   team/user1000 1 of 1", " shop 1 of 5"};
  CHECK(rows == right);
}

TEST_CASE("priority report: jobs that could start, with their age and what they are worth") {
  Config config = with_tenants();
  config.priority.max_age = Duration::seconds(100);
  World world(config);
  JobSpec spec = World::spec(4);
  spec.account = "team";
  spec.time_limit = Duration::seconds(1000);
  const JobId runs = world.run(spec);
  spec.nice = 7;
  const JobId waits = world.submit(spec);
  spec.held = true;
  world.submit(spec);
  spec.held = false;
  spec.begin = world.now + Duration::seconds(10'000);
  world.submit(spec);
  const Time later = world.now + Duration::seconds(25);
  const PriorityReport report = priority_report_of(world.brain.state(), later);
  REQUIRE(report.jobs.size() == 1);  // one has its nodes, one is held, one waits for its time
  CHECK(world.brain.state().jobs.at(runs).state != JobState::pending);
  CHECK(report.jobs[0].job == waits);
  CHECK(report.jobs[0].nice == 7);
  CHECK(report.jobs[0].age_ppm / 1000 == 250);
  const PriorityReport old = priority_report_of(world.brain.state(), world.now + Duration::seconds(9'000));
  CHECK(old.jobs[0].age_ppm == 1'000'000);
}

TEST_CASE("priority report: what a user used is its tenant's and that of all above") {
  World world(with_tenants());
  JobSpec spec = World::spec(1);
  spec.account = "team";
  spec.time_limit = Duration::minutes(600);
  world.run(spec);
  world.submit(World::spec(4));  // the order of those that wait is what usage is counted for
  world.pass(Duration::minutes(20));
  std::map<std::string, std::uint64_t> usage;
  for (const ShareRow& row : priority_report_of(world.brain.state(), world.now).shares) {
    usage[row.tenant + "/" + row.user] = row.usage;
  }
  CHECK(usage.at("team/user1000") > 0);
  for (const char* above : {"team/", "lab/", "/"}) CHECK(usage.at(above) == usage.at("team/user1000"));
  for (const char* other : {"lab/user1001", "shop/", "/root"}) CHECK(usage.at(other) == 0);
}

}  // namespace virga::test
