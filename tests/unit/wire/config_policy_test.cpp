// The policy half of virga.toml: what good tables mean, and that each mistake is told with its place and its remedy.
#include "wire/config_policy.hpp"

#include <doctest/doctest.h>

#include <string>

#include "wire/config_toml.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

constexpr std::string_view k_machines = "[pool.nd]\n[partition.main]\npools = [\"nd\"]\n";

Result<Config> parsed(const std::string& text) {
  return parse_config(std::string(k_machines) + text, "virga.toml", ConfigContext{});
}

/// The message about tables that must be refused; their first line is line 4.
std::string refusal(const std::string& text) {
  const auto config = parsed(text);
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().code == Code::invalid);
  return config.error().message;
}

bool has(const std::string& text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("policy: what holds without any of its tables") {
  const auto config = parsed("");
  REQUIRE(config.has_value());
  CHECK(config->scheduler.backfill == BackfillMode::easy);
  CHECK(config->scheduler.policy == OrderPolicy::fifo);
  CHECK(config->qos.empty());
  CHECK(config->tenants.empty());
  CHECK(config->reservations.empty());
  CHECK(config->partitions[0].qos.empty());
  CHECK(config->partitions[0].allow_tenants.empty());
}

TEST_CASE("policy: every key reaches its place") {
  const auto config = parse_config(R"(
[scheduler]
backfill = "conservative"
policy = "multifactor"
[priority]
age = 1
fair_share = 2
size = 3
qos = 4
partition = 5
max_age = "3d"
decay_half_life = "infinite"
[qos.normal]
[qos.urgent]
priority = 100
max_jobs_per_user = 7
max_nodes_per_user = 8
max_submit_per_user = 9
max_wall = "4h"
preempt = ["normal"]
grace_time = "90s"
preempt_mode = "cancel"
price_factor_percent = 250
[tenant.science]
shares = 3
budget = 1234.5
[tenant.physics]
parent = "science"
users = ["ada", "grace.hopper"]
budget = 10
budget_period = "total"
budget_warn_percent = 55
max_nodes = 16
max_gpus = 128
delay_price = 0.5
buy = "soonest"
[pool.nd]
[partition.main]
pools = ["nd"]
priority = 6
qos = "normal"
allow_tenants = ["physics"]
[reservation.course]
start = "2026-01-31T12:00:00Z"
duration = "2h"
nodes = 4
partition = "main"
users = ["ada"]
[reservation.run]
start = 2026-02-01T12:00:00+01:00
end = "2026-02-02T00:00:00Z"
nodes = 1
partition = "main"
tenants = ["science"]
)",
                                   "virga.toml", ConfigContext{});
  REQUIRE_MESSAGE(config.has_value(), config.error().message);
  CHECK(config->scheduler.backfill == BackfillMode::conservative);
  CHECK(config->scheduler.policy == OrderPolicy::multifactor);
  const PriorityWeights& w = config->priority;
  CHECK(w.age == 1);
  CHECK(w.fair_share == 2);
  CHECK(w.size == 3);
  CHECK(w.qos == 4);
  CHECK(w.partition == 5);
  CHECK(w.max_age == Duration::minutes(3 * 1440));
  CHECK(w.decay_half_life.is_infinite());
  REQUIRE(config->qos.size() == 2);
  CHECK(config->qos[0].price_factor_percent == 100);
  const Qos& urgent = config->qos[1];
  CHECK(urgent.name == "urgent");
  CHECK(urgent.priority == 100);
  CHECK(urgent.max_jobs_per_user == 7);
  CHECK(urgent.max_nodes_per_user == 8);
  CHECK(urgent.max_submit_per_user == 9);
  CHECK(urgent.max_wall == Duration::minutes(240));
  CHECK(urgent.preempt == std::vector<std::string>{"normal"});
  CHECK(urgent.grace_time == Duration::seconds(90));
  CHECK(urgent.preempt_mode == PreemptMode::cancel);
  CHECK(urgent.price_factor_percent == 250);
  REQUIRE(config->tenants.size() == 2);
  CHECK(config->tenants[0].shares == 3);
  CHECK(config->tenants[0].budget == Money::usd(1234, 500'000));
  CHECK(config->tenants[0].budget_period == BudgetPeriod::month);
  const Tenant& physics = config->tenants[1];
  CHECK(physics.parent == "science");
  CHECK(physics.users == std::vector<std::string>{"ada", "grace.hopper"});
  CHECK(physics.budget_period == BudgetPeriod::total);
  CHECK(physics.budget_warn_percent == 55);
  CHECK(config->tenants[0].budget_warn_percent == 80);
  CHECK(physics.max_nodes == 16);
  CHECK(physics.max_gpus == 128);
  CHECK(physics.delay_price == Money::usd(0, 500'000));
  CHECK(physics.buy == BuyPolicy::soonest);
  CHECK(config->partitions[0].priority == 6);
  CHECK(config->partitions[0].qos == "normal");
  CHECK(config->partitions[0].allow_tenants == std::vector<std::string>{"physics"});
  REQUIRE(config->reservations.size() == 2);
  CHECK(iso8601(config->reservations[0].end) == "2026-01-31T14:00:00Z");
  CHECK(iso8601(config->reservations[1].start) == "2026-02-01T11:00:00Z");
  CHECK(config->reservations[1].tenants == std::vector<std::string>{"science"});
}

TEST_CASE("policy: mistakes about the order of jobs and QOS") {
  CHECK(refusal("[scheduler]\nbackfil = \"easy\"\n") ==
        "virga.toml:5:1: unknown key \"backfil\" in [scheduler]; did you mean \"backfill\"?");
  CHECK(refusal("[scheduler]\nbackfill = \"eazy\"\n") ==
        "virga.toml:5:12: scheduler.backfill: no \"eazy\" here; write one of \"easy\", \"conservative\", \"none\"");
  CHECK(has(refusal("[priority]\nage = -1\n"), "virga.toml:5:7: priority.age: -1 is out of range; write a whole"));
  CHECK(has(refusal("[priority]\nmax_age = 7\n"), "priority.max_age: 7 has no unit; write \"7s\" or"));
  CHECK(has(refusal("[qos.\"a b\"]\n"), "\"a b\" is no name of a qos; write a letter"));
  CHECK(has(refusal("[qos.u]\npreempt = [\"normal\"]\n[qos.normale]\n"),
            "virga.toml:5:11: qos.u.preempt: no qos \"normal\"; did you mean \"normale\"?"));
  CHECK(has(refusal("[qos.u]\npreempt = [\"u\"]\n"), "its own name"));
  CHECK(has(refusal("[qos.u]\npreempt = [\"v\"]\n[qos.v]\npreempt = [\"u\"]\n"),
            "virga.toml:7:11: qos.v.preempt: \"v\" and \"u\" preempt each other"));
  CHECK(has(refusal("[qos.u]\npreempt_mode = \"suspend\"\n"), "write one of \"requeue\", \"cancel\""));
  CHECK(has(refusal("[qos.u]\n[qos.u]\n"), "no TOML"));
  CHECK(has(refusal("qos = 1\n"), "no qos \"1\"") == false);
}

TEST_CASE("policy: mistakes about tenants") {
  CHECK(has(refusal("[tenant.a]\nparent = \"theory\"\n"),
            "virga.toml:5:10: tenant.a.parent: no tenant \"theory\"; known: \"a\""));
  CHECK(refusal("[tenant.a]\nparent = \"c\"\n[tenant.b]\nparent = \"a\"\n[tenant.c]\nparent = \"b\"\n") ==
        "virga.toml:5:10: tenant.a.parent: a tenant cannot be below itself (a < c < b < a); take one of these "
        "parents away");
  CHECK(has(refusal("[tenant.a]\nparent = \"a\"\n"), "cannot be below itself (a < a)"));
  CHECK(has(refusal("[tenant.a]\nbudget = \"100\"\n"), "\"100\" is a text; write a number of US dollars"));
  CHECK(has(refusal("[tenant.a]\nbudget_warn_percent = 80\n"), "there is no budget; write how many US dollars"));
  CHECK(has(refusal("[tenant.a]\nbudget = 1\nbudget_warn_percent = 101\n"), "tenant.a.budget_warn_percent"));
  CHECK(has(refusal("[tenant.a]\nbudget_period = \"month\"\n"), "there is no budget; write how many US dollars"));
  CHECK(has(refusal("[tenant.a]\nbudget = 1\nbudget_period = \"week\"\n"),
            "write one of \"none\", \"month\", \"total\""));
  CHECK(has(refusal("[tenant.a]\nbuy = \"later\"\n"), "write one of \"cheapest\", \"soonest\", \"reserved_only\""));
  CHECK(has(refusal("[tenant.a]\nusers = [\"a b\"]\n"), "\"a b\" is no name of a user"));
  CHECK(has(refusal("[tenant.a]\n[tenant.a]\n"), "no TOML"));
  CHECK(has(refusal("allow_tenants = [\"x\"]\n"),
            "virga.toml:4:17: partition.main.allow_tenants: no tenant \"x\"; this "
            "file has none; add [tenant.x]"));
  CHECK(has(refusal("qos = \"x\"\n"), "partition.main.qos: no qos \"x\"; this file has none; add [qos.x]"));
}

TEST_CASE("policy: mistakes about reservations") {
  const std::string rest = "nodes = 1\npartition = \"main\"\nusers = [\"ada\"]\n";
  const std::string times = "start = \"2026-01-31T12:00:00Z\"\nduration = \"1h\"\n";
  CHECK(parsed("[reservation.r]\n" + times + rest).has_value());
  CHECK(has(refusal("[reservation.r]\n" + rest), "reservation.r.start: missing; write when it begins"));
  CHECK(has(refusal("[reservation.r]\n" + rest), "reservation.r.end: missing; write when it ends"));
  CHECK(has(refusal("[reservation.r]\nstart = \"noon\"\nduration = \"1h\"\n" + rest),
            "virga.toml:5:9: reservation.r.start: \"noon\" is no time; write a time with its zone, such as"));
  CHECK(has(refusal("[reservation.r]\nstart = 2026-01-31T12:00:00\nduration = \"1h\"\n" + rest),
            "is a date or a time of day; write a time with its zone"));
  CHECK(has(refusal("[reservation.r]\n" + times + "end = \"2026-02-01T00:00:00Z\"\n" + rest),
            "end is there too; write one of the two"));
  CHECK(has(refusal("[reservation.r]\nstart = \"2026-01-31T12:00:00Z\"\nend = \"2026-01-31T12:00:00Z\"\n" + rest),
            "reservation.r.end: not after start"));
  CHECK(has(refusal("[reservation.r]\n" + times + "partition = \"mein\"\nnodes = 1\nusers = [\"ada\"]\n"),
            "no partition \"mein\"; did you mean \"main\"?"));
  CHECK(has(refusal("[reservation.r]\n" + times + "nodes = 1\npartition = \"main\"\n"), "write for whom it is"));
  CHECK(has(refusal("[reservation.r]\n" + times + "partition = \"main\"\nusers = [\"ada\"]\n"), "nodes: missing"));
}

}  // namespace virga
