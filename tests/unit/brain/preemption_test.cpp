// Victims: the cheapest set of whole gangs, against all subsets; greedy where there are too many for that.
#include "brain/policy/preemption.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <tuple>

namespace virga {
namespace {

const Time k_now = Time::from_seconds(1'000'000);

Victim victim(std::uint32_t id, std::uint32_t nodes, std::int64_t ran_s, std::int64_t checkpoint_ago_s = -1) {
  Victim v{.job = {id},
           .nodes = nodes,
           .started = k_now - Duration::seconds(ran_s),
           .checkpoint = {},
           .price_per_node_hour = Money::usd(36)};
  if (checkpoint_ago_s >= 0) v.checkpoint = k_now - Duration::seconds(checkpoint_ago_s);
  return v;
}

std::vector<JobId> ids(std::initializer_list<std::uint32_t> values) {
  std::vector<JobId> result;
  for (std::uint32_t v : values) result.push_back({v});
  return result;
}

struct Value {
  std::int64_t lost = 0, minus_leaves = 0, age = 0;
  std::vector<JobId> jobs;
  auto key() const { return std::tuple(lost, minus_leaves, age, jobs.size(), jobs); }
};

/// The worth of a set in whole seconds and dollars, or nothing if it does not do or holds a needless one.
std::optional<Value> value_of(const std::vector<Victim>& all, const PreemptionQuery& query, std::uint32_t set) {
  Value value;
  std::uint32_t nodes = query.free;
  std::vector<std::uint32_t> freed(query.leaves.size(), 0);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if ((set >> i & 1) == 0) continue;
    const Victim& v = all[i];
    nodes += v.nodes;
    const Time since = std::max(v.started, v.checkpoint);
    value.lost += (query.now - since).whole_seconds() * v.nodes * (v.price_per_node_hour.micro_usd / 1'000'000);
    value.age += (query.now - v.started).whole_seconds() * v.nodes;
    value.jobs.push_back(v.job);
    for (const LeafNodes& on : v.leaves) freed[on.leaf] += on.nodes;
  }
  if (nodes < query.nodes) return std::nullopt;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if ((set >> i & 1) != 0 && nodes - all[i].nodes >= query.nodes) return std::nullopt;
  }
  for (std::size_t leaf = 0; leaf < freed.size(); ++leaf) {
    if (freed[leaf] > 0 && freed[leaf] + query.leaves[leaf].free >= query.leaves[leaf].nodes) --value.minus_leaves;
  }
  std::sort(value.jobs.begin(), value.jobs.end());
  return value;
}

std::vector<Victim> random_victims(std::mt19937& random, std::size_t count, PreemptionQuery& query) {
  query.leaves.assign(4, {8, 0});
  for (LeafRoom& leaf : query.leaves) leaf.free = static_cast<std::uint32_t>(random() % 3);
  std::vector<Victim> victims;
  for (std::size_t i = 0; i < count; ++i) {
    const auto ran = static_cast<std::int64_t>(random() % 6 * 100);
    Victim v = victim(static_cast<std::uint32_t>(i + 1), static_cast<std::uint32_t>(1 + random() % 6), ran,
                      random() % 2 == 0 ? static_cast<std::int64_t>(random() % 4 * 50) : -1);
    v.price_per_node_hour = Money::usd(static_cast<std::int64_t>(1 + random() % 3));
    const std::uint32_t first = static_cast<std::uint32_t>(random() % 4);
    const std::uint32_t split = static_cast<std::uint32_t>(random() % (v.nodes + 1));
    if (split > 0) v.leaves.push_back({first, split});
    if (v.nodes > split) v.leaves.push_back({(first + 1) % 4, v.nodes - split});
    victims.push_back(std::move(v));
  }
  return victims;
}

}  // namespace

