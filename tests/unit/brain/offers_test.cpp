// Brain::offers(): a row for each pool that could hold the job, from the scheduler's own offers.
#include <doctest/doctest.h>

#include "unit/brain/world.hpp"

namespace virga {

using test::small_config;
using test::World;

namespace {

const Actor k_owner{1000, 1000, "user1000", false};

/// A dear pool of four, a cheap one of two, and one without GPUs.
Config three_pools() {
  Config config = small_config();
  Pool cheap = config.pools[0];
  cheap.name = "cheap";
  cheap.node_prefix = "cheap-";
  cheap.max_nodes = 2;
  cheap.purchase = Purchase::spot;
  cheap.sku.price_per_hour = Money::usd(10);
  Pool cpus = cheap;
  cpus.name = "cpus";
  cpus.node_prefix = "cpus-";
  cpus.sku.resources.gpus = 0;
  cpus.sku.price_per_hour = Money::usd(1);
  config.pools.push_back(cheap);
  config.pools.push_back(cpus);
  config.partitions[0].pools = {"nd", "cheap"};
  Partition batch;
  batch.name = "batch";
  batch.pools = {"cpus", "cheap"};
  config.partitions.push_back(batch);
  return config;
}

std::vector<PoolOffer> offers(const World& w, std::uint32_t nodes, std::uint32_t gpus, std::int64_t minutes = 60) {
  JobSpec spec = World::spec(nodes, 1);
  spec.per_node.gpus = gpus;
  spec.time_limit = Duration::minutes(minutes);
  Result<std::vector<PoolOffer>> rows = w.brain.offers(JobSubmitted{k_owner, spec, ""}, w.now);
  REQUIRE(rows.has_value());
  return *std::move(rows);
}

std::string pools_of(const std::vector<PoolOffer>& rows) {
  std::string text;
  for (const PoolOffer& row : rows) text += row.pool + " ";
  return text;
}

}  // namespace

TEST_CASE("offers: one row for each pool that can hold the job, the cheapest first") {
  World w(three_pools());
  const std::vector<PoolOffer> any = offers(w, 2, 0);
  CHECK(pools_of(any) == "cpus cheap nd ");
  CHECK(any[0].partition == "batch");
  CHECK(any[1].partition == "main");
  CHECK(any[1].price == Money::usd(20));
  CHECK(any[1].price_class == Purchase::spot);
  CHECK(any[1].kind == OfferKind::ask);
  CHECK(any[1].nodes_free == 0);
  CHECK(any[1].nodes_askable == 2);
  CHECK(any[1].wait == w.brain.state().config.pools[1].boot_time);
  CHECK(pools_of(offers(w, 2, 8)) == "cheap nd ");
  CHECK(pools_of(offers(w, 3, 8)) == "nd ");
  const Result<std::vector<PoolOffer>> none = w.brain.offers(JobSubmitted{k_owner, World::spec(9), ""}, w.now);
  REQUIRE_FALSE(none.has_value());
  CHECK(none.error().message.find("9 nodes asked for") != std::string::npos);
}

TEST_CASE("offers: asking changes nothing, and says what the scheduler then does") {
  World w(three_pools());
  const std::uint64_t before = w.brain.digest();
  const std::vector<PoolOffer> rows = offers(w, 1, 8);
  CHECK(w.brain.digest() == before);
  JobSpec spec = World::spec(1, 1);
  spec.per_node.gpus = 8;
  spec.time_limit = Duration::minutes(60);
  w.submit(spec);
  CHECK(w.take<ReserveGang>().pool.name == rows[0].pool);
}

TEST_CASE("offers: nodes that are free, and those that are not") {
  World w;
  const JobId running = w.run(World::spec(3));
  PoolOffer row = offers(w, 1, 8).at(0);
  CHECK(row.nodes_free == 0);
  CHECK(row.nodes_askable == 1);
  w.event(JobEnded{running, 0, {}, {}});
  row = offers(w, 3, 8).at(0);
  CHECK(row.kind == OfferKind::ready);
  CHECK(row.nodes_free == 3);
  CHECK(row.wait == Duration{});
  JobSpec whole = World::spec(4);
  whole.time_limit = Duration::minutes(30);
  w.run(whole);
  row = offers(w, 2, 8).at(0);
  CHECK(row.kind == OfferKind::wait);
  CHECK(row.reason == Reason::resources);
  CHECK(row.wait > Duration::minutes(29));
  CHECK(row.wait < Duration::minutes(32));
}

TEST_CASE("offers: a pause after a refusal says which, and until when") {
  World w(three_pools());
  JobSpec spec = World::spec(2, 1);
  spec.per_node.gpus = 8;
  spec.time_limit = Duration::minutes(60);
  w.submit(spec);
  const ReserveGang gang = w.take<ReserveGang>();
  CHECK(gang.pool.name == "cheap");
  w.event(GangRefused{gang.gang, Refusal::quota, "quota of 0 spot cores", {}});
  const std::vector<PoolOffer> rows = offers(w, 2, 8);
  REQUIRE(pools_of(rows) == "cheap nd ");
  CHECK(rows[0].kind == OfferKind::wait);
  CHECK(rows[0].reason == Reason::quota);
  CHECK(rows[0].detail == "pool cheap: quota of 0 spot cores");
  CHECK(rows[0].retry_at > w.now);
  CHECK(rows[0].nodes_askable == 0);
  w.now = rows[0].retry_at + Duration::seconds(1);  // no event has come meanwhile
  CHECK(offers(w, 2, 8)[0].kind == OfferKind::ask);
}

TEST_CASE("offers: what a tenant's budget does not cover is barred") {
  Config config = three_pools();
  config.tenants = {
      {.name = "lab", .users = {"user1000"}, .budget_period = BudgetPeriod::total, .budget = Money::usd(25)}};
  World w(config);
  const std::vector<PoolOffer> rows = offers(w, 1, 8);
  REQUIRE(pools_of(rows) == "cheap nd ");
  CHECK(rows[0].kind == OfferKind::ask);
  CHECK(rows[1].kind == OfferKind::barred);
  CHECK(rows[1].reason == Reason::budget);
  CHECK(rows[1].wait.is_infinite());
}

}  // namespace virga
