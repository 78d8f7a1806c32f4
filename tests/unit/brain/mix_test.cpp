// Reserved nodes and bought ones together: who waits for which, which are given back, and who shares one.
#include "world.hpp"

namespace virga::test {

namespace {

/// A reserved node and up to two that are bought, with room for a job each; an hour of waiting is worth 1 USD.
Config one_reserved_two_bought() {
  Config config = small_config(1);
  config.pools[0].purchase = Purchase::reserved;
  config.pools[0].idle_time = Duration::infinite();
  Pool bought = small_config(2).pools[0];
  bought.name = "more";
  bought.node_prefix = "more-";
  config.pools.push_back(bought);
  config.partitions[0].pools = {"nd", "more"};
  Tenant lab;
  lab.name = "lab";
  lab.delay_price = Money::usd(1);
  config.tenants.push_back(lab);
  return config;
}

JobSpec lab_job(Duration limit, std::uint32_t cpus = 8) {
  JobSpec spec = World::spec(1, cpus);
  spec.account = "lab";
  spec.time_limit = limit;
  return spec;
}

}  // namespace

TEST_CASE("a bought node goes when it is idle, though a job waits that prefers the reserved one") {
  World w(one_reserved_two_bought());
  const JobId on_reserved = w.run(lab_job(Duration::minutes(240)));
  // It would wait for 4 hours to save the price of a minute: it buys.
  const JobId on_bought = w.run(lab_job(Duration::minutes(1)));
  CHECK(w.job(on_reserved).nodes[0].name == "nd-1");
  REQUIRE(w.job(on_bought).nodes[0].name.starts_with("more-"));
  // Waiting costs it 4 USD, a bought node 36.
  const JobId patient = w.submit(lab_job(Duration::minutes(60)));
  CHECK(w.job(patient).state == JobState::pending);
  w.event(JobEnded{on_bought, 0, {}, {}});
  w.take<ArchiveJob>();
  w.take<ForgetJob>();
  CHECK(w.job(patient).state == JobState::pending);
  w.pass(Duration::seconds(61));
  CHECK(w.take<ReleaseVm>().pool == "more");
  w.drained();
  w.event(JobEnded{on_reserved, 0, {}, {}});
  CHECK(w.take<StartJob>().job.nodes[0].name == "nd-1");
}

TEST_CASE("a bought node is kept for a job that waits until there are enough of them") {
  World w(one_reserved_two_bought());
  const JobId first = w.run(lab_job(Duration::minutes(240)));
  const JobId a = w.run(lab_job(Duration::minutes(1)));
  const JobId b = w.run(lab_job(Duration::minutes(1)));
  w.event(JobEnded{a, 0, {}, {}});
  JobSpec pair = lab_job(Duration::minutes(60));
  pair.nodes = pair.tasks = 2;
  const JobId gang = w.submit(pair);
  CHECK(w.job(gang).reason == Reason::resources);
  w.commands.clear();
  w.pass(Duration::seconds(61));
  for (const Command& command : w.commands) CHECK_FALSE(std::holds_alternative<ReleaseVm>(command));
  w.event(JobEnded{b, 0, {}, {}});
  CHECK(w.take<StartJob>().job.id == gang);
  CHECK(w.job(first).state == JobState::running);
}

TEST_CASE("a job waits behind parts of nodes for as long as they take of the pool, not for whole nodes") {
  World w(one_reserved_two_bought());
  w.run(lab_job(Duration::minutes(60)));
  // Buying would cost 360 USD, waiting for the reserved node 1.
  const JobId eighth = w.submit(lab_job(Duration::minutes(600), 1));
  CHECK(w.job(eighth).reason == Reason::resources);
  // After that job's 10 hours on an eighth of the pool it would have waited for 2 h 15 min: 2.25 USD. A bought node
  // for 5 minutes is 3 USD.
  const JobId next = w.submit(lab_job(Duration::minutes(5), 1));
  CHECK(w.job(next).state == JobState::pending);
  CHECK(w.job(next).promised.empty());
  // For 3 minutes it is 1.80 USD.
  const JobId buyer = w.submit(lab_job(Duration::minutes(3), 1));
  CHECK(w.job(buyer).promised.size() == 1);
  CHECK(w.take<ReserveGang>().pool.name == "more");
}

namespace {

/// Three nodes, each with one job on 5 of its 8 CPUs: for an hour, for ten and for three.
World three_nodes_in_use(Purchase purchase) {
  Config config = small_config(3);
  config.pools[0].purchase = purchase;
  World w(config);
  for (const std::int64_t hours : {1, 10, 3}) {
    JobSpec spec = World::spec(1, 5);
    spec.time_limit = Duration::minutes(60 * hours);
    w.run(spec);
  }
  return w;
}

std::string node_of_next(World& w, std::int64_t minutes, std::uint32_t cpus = 1) {
  JobSpec spec = World::spec(1, cpus);
  spec.time_limit = Duration::minutes(minutes);
  w.submit(spec);
  return w.take<StartJob>().job.nodes[0].name;
}

}  // namespace

TEST_CASE("a part of a bought node comes from the one whose end it puts off least") {
  World w = three_nodes_in_use(Purchase::on_demand);
  CHECK(node_of_next(w, 30) == "nd-1");       // all are paid for that long: the one that is done first
  CHECK(node_of_next(w, 120) == "nd-3");      // not the one that would be given back after an hour
  CHECK(node_of_next(w, 60 * 20) == "nd-2");  // all are extended: this one least
  CHECK(node_of_next(w, 30, 2) == "nd-1");    // fills it up
  CHECK(node_of_next(w, 30, 2) == "nd-3");    // no room on the first
  CHECK(node_of_next(w, 30, 1) == "nd-2");    // the last with room, though it is busy for longest
}

TEST_CASE("reserved nodes are paid for anyhow: the first of the fullest is shared") {
  World w = three_nodes_in_use(Purchase::reserved);
  CHECK(node_of_next(w, 120) == "nd-1");
  CHECK(node_of_next(w, 60 * 20) == "nd-1");
}

}  // namespace virga::test
