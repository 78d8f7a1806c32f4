// The twin among the criteria of placement: which of two placements a gang gets, and what explain says of it.
#include "brain/place/collective_time.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "brain/place/leaf_cover.hpp"
#include "naive_index.hpp"
#include "world.hpp"

namespace virga {
namespace {

using test::Random;
using test::World;

constexpr char k_h100[] = "Standard_ND96isr_H100_v5";
constexpr char k_gb200[] = "Standard_ND128isr_NDR_GB200_v6";

Pool pool_of(const char* sku, const PoolFabric& fabric) {
  Pool pool;
  pool.name = "nd";
  pool.node_prefix = "nd-";
  pool.sku.name = sku;
  pool.sku.resources = {96, 8, 1ULL << 40};
  pool.sku.price_per_hour = Money::usd(98);
  pool.max_nodes = 64;
  pool.idle_time = Duration::seconds(60);
  pool.boot_timeout = Duration::seconds(30);
  pool.fabric = fabric;
  return pool;
}

Config config_of(std::vector<Pool> pools) {
  Config config;
  Partition partition;
  partition.name = "main";
  partition.is_default = true;
  for (const Pool& pool : pools) partition.pools.push_back(pool.name);
  config.partitions = {partition};
  config.pools = std::move(pools);
  return config;
}

JobSpec gang(std::uint32_t nodes) {
  JobSpec spec = World::spec(nodes, 1);
  spec.exclusive = true;
  spec.time_limit = Duration::minutes(60);
  return spec;
}

std::vector<std::string> nodes_of(const Job& job) {
  std::vector<std::string> names;
  for (const JobNode& node : job.nodes) names.push_back(node.name);
  return names;
}

}  // namespace

TEST_CASE("collective time: more leaves, spines and pods, or narrower links, are never faster") {
  const std::uint64_t seed = 5;
  Random random{seed};
  for (int i = 0; i < 2'000; ++i) {
    CAPTURE(i);
    PoolFabric fabric{.nodes_per_leaf = 16, .leaves_per_spine = 8, .spines_per_pod = 4};
    fabric.leaf_taper_permille = 1'000 + random.below(2) * random.below(4'000);
    fabric.spine_taper_permille = 1'000 + random.below(2) * random.below(4'000);
    const CollectiveTime time(pool_of(k_h100, fabric));
    const std::uint32_t nodes = 2 + random.below(100);
    Spread spread{nodes, 1 + random.below(nodes), 1, 1};
    spread.spines = 1 + random.below(spread.leaves);
    spread.pods = 1 + random.below(spread.spines);
    const std::uint64_t bytes = 1ULL << (10 + random.below(25));
    const std::uint32_t gpus = 1 + random.below(8);
    const Duration here = time.all_reduce(spread, gpus, bytes);
    REQUIRE(here > Duration{});
    Spread wider = spread;
    const std::uint32_t kind = random.below(3);
    if (kind == 0 && wider.leaves < nodes) ++wider.leaves;
    if (kind == 1 && wider.spines < wider.leaves) ++wider.spines;
    if (kind == 2 && wider.pods < wider.spines) ++wider.pods;
    CHECK(time.all_reduce(wider, gpus, bytes) >= here);
    PoolFabric narrower = fabric;
    narrower.leaf_taper_permille += 500;
    CHECK(CollectiveTime(pool_of(k_h100, narrower)).all_reduce(spread, gpus, bytes) >= here);
  }
}

TEST_CASE("collective time: the SKU's links count, and a rack's NVLink") {
  const PoolFabric racks{.nodes_per_leaf = 18};
  const CollectiveTime h100(pool_of(k_h100, racks));
  const CollectiveTime a100(pool_of("Standard_ND96amsr_A100_v4", racks));
  const CollectiveTime gb200(pool_of(k_gb200, racks));
  const CollectiveTime unknown(pool_of("Test_ND", racks));
  const Spread one{8, 1, 1, 1};
  const Spread two{8, 2, 1, 1};
  CHECK(h100.all_reduce(one, 8, k_reference_bytes) < a100.all_reduce(one, 8, k_reference_bytes));
  CHECK(gb200.all_reduce(one, 4, k_reference_bytes) < gb200.all_reduce(two, 4, k_reference_bytes));
  CHECK_FALSE(unknown.knows_sku());
  CHECK(unknown.all_reduce(one, 8, k_reference_bytes) < unknown.all_reduce(two, 8, k_reference_bytes));
  CHECK(h100.all_reduce({}, 8, k_reference_bytes) == Duration{});
  CHECK(h100.all_reduce({1, 1, 1, 1}, 8, k_reference_bytes) > Duration{});
  CHECK(words_of(Spread{4, 1, 1, 1}) == "1 leaf");
  CHECK(words_of(Spread{40, 3, 1, 1}) == "3 leaves below 1 spine");
  CHECK(words_of(Spread{90, 9, 4, 2}) == "9 leaves below 4 spines of 2 pods");
}

