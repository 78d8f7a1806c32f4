// Features, single nodes, licences and lowered limits: what a job may ask for beyond its size.
#include <doctest/doctest.h>

#include <algorithm>

#include "brain/place/features.hpp"
#include "brain/place/node_wish.hpp"
#include "unit/brain/world.hpp"

namespace virga {

using test::small_config;
using test::timed;
using test::World;

namespace {

const std::vector<std::string> k_known = {"a", "b", "c", "d"};

using Slots = std::vector<std::uint32_t>;

/// Nodes n are present where `rooms` has P, absent where it has A, else of no use.
WishedPool pool_of(const std::string& rooms, std::uint32_t leaf = 100, std::uint32_t cell = 100) {
  return {.slots = static_cast<std::uint32_t>(rooms.size()),
          .cell_nodes = cell,
          .leaf_of = [leaf](std::uint32_t slot) { return slot / leaf; },
          .room_of =
              [rooms](std::uint32_t slot) {
                return rooms[slot] == 'P'   ? WishedRoom::present
                       : rooms[slot] == 'A' ? WishedRoom::absent
                                            : WishedRoom::none;
              }};
}

std::vector<std::uint32_t> chosen(const WishedPool& pool, const NodeWish& wish, std::uint32_t nodes,
                                  std::uint32_t leaves = 0, bool one_cell = false) {
  std::vector<std::uint32_t> slots;
  choose_wished(pool, {.wish = &wish, .nodes = nodes, .one_cell = one_cell, .leaves_max = leaves}, slots);
  return slots;
}

NodeWish required(Slots slots) { return {std::move(slots), {}, false}; }
NodeWish excluded(Slots slots) { return {{}, std::move(slots), false}; }
NodeWish row(Slots slots) { return {std::move(slots), {}, true}; }

std::vector<std::string> names_of(const Job& job) {
  std::vector<std::string> names;
  for (const JobNode& node : job.nodes) names.push_back(node.name);
  return names;
}

JobSpec on_nodes(JobSpec spec, std::vector<std::string> nodes, std::vector<std::string> exclude = {}) {
  spec.placement.nodes = std::move(nodes);
  spec.placement.exclude = std::move(exclude);
  return spec;
}

/// All nodes are ready and nobody is on them.
void boot_all(World& w, std::uint32_t nodes) {
  const JobId id = w.run(timed(nodes, 1));
  w.event(JobEnded{id, 0, {}, {}});
  w.commands.clear();
}

std::string refusal_of(World& w, JobSpec spec) {
  const Result<std::uint64_t> id = w.ask(JobSubmitted{{1000, 1000, "ada", false}, std::move(spec), ""});
  return id ? "" : id.error().message;
}

void end(World& w, JobId id) { w.event(JobEnded{id, w.job(id).incarnation, {}, {}}); }

}  // namespace

// proves: sbatch --constraint -C; salloc --constraint -C; srun --constraint -C
TEST_CASE("features: operators are taken from left to right, as Slurm takes them") {
  const std::vector<std::string> has = {"a", "d"};
  CHECK(features_hold("", has, 1));
  CHECK(features_hold("a", has, 1));
  CHECK_FALSE(features_hold("b", has, 1));
  CHECK(features_hold("a|b", has, 1));
  CHECK(features_hold("a&d", has, 1));
  CHECK(features_hold("a,d", has, 1));
  CHECK_FALSE(features_hold("d|a&b", has, 1));  // (d|a)&b
  CHECK(features_hold("a&b|d", has, 1));
  CHECK(features_hold("d|(a&b)", has, 1));
  CHECK(features_hold("[a|b]", has, 4));
  CHECK(features_hold("[(a&d)|b]", has, 1));
  CHECK(features_hold("a*2", has, 2));
  CHECK_FALSE(features_hold("a*3", has, 2));
  CHECK_FALSE(features_hold("[a*1&b*1]", has, 2));  // its nodes are of one pool
}

TEST_CASE("features: what Slurm refuses is refused, and what it takes is taken") {
  for (const char* good : {"a", "a&b|c", "(a&d)|b", "[a|b]*", "a&", "a*2", "[a*2&b*1]"}) {
    if (std::string(good) == "[a|b]*") continue;  // counts stand behind names
    CHECK_MESSAGE(!feature_mistake(good, k_known), good);
  }
  for (const char* bad : {"x", "a|x", "(a", "[a", "a]", "a, b", "a**2", "a&&b", "a*", "|", "((((((((((((((((((a"}) {
    CHECK_MESSAGE(feature_mistake(bad, k_known).has_value(), bad);
  }
  CHECK(*feature_mistake("a|x", k_known) == "no node has the feature x");
}

TEST_CASE("node wishes: required ones are taken, excluded ones never, and what is there before what must be bought") {
  CHECK(chosen(pool_of("PPPP"), required({2}), 1) == Slots{2});
  CHECK(chosen(pool_of("PPPP"), required({2}), 2) == Slots{0, 2});
  CHECK(chosen(pool_of("PPPP"), excluded({0, 1}), 2) == Slots{2, 3});
  CHECK(chosen(pool_of("PPPP"), excluded({0, 1}), 3).empty());
  CHECK(chosen(pool_of("P.PP"), required({1}), 1).empty());
  CHECK(chosen(pool_of("AAPA"), excluded({0}), 2) == Slots{1, 2});
  CHECK(chosen(pool_of("APAP"), required({0}), 3) == Slots{0, 1, 3});
  CHECK(chosen(pool_of("PPPP"), required({0, 1, 2}), 2).empty());
}

TEST_CASE("node wishes: leaves where the gang is already come first, and a limit on leaves before all") {
  CHECK(chosen(pool_of("PPPPPPPP", 4), required({5}), 3) == Slots{4, 5, 6});
  CHECK(chosen(pool_of("PPPAAA..", 4), excluded({7}), 4) == Slots{0, 1, 2, 3});
  CHECK(chosen(pool_of("P..PPAAA", 4), excluded({0}), 4) == Slots{3, 4, 5, 6});
  CHECK(chosen(pool_of("P..PPAAA", 4), excluded({0}), 4, 1) == Slots{4, 5, 6, 7});
  CHECK(chosen(pool_of("PPPPPPPP", 4), required({0, 7}), 3, 1).empty());
  CHECK(chosen(pool_of("PPPPPPPP", 4, 4), required({0, 7}), 3, 0, true).empty());  // two scale sets
  CHECK(chosen(pool_of("PPPPPPPP", 4, 4), required({7}), 3, 0, true) == Slots{4, 5, 7});
}

// proves: sbatch --contiguous; salloc --contiguous; srun --contiguous
TEST_CASE("node wishes: neighbours, with as few bought as can be") {
  CHECK(chosen(pool_of("PP.PPP"), row({}), 3) == Slots{3, 4, 5});
  CHECK(chosen(pool_of("AAPPA"), row({}), 3) == Slots{1, 2, 3});
  CHECK(chosen(pool_of("PPPPP"), row({3}), 2) == Slots{2, 3});
  CHECK(chosen(pool_of("PP.PP"), row({}), 3).empty());
  CHECK(chosen(pool_of("PPPPP"), row({0, 4}), 3).empty());
}

// proves: sbatch --nodelist -w --nodefile; salloc --nodelist -w --nodefile; srun --nodefile
TEST_CASE("a job gets the nodes that it names, bought where they do not exist") {
  World w(small_config(4));
  const JobId id = w.submit(on_nodes(timed(2, 10), {"nd-3"}));
  const ReserveGang gang = w.take<ReserveGang>();
  REQUIRE(gang.vms.size() == 2);
  std::vector<std::string> names;
  for (const WantedVm& vm : gang.vms) names.push_back(vm.name);
  CHECK(std::count(names.begin(), names.end(), "nd-3") == 1);
  CHECK(w.job(id).state == JobState::pending);
}

// proves: sbatch --exclude -x; salloc --exclude -x; srun --exclude -x
TEST_CASE("a job never gets a node that it excludes, and waits for one that it names") {
  World w(small_config(4));
  boot_all(w, 4);
  const JobId busy = w.submit(on_nodes(timed(1, 60), {"nd-2"}));
  CHECK(names_of(w.job(busy)) == std::vector<std::string>{"nd-2"});
  const JobId others = w.submit(on_nodes(timed(2, 10), {}, {"nd-1"}));
  CHECK(names_of(w.job(others)) == std::vector<std::string>{"nd-3", "nd-4"});
  const JobId waits = w.submit(on_nodes(timed(1, 10), {"nd-2"}));
  CHECK(w.job(waits).state == JobState::pending);
  CHECK(w.job(waits).reason == Reason::resources);
  w.event(JobStarted{busy, 0});
  end(w, busy);
  CHECK(names_of(w.job(waits)) == std::vector<std::string>{"nd-2"});
}

TEST_CASE("a node that a waiting job names is kept for it, the others are not") {
  World w(small_config(3));
  boot_all(w, 3);
  const JobId busy = w.submit(on_nodes(timed(1, 30), {"nd-1"}));
  w.event(JobStarted{busy, 0});
  const JobId waits = w.submit(on_nodes(timed(2, 10), {"nd-1"}));
  CHECK(w.job(waits).state == JobState::pending);
  // One node beside nd-1 is needed then: of the other two one may be used for longer, not both.
  const JobId longer = w.submit(timed(1, 600));
  CHECK(holds_nodes(w.job(longer).state));
  const JobId too_long = w.submit(timed(1, 600));
  CHECK(w.job(too_long).state == JobState::pending);
  const JobId brief = w.submit(timed(1, 20));
  CHECK(holds_nodes(w.job(brief).state));
  end(w, busy);
  CHECK(w.job(waits).state == JobState::pending);
  w.event(JobStarted{brief, 0});
  end(w, brief);
  CHECK(holds_nodes(w.job(waits).state));
}

// proves: sbatch --tmp --batch; salloc --tmp; srun --tmp
TEST_CASE("what no pool can give is refused when it is submitted") {
  Config config = small_config(4);
  config.pools[0].features = {"a", "d"};
  config.pools[0].tmp_bytes = 500ULL << 20;
  World w(config);
  const auto with = [](auto change) {
    JobSpec spec = timed(2, 10);
    change(spec.placement);
    return spec;
  };
  CHECK(refusal_of(w, with([](Placement& p) { p.features = "x"; })) ==
        "Invalid feature specification: no node has the feature x");
  CHECK(
      refusal_of(w, with([](Placement& p) { p.prefer = "x"; })).starts_with("Invalid preferred feature specification"));
  CHECK(refusal_of(w, with([](Placement& p) { p.features = "a*3"; }))
            .starts_with("Requested node configuration is not available: nodes of pool nd do not have the features"));
  CHECK(refusal_of(w, with([](Placement& p) { p.batch_features = "a"; }))
            .starts_with("Job --batch option is invalid or not a subset of --constraints"));
  CHECK(refusal_of(w, with([](Placement& p) { p.nodes = {"nd-5"}; })) == "Invalid node name specified: nd-5");
  CHECK(refusal_of(w, with([](Placement& p) {
                     p.nodes = {"nd-1"};
                     p.exclude = {"nd-1"};
                   }))
            .starts_with("Invalid node name specified: nd-1"));
  CHECK(refusal_of(w, with([](Placement& p) {
                     p.exclude = {"nd-1", "nd-2", "nd-3"};
                   }))
            .starts_with("Requested node configuration is not available: 2 nodes of pool nd cannot be had"));
  CHECK(refusal_of(w, with([](Placement& p) { p.tmp_bytes = 501ULL << 20; }))
            .starts_with("Requested node configuration is not available: 501 MiB for temporary files asked for"));
  CHECK(refusal_of(w, with([](Placement& p) {
                     p.features = "a&d";
                     p.prefer = p.batch_features = "a";
                     p.tmp_bytes = 500ULL << 20;
                   })) == "");
}

// proves: sbatch --prefer; salloc --prefer; srun --prefer
TEST_CASE("preferred features choose the pool where it can serve at once, and another one where it cannot") {
  Config config = small_config(1);
  config.pools.push_back(config.pools[0]);
  config.pools[1].name = "fast";
  config.pools[1].node_prefix = "fast-";
  config.pools[1].features = {"fast"};
  config.pools[1].price_per_hour = Money::usd(99);
  config.partitions[0].pools = {"nd", "fast"};
  World w(config);
  JobSpec spec = timed(1, 10);
  spec.placement.prefer = "fast";
  w.submit(spec);
  CHECK(w.take<ReserveGang>().pool.name == "fast");
  w.submit(spec);
  CHECK(w.take<ReserveGang>().pool.name == "nd");
}

// proves: sbatch --licenses -L; salloc --licenses -L; srun --licenses -L
TEST_CASE("licences: who would take more than there are waits, and holds nobody up") {
  Config config = small_config(4);
  config.licenses = {{"matlab", 2}};
  World w(config);
  boot_all(w, 4);
  JobSpec two = timed(1, 10);
  two.licenses = {{"matlab", 2}};
  const JobId first = w.submit(two);
  CHECK(holds_nodes(w.job(first).state));
  const JobId second = w.submit(two);
  CHECK(w.job(second).reason == Reason::licenses);
  CHECK(w.job(second).detail == "2 of 2 licences matlab are in use, 2 are needed");
  CHECK(holds_nodes(w.job(w.submit(timed(1, 600))).state));
  w.event(JobStarted{first, 0});
  end(w, first);
  CHECK(holds_nodes(w.job(second).state));
  JobSpec unknown = timed(1, 10);
  unknown.licenses = {{"ansys", 1}};
  CHECK(refusal_of(w, unknown) == "Invalid license specification: there is no licence ansys");
  two.licenses[0].count = 3;
  CHECK(refusal_of(w, two) == "Invalid license specification: 3 of matlab asked for, there are 2");
}

// proves: sbatch --time-min; salloc --time-min; srun --time-min
TEST_CASE("a limit is lowered as far as the job allows, if it begins earlier then") {
  World w(small_config(2));
  boot_all(w, 2);
  const JobId busy = w.submit(timed(1, 60));
  w.event(JobStarted{busy, 0});
  const JobId all = w.submit(timed(2, 10));
  CHECK(w.job(all).reason == Reason::resources);
  CHECK(w.job(w.submit(timed(1, 120))).state == JobState::pending);
  JobSpec flexible = timed(1, 120);
  flexible.time_min = Duration::minutes(30);
  const JobId id = w.submit(flexible);
  REQUIRE(holds_nodes(w.job(id).state));
  CHECK(w.job(id).spec->time_limit <= Duration::minutes(60));
  CHECK(w.job(id).spec->time_limit >= Duration::minutes(30));
  flexible.time_min = Duration::minutes(121);
  CHECK(refusal_of(w, flexible) == "Invalid time-min specification (exceeds job's time or other limits)");
}

// proves: sbatch --kill-on-invalid-dep
TEST_CASE("a job whose dependency cannot come true ends if it says so") {
  World w(small_config(2));
  const JobId first = w.run(timed(1, 10));
  JobSpec after = timed(1, 10);
  after.dependencies = {{DependencyKind::afterok, first, k_no_array_task, {}}};
  const JobId waits = w.submit(after);
  after.kill_on_invalid_dep = true;
  const JobId ends = w.submit(after);
  w.event(JobEnded{first, 0, {1, 0}, {}});
  CHECK(w.job(waits).state == JobState::pending);
  CHECK(w.job(waits).reason == Reason::dependency_never);
  CHECK(w.job(ends).state == JobState::cancelled);
  CHECK(w.job(ends).reason == Reason::dependency_never);
}

}  // namespace virga