TEST_CASE("preemption: a fresh checkpoint makes a victim cheap") {
  const PreemptionQuery query{.nodes = 8, .free = 4, .now = k_now};
  const PreemptionPlan plan = choose_victims({victim(1, 4, 100), victim(2, 4, 10'000, 10), victim(3, 4, 500)}, query);
  CHECK(plan.possible);
  CHECK(plan.victims == ids({2}));
  CHECK(plan.lost_node_seconds == 40);
  CHECK(plan.lost == Money{400'000});  // 40 node-seconds at a cent
}

TEST_CASE("preemption: of equal losses the one that frees a whole leaf, then the younger") {
  PreemptionQuery query{.nodes = 4, .free = 0, .now = k_now, .leaves = {{8, 0}, {8, 4}}};
  Victim scattered = victim(1, 4, 100);
  scattered.leaves = {{0, 2}, {1, 2}};
  Victim whole = victim(2, 4, 100);
  whole.leaves = {{1, 4}};
  PreemptionPlan plan = choose_victims({scattered, whole}, query);
  CHECK(plan.victims == ids({2}));
  CHECK(plan.whole_leaves == 1);
  query.leaves.clear();
  plan = choose_victims({victim(1, 4, 900, 5), victim(2, 4, 300, 5)}, query);
  CHECK(plan.victims == ids({2}));
}

TEST_CASE("preemption: nobody is ended in vain") {
  PreemptionQuery query{.nodes = 8, .free = 8, .now = k_now};
  CHECK(choose_victims({victim(1, 4, 100)}, query).possible);
  CHECK(choose_victims({victim(1, 4, 100)}, query).victims.empty());
  query.free = 3;
  CHECK_FALSE(choose_victims({victim(1, 4, 100)}, query).possible);
  CHECK(choose_victims({victim(1, 4, 100)}, query).victims.empty());
}

TEST_CASE("preemption: exact for small cases, against all subsets") {
  for (unsigned seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    PreemptionQuery query{.nodes = static_cast<std::uint32_t>(1 + random() % 20), .free = 0, .now = k_now};
    query.free = static_cast<std::uint32_t>(random() % query.nodes);
    const std::vector<Victim> victims = random_victims(random, random() % 11, query);
    std::optional<Value> best;
    for (std::uint32_t set = 0; set < 1U << victims.size(); ++set) {
      std::optional<Value> value = value_of(victims, query, set);
      if (value && (!best || value->key() < best->key())) best = std::move(value);
    }
    const PreemptionPlan plan = choose_victims(victims, query);
    CHECK(plan.possible == best.has_value());
    if (!best) continue;
    CHECK(plan.victims == best->jobs);
    CHECK(plan.whole_leaves == static_cast<std::uint32_t>(-best->minus_leaves));
  }
}

TEST_CASE("preemption: with many candidates the set does, has nobody in it in vain, and is near the best") {
  std::int64_t lost = 0, best_lost = 0;
  for (unsigned seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    PreemptionQuery query{.nodes = static_cast<std::uint32_t>(10 + random() % 20), .free = 2, .now = k_now};
    const std::vector<Victim> victims = random_victims(random, k_exact_max + 1, query);
    const PreemptionPlan plan = choose_victims(victims, query);
    REQUIRE(plan.possible);
    std::uint32_t chosen = 0;
    for (JobId id : plan.victims) chosen |= 1U << (id.value - 1);
    const std::optional<Value> value = value_of(victims, query, chosen);
    REQUIRE(value.has_value());
    // The least loss of any set, by how many nodes it frees: the knapsack's table.
    std::vector<std::int64_t> least(200, std::int64_t{1} << 60);
    least[0] = 0;
    for (std::size_t i = 0; i < victims.size(); ++i) {
      std::optional<Value> one =
          value_of({victims[i]}, {.nodes = 1, .free = 0, .now = k_now, .leaves = query.leaves}, 1);
      for (std::size_t n = least.size(); n-- > victims[i].nodes;) {
        least[n] = std::min(least[n], least[n - victims[i].nodes] + one->lost);
      }
    }
    const std::int64_t best = *std::min_element(least.begin() + query.nodes - query.free, least.end());
    CHECK(value->lost >= best);
    lost += value->lost;
    best_lost += best;
  }
  CHECK(lost * 100 <= best_lost * 105);  // in all at most 5 % above the bound
}

TEST_CASE("preemption: who may end whom") {
  Config config;
  config.qos = {{.name = "urgent", .preempt = {"normal"}}, {.name = "normal"}};
  CHECK(may_preempt(config, "urgent", "normal"));
  CHECK_FALSE(may_preempt(config, "urgent", "urgent"));
  CHECK_FALSE(may_preempt(config, "normal", "urgent"));
  CHECK_FALSE(may_preempt(config, "", "normal"));
}

}  // namespace virga