TEST_CASE("leaf cover: between fewer leaves and fewer spines the twin decides") {
  const auto fabric_of = [](const PoolFabric& shape) {
    return *Fabric::build(FabricShape{
        .nodes = 24,
        .nodes_per_leaf = shape.nodes_per_leaf,
        .leaves_per_spine = shape.leaves_per_spine,
        .taper = {.leaf_permille = shape.leaf_taper_permille, .spine_permille = shape.spine_taper_permille}});
  };
  const std::vector<std::uint32_t> room{2, 2, 4, 2, 2, 3};  // 7 nodes: leaves 0 1 2 of one spine, or 2 and 5 of two
  const auto choose = [&](const PoolFabric& shape, bool with_twin, PassedOver* passed_over) {
    const Fabric fabric = fabric_of(shape);
    const CollectiveTime time(pool_of(k_h100, shape));
    LeafCover cover(fabric);
    std::vector<LeafTake> takes;
    CollectiveWish wish;
    if (with_twin) wish = {.time = &time, .gpus = 8, .bytes = k_reference_bytes, .passed_over = passed_over};
    REQUIRE(cover.choose(room, 7, 0, takes, wish));
    return takes.size();
  };
  PoolFabric shape{.nodes_per_leaf = 4, .leaves_per_spine = 3};
  PassedOver passed_over;
  // Two leaves below two spines are four crossings, three below one are three: the twin overrules "fewest leaves".
  CHECK(choose(shape, false, nullptr) == 2);
  CHECK(choose(shape, true, &passed_over) == 3);
  CHECK(passed_over.what == "2 leaves below 2 spines");
  CHECK(passed_over.chosen < passed_over.other);
  // Where crossing a spine is oversubscribed, both say so.
  shape.spine_taper_permille = 2'000;
  passed_over = {};
  CHECK(choose(shape, false, nullptr) == 3);
  CHECK(choose(shape, true, &passed_over) == 3);
  CHECK(passed_over.other > passed_over.chosen);
}

