// Limits, budgets, reservations, priorities, preemption and what tenants want to pay, enforced by the brain: driven by
// events alone.
#include <doctest/doctest.h>

#include "unit/brain/world.hpp"

namespace virga {

using test::small_config;
using test::timed;
using test::World;

namespace {

JobSpec of_qos(JobSpec s, const std::string& qos) {
  s.qos = qos;
  return s;
}

/// All nodes are ready and nobody is on them.
void boot_all(World& w, std::uint32_t nodes) {
  const JobId id = w.run(timed(nodes, 1));
  w.event(JobEnded{id, 0, {}, {}});
  w.commands.clear();
}

void end(World& w, JobId id) { w.event(JobEnded{id, w.job(id).incarnation, {}, {}}); }

JobId start(World& w, JobSpec s, std::uint32_t uid = 1000) {
  const JobId id = w.submit(std::move(s), uid);
  REQUIRE(w.job(id).state == JobState::configuring);
  w.event(JobStarted{id, 0});
  return id;
}

bool has_nodes(const World& w, JobId id) { return holds_nodes(w.job(id).state); }

}  // namespace

TEST_CASE("limits: who has what he may waits, holds nobody up, and goes on when he gives something back") {
  Config config = small_config();
  config.qos = {{.name = "normal", .max_jobs_per_user = 1}};
  config.partitions[0].qos = "normal";
  World w(config);
  boot_all(w, 4);
  const JobId first = start(w, timed(1, 60));
  const JobId second = w.submit(timed(4, 60));
  const JobId third = w.submit(timed(1, 60));
  CHECK(w.job(second).reason == Reason::qos_limit);
  CHECK(w.job(second).detail == "1 jobs of the user run, QOS normal allows 1");
  CHECK(w.job(third).reason == Reason::qos_limit);
  CHECK(has_nodes(w, w.submit(timed(2, 600), 1001)));  // the second job, which could not have them, holds no nodes
  end(w, first);
  CHECK(w.job(second).reason == Reason::resources);
  CHECK(has_nodes(w, third));  // it fits beside what the second one waits for
}

TEST_CASE("limits: many who were set aside all come back when there is room for all") {
  Config config = small_config(300);
  config.qos = {{.name = "normal", .max_jobs_per_user = 1}};
  config.partitions[0].qos = "normal";
  World w(config);
  boot_all(w, 300);
  start(w, timed(1, 60));
  for (int i = 0; i < 250; ++i) w.submit(timed(1, 60));
  CHECK(w.brain.state().index.living.size() == 1);
  config.qos[0].max_jobs_per_user = 0;
  w.event(ConfigChanged{config});
  CHECK(w.brain.state().index.living.size() == 251);
}

TEST_CASE("limits: nodes that are only promised count, so two promises cannot break a tenant's limit") {
  Config config = small_config();
  config.tenants = {{.name = "physics", .users = {"user1000"}, .max_nodes = 3}};
  World w(config);
  const JobId first = w.submit(timed(2, 60));
  const JobId second = w.submit(timed(2, 60));
  CHECK(w.job(first).reason == Reason::reserving);
  CHECK(w.job(second).reason == Reason::tenant_limit);
  w.event(GangRefused{w.take<ReserveGang>().gang, Refusal::capacity, "none left", {}});
  // The first one's nodes did not come, so there is room: but nothing may be asked for during the pause.
  CHECK(w.job(second).reason == Reason::priority);
}

TEST_CASE("budget: a job starts only if its worst case fits, and what it did not use is free again") {
  Config config = small_config();  // 36 USD an hour for a node
  config.kill_wait = Duration{};
  config.tenants = {
      {.name = "physics", .users = {"user1000"}, .budget_period = BudgetPeriod::total, .budget = Money::usd(40)}};
  World w(config);
  const JobId first = w.run(timed(1, 60));
  const JobId second = w.submit(timed(1, 30));
  CHECK(w.job(second).reason == Reason::budget);
  CHECK(w.job(second).detail.find("the job may cost 18.00 USD; of tenant physics's 40.00 USD, 0.00 are spent and 36.00 "
                                  "committed") != std::string::npos);
  w.now = w.now + Duration::minutes(30);
  end(w, first);
  CHECK(has_nodes(w, second));  // 18 spent, 18 committed
  CHECK(w.job(w.submit(timed(1, 10))).reason == Reason::budget);
}

TEST_CASE("budget: the next month's begins with a timer") {
  Config config = small_config();
  config.kill_wait = Duration{};
  config.tenants = {
      {.name = "physics", .users = {"user1000"}, .budget_period = BudgetPeriod::month, .budget = Money::usd(40)}};
  World w(config);
  const JobId first = w.run(timed(1, 60));
  w.now = w.now + Duration::minutes(60);
  end(w, first);
  const JobId second = w.submit(timed(1, 30));
  CHECK(w.job(second).reason == Reason::budget);
  w.pass(Duration::minutes(20 * 24 * 60));  // the world begins on 12 January
  CHECK(w.job(second).state == JobState::pending);
  CHECK(w.job(second).reason != Reason::budget);
}

TEST_CASE("reservation: others keep off while it lasts, and come by a timer when it is over") {
  Config config = small_config();
  config.kill_wait = Duration{};
  const Time now = World().now;
  config.reservations = {{.name = "course",
                          .start = now + Duration::minutes(60),
                          .end = now + Duration::minutes(120),
                          .nodes = 3,
                          .partition = "main",
                          .users = {"user1000"}}};
  World w(config);
  boot_all(w, 4);
  CHECK(has_nodes(w, w.submit(timed(1, 30), 1001)));  // ends before it begins
  const JobId late = w.submit(timed(2, 90), 1001);
  CHECK(w.job(late).reason == Reason::reservation);
  JobSpec inside = timed(3, 30);
  inside.reservation = "course";
  const JobId course = w.submit(inside);
  CHECK(w.job(course).reason == Reason::reservation);  // it has not begun
  w.pass(Duration::minutes(61));
  CHECK(w.job(course).reason != Reason::reservation);
  CHECK(w.job(late).reason == Reason::reservation);
  w.pass(Duration::minutes(60));
  CHECK(w.job(late).reason != Reason::reservation);
}

TEST_CASE("reservation: its nodes are asked for in time, and go when it is over") {
  Config config = small_config();
  config.pools[0].boot_time = Duration::minutes(5);
  const Time now = World().now;
  config.reservations = {{.name = "course",
                          .start = now + Duration::minutes(60),
                          .end = now + Duration::minutes(120),
                          .nodes = 3,
                          .partition = "main",
                          .users = {"user1000"}}};
  World w(config);
  w.pass(Duration::minutes(54));
  CHECK(w.brain.state().vms.empty());
  w.pass(Duration::minutes(2));
  CHECK(w.grant_and_boot().size() == 3);
  w.pass(Duration::minutes(60));
  CHECK(w.brain.state().vms.size() == 3);
  w.drained();
  w.pass(Duration::minutes(10));
  w.take<ReleaseVm>();
  w.take<ReleaseVm>();
  w.take<ReleaseVm>();
}

TEST_CASE("multifactor: who used much comes after who used little, from the next ranking on") {
  Config config = small_config(1);
  config.scheduler.policy = OrderPolicy::multifactor;
  config.priority = {.age = 1, .fair_share = 10'000};
  World w(config);
  const JobId running = w.run(timed(1, 600));  // user1000
  const JobId heavy = w.submit(timed(1, 60), 1000);
  const JobId light = w.submit(timed(1, 60), 1001);
  w.pass(Duration::minutes(6));
  CHECK(w.job(light).priority > w.job(heavy).priority);
  end(w, running);
  CHECK(has_nodes(w, light));
  CHECK_FALSE(has_nodes(w, heavy));
}

TEST_CASE("multifactor: nice, QOS and size are weighed, and a full age ends the growth") {
  Config config = small_config(4);
  config.scheduler.policy = OrderPolicy::multifactor;
  config.priority = {.age = 1'000, .fair_share = 0, .size = 0, .qos = 500, .partition = 0};
  config.priority.max_age = Duration::minutes(10);
  config.qos = {{.name = "normal"}, {.name = "high", .priority = 5}};
  World w(config);
  const JobId running = w.run(timed(4, 600));
  JobSpec nice = timed(4, 60);
  nice.nice = 2'000;
  const JobId last = w.submit(nice);
  w.pass(Duration::minutes(4));  // an age of 400 points more
  const JobId normal = w.submit(timed(4, 60));
  const JobId high = w.submit(of_qos(timed(4, 60), "high"));
  w.pass(Duration::minutes(11));  // all of them are as old as counts
  end(w, running);
  CHECK(has_nodes(w, high));
  w.event(JobStarted{high, 0});
  end(w, high);
  CHECK(has_nodes(w, normal));
  CHECK_FALSE(has_nodes(w, last));
}

TEST_CASE("due: a short job goes before a long one, unless that has waited for long") {
  Config config = small_config(1);
  config.scheduler.policy = OrderPolicy::due;
  World w(config);
  const JobId running = w.run(timed(1, 600));
  const JobId old = w.submit(timed(1, 60));  // due after 300 minutes
  w.pass(Duration::minutes(270));
  const JobId brief = w.submit(timed(1, 10));  // due after 320
  const JobId lengthy = w.submit(timed(1, 100));
  end(w, running);
  CHECK(has_nodes(w, old));
  w.event(JobStarted{old, 0});
  end(w, old);
  CHECK(has_nodes(w, brief));
  CHECK_FALSE(has_nodes(w, lengthy));
}

TEST_CASE("preemption: the gang with the fresh checkpoint is ended, requeued, and its nodes go to who asked") {
  Config config = small_config();
  config.qos = {{.name = "normal", .grace_time = Duration::seconds(10)},
                {.name = "urgent", .priority = 1, .preempt = {"normal"}}};
  config.partitions[0].qos = "normal";
  World w(config);
  boot_all(w, 4);
  const JobId other = start(w, timed(2, 600));
  const JobId victim = start(w, timed(2, 600));
  w.commands.clear();
  w.pass(Duration::minutes(30));
  w.event(CheckpointDone{{1000, 1000, "user1000", false}, victim, 7, 1'000});
  const JobId urgent = w.submit(of_qos(timed(2, 60), "urgent"));
  const EndJob told = w.take<EndJob>();
  CHECK(told.job == victim);
  CHECK(told.signal == 15);
  CHECK(w.job(victim).state == JobState::completing);
  CHECK(w.job(victim).detail == "its nodes go to job " + std::to_string(urgent.value) + " of QOS urgent");
  CHECK(w.job(other).state == JobState::running);
  const JobId small = w.submit(timed(1, 600), 1001);
  w.pass(Duration::seconds(11));
  CHECK(w.take<EndJob>().signal == 9);  // its QOS's grace time, not kill_wait
  w.event(JobEnded{victim, 0, {0, 9}, {}});
  CHECK(has_nodes(w, urgent));
  CHECK_FALSE(has_nodes(w, small));
  CHECK(w.job(victim).state == JobState::pending);
  CHECK(w.job(victim).incarnation == 1);
  // Nobody is ended for it twice, and nobody of its own QOS for another one.
  w.submit(of_qos(timed(2, 60), "urgent"));
  CHECK(w.take<EndJob>().job == other);
}

TEST_CASE("preemption: nobody is ended if that would not do") {
  Config config = small_config();
  config.qos = {{.name = "normal"}, {.name = "firm"}, {.name = "urgent", .preempt = {"normal"}}};
  World w(config);
  boot_all(w, 4);
  start(w, of_qos(timed(3, 600), "firm"));
  start(w, of_qos(timed(1, 600), "normal"));
  w.commands.clear();
  w.submit(of_qos(timed(2, 60), "urgent"));
  w.drained();
}

TEST_CASE("switches: a gang waits for one leaf as long as it said, then takes two") {
  Config config = small_config(4);
  config.pools[0].fabric.nodes_per_leaf = 2;
  World w(config);
  boot_all(w, 4);
  const JobId left = start(w, timed(1, 600));
  const JobId right = start(w, timed(2, 600));
  CHECK(w.job(left).nodes[0].name != w.job(right).nodes[0].name);
  end(w, left);
  const JobId blocker = start(w, timed(1, 600));
  const JobId other = start(w, timed(1, 600));
  end(w, right);
  const JobId half = start(w, timed(1, 600));
  end(w, blocker);
  // One node is free on each leaf now.
  CHECK(has_nodes(w, other));
  CHECK(has_nodes(w, half));
  JobSpec picky = timed(2, 60);
  picky.switches = 1;
  picky.switches_wait = Duration::minutes(5);
  const JobId gang = w.submit(picky);
  if (!has_nodes(w, gang)) {
    CHECK(w.job(gang).detail.find("not where the fabric joins them") != std::string::npos);
    w.pass(Duration::minutes(6));
  }
  CHECK(has_nodes(w, gang));
}

TEST_CASE("switches: fewer than the gang could ever do with, without an end to the waiting, are refused") {
  Config config = small_config(4);
  config.pools[0].fabric.nodes_per_leaf = 2;
  World w(config);
  JobSpec picky = timed(3, 60);
  picky.switches = 1;
  Result<std::uint64_t> refused = w.ask(JobSubmitted{{1000, 1000, "user1000", false}, picky, ""});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("3 nodes asked for below 1 switches, and a leaf of pool nd has 2") !=
        std::string::npos);
}

TEST_CASE("release: a job that nobody holds keeps its age") {
  World w;
  boot_all(w, 4);
  start(w, timed(4, 600));
  const JobId waiting = w.submit(timed(4, 60));
  const Time eligible = w.job(waiting).eligible;
  w.pass(Duration::minutes(5));
  w.event(JobActed{{1000, 1000, "user1000", false}, waiting, JobAction::release});
  CHECK(w.job(waiting).eligible == eligible);
}

TEST_CASE("backfill: none lets nobody overtake, easy only the first is safe from, conservative all") {
  const auto second_is_late = [](BackfillMode mode) {
    Config config = small_config(4);
    config.scheduler.backfill = mode;
    World w(config);
    boot_all(w, 4);
    const JobId two = start(w, timed(2, 100));
    const JobId one = start(w, timed(1, 20));
    const JobId first = w.submit(timed(3, 50));   // has its nodes after 100 minutes
    const JobId second = w.submit(timed(2, 30));  // has two nodes from minute 20 to 50
    const JobId tiny = w.submit(timed(1, 40));    // takes the free node past minute 20, which delays the second one
    CHECK(has_nodes(w, two));
    CHECK(has_nodes(w, one));
    CHECK_FALSE(has_nodes(w, first));
    CHECK_FALSE(has_nodes(w, second));
    return has_nodes(w, tiny);
  };
  CHECK_FALSE(second_is_late(BackfillMode::none));
  CHECK(second_is_late(BackfillMode::easy));
  CHECK_FALSE(second_is_late(BackfillMode::conservative));
}

namespace {

/// A reserved pool of two nodes, which cost nothing more, and one on demand.
World two_pools(BuyPolicy buy, Money delay_price = {}) {
  Config config = small_config(2);
  config.pools[0].purchase = Purchase::reserved;
  Pool dear = config.pools[0];
  dear.name = "od";
  dear.node_prefix = "od-";
  dear.purchase = Purchase::on_demand;
  config.pools.push_back(dear);
  config.partitions[0].pools = {"nd", "od"};
  config.tenants = {{.name = "physics", .users = {"user1000", "user1001"}, .delay_price = delay_price, .buy = buy}};
  World w(config);
  w.run(timed(2, 60));
  return w;
}

}  // namespace

TEST_CASE("wait or buy: a long job waits for nodes that are paid for, a short one buys") {
  World w = two_pools(BuyPolicy::cheapest);
  const JobId brief = w.submit(timed(1, 30));
  CHECK(w.take<ReserveGang>().pool.name == "od");
  CHECK(w.job(brief).reason == Reason::reserving);
  CHECK(w.job(w.submit(timed(1, 300))).reason == Reason::resources);
  CHECK(w.job(w.submit(timed(1, 300))).reason == Reason::priority);  // behind the first, still cheaper
  w.drained();
}

TEST_CASE("wait or buy: it is the tenant's word that counts") {
  World soonest = two_pools(BuyPolicy::soonest);
  soonest.submit(timed(1, 300));
  CHECK(soonest.take<ReserveGang>().pool.name == "od");
  World patient = two_pools(BuyPolicy::reserved_only);
  CHECK(patient.job(patient.submit(timed(1, 30))).reason == Reason::resources);
  patient.drained();
  World hurried = two_pools(BuyPolicy::cheapest, Money::usd(360));
  hurried.submit(timed(1, 300));
  CHECK(hurried.take<ReserveGang>().pool.name == "od");
}

TEST_CASE("wait or buy: a cloud that refused is not asked again while another pool is worth its price") {
  const auto refused_once = [](std::int64_t minutes, Refusal refusal) {
    Config config = small_config(4);
    config.pools[0].sku.price_per_hour = Money::usd(90);
    Pool dear = config.pools[0];
    dear.name = "od";
    dear.node_prefix = "od-";
    dear.sku.price_per_hour = Money::usd(100);
    config.pools.push_back(dear);
    config.partitions[0].pools = {"nd", "od"};
    World w(config);
    w.submit(timed(3, minutes));
    const ReserveGang gang = w.take<ReserveGang>();
    CHECK(gang.pool.name == "nd");
    w.event(GangRefused{gang.gang, refusal, "no", {}});
    return w;
  };
  // Ten dollars a node against ten minutes of a shortage, which are worth sixteen; thirty against sixteen.
  World short_job = refused_once(60, Refusal::capacity);
  CHECK(short_job.take<ReserveGang>().pool.name == "od");
  World long_job = refused_once(180, Refusal::capacity);
  CHECK(long_job.job(JobId{1}).reason == Reason::capacity);
  long_job.drained();
  long_job.pass(Duration::seconds(2));  // the pause is over
  CHECK(long_job.take<ReserveGang>().pool.name == "nd");
  World throttled = refused_once(60, Refusal::throttled);
  CHECK(throttled.job(JobId{1}).reason == Reason::throttled);
  throttled.drained();
}

TEST_CASE("wait or buy: a tenant of reserved nodes only is told where there are none") {
  Config config = small_config();
  config.tenants = {{.name = "physics", .users = {"user1000"}, .buy = BuyPolicy::reserved_only}};
  World w(config);
  Result<std::uint64_t> refused = w.ask(JobSubmitted{{1000, 1000, "user1000", false}, timed(1, 30), ""});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("reserved nodes only") != std::string::npos);
}

}  // namespace virga