TEST_CASE("leaf cover: the twin's choice is never predicted to be slower than the rule's, on 1,000 random states") {
  std::uint32_t overruled = 0;
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    CAPTURE(seed);
    Random random{seed};
    PoolFabric shape{.nodes_per_leaf = 2 + random.below(8),
                     .leaves_per_spine = 1 + random.below(5),
                     .spines_per_pod = random.below(3)};
    shape.leaf_taper_permille += random.below(2) * random.below(3'000);
    shape.spine_taper_permille += random.below(2) * random.below(3'000);
    const std::uint32_t nodes = 8 + random.below(100);
    const Fabric fabric = *Fabric::build(FabricShape{
        .nodes = nodes,
        .nodes_per_leaf = shape.nodes_per_leaf,
        .leaves_per_spine = shape.leaves_per_spine,
        .spines_per_pod = shape.spines_per_pod,
        .taper = {.leaf_permille = shape.leaf_taper_permille, .spine_permille = shape.spine_taper_permille}});
    const CollectiveTime time(pool_of(k_h100, shape));
    std::vector<std::uint32_t> room(fabric.leaves());
    for (std::uint32_t& leaf : room) leaf = random.below(shape.nodes_per_leaf + 1);
    for (std::uint32_t leaf = 0; leaf < room.size(); ++leaf) {
      room[leaf] = std::min<std::uint32_t>(room[leaf], static_cast<std::uint32_t>(fabric.slots_of_leaf(leaf).size()));
    }
    const CollectiveWish wish{.time = &time, .gpus = 8, .bytes = k_reference_bytes};
    const auto spread = [&](const std::vector<LeafTake>& takes) {
      std::vector<std::uint32_t> slots;
      for (const LeafTake& take : takes) {
        const auto of_leaf = fabric.slots_of_leaf(take.leaf);
        slots.insert(slots.end(), of_leaf.begin(), of_leaf.begin() + take.nodes);
      }
      return spread_of(fabric, slots);
    };
    LeafCover cover(fabric);
    std::vector<LeafTake> by_rule;
    std::vector<LeafTake> by_twin;
    const std::uint32_t gang_nodes = 2 + random.below(nodes);
    const bool fits = cover.choose(room, gang_nodes, 0, by_rule);
    REQUIRE(cover.choose(room, gang_nodes, 0, by_twin, wish) == fits);
    if (!fits) continue;
    const Spread rule = spread(by_rule);
    const Spread twin = spread(by_twin);
    REQUIRE(twin.nodes == gang_nodes);
    CHECK(wish.of(twin) <= wish.of(rule));
    overruled += twin != rule ? 1 : 0;
  }
  MESSAGE("the twin overruled " << overruled << " of 1,000 choices");
  CHECK(overruled > 0);
}

TEST_CASE("placement: of two scale sets the one where the all-reduce is faster, not the fuller one; explain says so") {
  Pool pool = pool_of(k_h100, {.nodes_per_leaf = 4});
  pool.max_nodes = 16;
  pool.set_nodes_max = 8;
  pool.fabric.leaf_taper_permille = 2'000;
  World world(config_of({pool}));
  // Both sets are up. In the first, two nodes of each leaf stay in use, so it is the fuller one.
  std::vector<JobId> holders;
  for (std::uint32_t i = 0; i < 16; ++i) holders.push_back(world.run(gang(1)));
  const auto end = [&](std::uint32_t slot) {
    for (const JobId id : holders) {
      if (nodes_of(world.job(id)).front() != "nd-" + std::to_string(slot + 1)) continue;
      world.event(JobActed{{0, 0, "root", true}, id, JobAction::cancel});
      world.take<EndJob>();
      world.event(JobEnded{id, 0, {}, {}, ""});
      return;
    }
  };
  for (const std::uint32_t slot : {0U, 1U, 4U, 5U, 8U, 9U, 10U, 11U, 12U}) end(slot);
  world.commands.clear();
  const JobId id = world.submit(gang(4));
  CHECK(nodes_of(world.job(id)) == std::vector<std::string>{"nd-9", "nd-10", "nd-11", "nd-12"});
  const Explanation explanation = world.brain.explain(id);
  CHECK(explanation.placement.pool == "nd");
  CHECK(explanation.placement.leaves == 1);
  CHECK(explanation.placement.text.starts_with("its 4 nodes are below 1 leaf: an all-reduce of 1.0 GiB"));
  CHECK(explanation.placement.passed_over.starts_with("chosen before the scale set of nodes 1 to 8, where"));
  CHECK(world.job(id).passed_over.other > world.job(id).passed_over.chosen);
}

TEST_CASE("placement: of two pools at one price the one whose all-reduce is faster; of equals the first") {
  const auto pools = [](const char* first, const char* second) {
    Pool a = pool_of(first, {.nodes_per_leaf = 4});
    a.price_per_hour = Money::usd(40);
    Pool b = a;
    b.name = "other";
    b.node_prefix = "other-";
    b.sku.name = second;
    return config_of({a, b});
  };
  const auto pool_for = [&](const Config& config, const JobSpec& spec) {
    World world(config);
    const JobId id = world.submit(spec);
    return std::pair{world.take<ReserveGang>().pool.name, world.brain.explain(id).placement.passed_over};
  };
  const char* a100 = "Standard_ND96amsr_A100_v4";
  const auto faster = pool_for(pools(a100, k_h100), gang(4));
  CHECK(faster.first == "other");
  CHECK(faster.second.starts_with("chosen before pool nd, where the all-reduce of 1.0 GiB is predicted to take"));
  CHECK(pool_for(pools(k_h100, a100), gang(4)).first == "nd");
  CHECK(pool_for(pools(k_h100, k_h100), gang(4)) == std::pair<std::string, std::string>{"nd", ""});
  // One node, or nodes that need no fabric, have no collective that counts; nor has a SKU that the twin does not know.
  CHECK(pool_for(pools(a100, k_h100), gang(1)).first == "nd");
  JobSpec loose = gang(4);
  loose.needs_fabric = false;
  CHECK(pool_for(pools(a100, k_h100), loose).first == "nd");
  CHECK(pool_for(pools("Test_ND", k_h100), gang(4)).first == "nd");
  // The price comes first.
  Config cheap = pools(a100, k_h100);
  cheap.pools[0].price_per_hour = Money::usd(39);
  CHECK(pool_for(cheap, gang(4)).first == "nd");
}

TEST_CASE("placement: a model's gradients are what is compared") {
  Pool pool = pool_of(k_h100, {.nodes_per_leaf = 4});
  World world(config_of({pool}));
  JobSpec spec = gang(4);
  spec.comment = "model=llama-3-8b tp=2";
  const JobId id = world.submit(spec);
  const ExplainedPlacement placement = world.brain.explain(id).placement;
  CHECK(placement.bytes == 8'030'261'248ULL);  // 2 bytes for each of a half of its parameters
  CHECK(placement.all_reduce > CollectiveTime(pool).all_reduce({4, 1, 1, 1}, 8, k_reference_bytes));
}

}  // namespace virga
