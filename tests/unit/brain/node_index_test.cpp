// Placement against an exhaustive search, on fabrics small enough for one.
#include "brain/place/node_index.hpp"

#include <doctest/doctest.h>

#include "naive_index.hpp"

namespace virga {
namespace {

using Slots = std::vector<std::uint32_t>;
using test::Random;

constexpr Resources k_h100{.cpus = 96, .gpus = 8, .memory_bytes = std::uint64_t{1900} << 30};
constexpr Resources k_cpu{.cpus = 120, .gpus = 0, .memory_bytes = std::uint64_t{456} << 30};

Resources gpus(std::uint32_t count) { return {count * 12, count, (std::uint64_t{1900} << 30) / 8 * count}; }

Fabric regular(const FabricShape& shape) {
  auto fabric = Fabric::build(shape);
  REQUIRE(fabric.has_value());
  return std::move(*fabric);
}

/// Up to 12 leaves of up to 7 nodes below up to 4 spines, in an order that is not the slots'.
Fabric random_fabric(Random& random) {
  FabricIds ids;
  const std::uint32_t spines = 1 + random.below(4);
  const std::uint32_t leaves = spines + random.below(9);
  for (std::uint32_t s = 0; s < spines; ++s) ids.pod_of_spine.push_back(random.below(std::min(2U, spines)));
  for (std::uint32_t l = 0; l < leaves; ++l) ids.spine_of_leaf.push_back(l < spines ? l : random.below(spines));
  const std::uint32_t slots = leaves + random.below(leaves * 5);
  for (std::uint32_t i = 0; i < slots; ++i) ids.leaf_of_slot.push_back(i < leaves ? i : random.below(leaves));
  auto fabric = Fabric::build(ids);
  REQUIRE(fabric.has_value());
  return std::move(*fabric);
}

Resources random_demand(Random& random, const Resources& total) {
  switch (random.below(5)) {
    case 0:
      return total;
    case 1:  // a part that has little to do with the others
      return {1 + random.below(total.cpus), random.below(total.gpus + 1), random.next() % (total.memory_bytes / 2)};
    case 2:
      return {random.below(2), random.below(total.gpus + 1), 0};
    default: {
      const std::uint32_t eighths = 1 + random.below(8);
      return {total.cpus * eighths / 8, total.gpus * eighths / 8, total.memory_bytes / 8 * eighths};
    }
  }
}

/// A NodeIndex and the naive one in the same state.
struct Pair {
  Pair(const Fabric& fabric, const Resources& total) : fabric(fabric), index(fabric, total), naive(fabric, total) {}

  void set(std::uint32_t slot, SlotState state) {
    if (state == SlotState::usable) index.set_usable(slot);
    if (state == SlotState::unusable) index.set_unusable(slot);
    if (state == SlotState::absent) index.set_absent(slot);
    naive.nodes[slot].state = state;
  }
  void occupy(const Slots& slots, const Resources& demand, bool exclusive) {
    index.occupy(slots, demand, exclusive);
    naive.change(slots, demand, exclusive, true);
  }
  void vacate(const Slots& slots, const Resources& demand, bool exclusive) {
    index.vacate(slots, demand, exclusive);
    naive.change(slots, demand, exclusive, false);
  }
  /// Most slots usable, and small jobs on a random part of them.
  void randomize(Random& random) {
    const std::uint32_t busy_percent = random.below(100);
    for (std::uint32_t slot = 0; slot < fabric.slots(); ++slot) {
      if (random.below(10) != 0) set(slot, random.below(10) == 0 ? SlotState::unusable : SlotState::usable);
      while (index.state(slot) == SlotState::usable && random.below(100) < busy_percent) {
        const Resources demand = random_demand(random, naive.total);
        const bool exclusive = random.below(4) == 0;
        if (index.fits(slot, demand, exclusive)) occupy({slot}, demand, exclusive);
      }
    }
  }

  const Fabric& fabric;
  NodeIndex index;
  test::NaiveIndex naive;
};

void check_counts(const Pair& pair) {
  const auto& naive = pair.naive;
  auto in_state = [&](SlotState state) {
    return naive.count([&](std::uint32_t slot) { return naive.nodes[slot].state == state; });
  };
  CHECK(pair.index.usable() == in_state(SlotState::usable));
  CHECK(pair.index.absent() == in_state(SlotState::absent));
  CHECK(pair.index.whole() == naive.count([&](std::uint32_t slot) { return naive.is_whole(slot); }));
}

/// Everything that must hold of a pick; returns by how many spines it misses the least possible.
std::uint32_t check_pick(const Pair& pair, const PlaceRequest& request) {
  const test::NaiveIndex& naive = pair.naive;
  const auto [least_leaves, least_spines] = naive.fewest(request);
  Slots slots{7, 7, 7};
  const bool found = pair.index.pick(request, slots);
  CHECK(found == (least_leaves != 0 && (request.switches_max == 0 || least_leaves <= request.switches_max)));
  CHECK(pair.index.fitting(request) == naive.count([&](std::uint32_t slot) { return naive.fits(slot, request); }));
  if (!found) {
    CHECK(slots.empty());
    return 0;
  }
  CHECK(slots.size() == request.nodes);
  CHECK(test::in_rank_order(pair.fabric, slots));
  for (std::uint32_t slot : slots) CHECK(naive.fits(slot, request));
  CHECK(test::distinct(slots, [&](std::uint32_t s) { return pair.fabric.leaf(s); }) == least_leaves);
  Slots again;
  CHECK(pair.index.pick(request, again));
  CHECK(again == slots);
  return test::distinct(slots, [&](std::uint32_t s) { return pair.fabric.spine_of(pair.fabric.leaf(s)); }) -
         least_spines;
}

}  // namespace

TEST_CASE("node index: one node goes to the fullest that fits, on 1,000 random states") {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    CAPTURE(seed);
    Random random{seed};
    const Fabric fabric = random_fabric(random);
    Pair pair(fabric, seed % 3 == 0 ? k_cpu : k_h100);
    pair.randomize(random);
    check_counts(pair);
    for (int i = 0; i < 5; ++i) {
      const PlaceRequest request{1, random_demand(random, pair.naive.total), random.below(4) == 0, random.below(2)};
      const std::uint32_t best = pair.naive.best_node(request);
      Slots slots;
      CHECK(pair.index.pick(request, slots) == (best != fabric.slots()));
      if (best != fabric.slots()) CHECK(slots == Slots{best});
    }
  }
}

TEST_CASE("node index: a gang of whole nodes takes the tightest leaf, on 1,000 random states") {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    CAPTURE(seed);
    Random random{seed};
    const Fabric fabric = random_fabric(random);
    Pair pair(fabric, k_h100);
    pair.randomize(random);
    const PlaceRequest request{1 + random.below(fabric.leaf_slots_max()), k_h100, true, 1};
    Slots expected;
    std::tuple<std::uint32_t, std::uint32_t> best{k_none, k_none};
    for (std::uint32_t leaf = 0; leaf < fabric.leaves(); ++leaf) {
      const auto below = fabric.slots_of_leaf(leaf);
      const std::tuple here{pair.naive.whole_below(below[0], false), pair.naive.whole_below(below[0], true)};
      if (std::get<0>(here) < request.nodes || here >= best) continue;
      best = here;
      expected.clear();
      for (std::uint32_t slot : below) {
        if (pair.naive.is_whole(slot) && expected.size() < request.nodes) expected.push_back(slot);
      }
    }
    Slots slots;
    CHECK(pair.index.pick(request, slots) == !expected.empty());
    CHECK(slots == expected);
  }
}

TEST_CASE("node index: gangs span the fewest leaves possible, on 1,000 random states") {
  std::uint32_t picks_with_more_spines = 0;
  std::uint32_t spines_above_least = 0;
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    CAPTURE(seed);
    Random random{seed};
    const Fabric fabric = random_fabric(random);
    Pair pair(fabric, k_h100);
    pair.randomize(random);
    for (int i = 0; i < 2; ++i) {
      const bool exclusive = random.below(2) == 0;
      const PlaceRequest request{1 + random.below(fabric.slots()), exclusive ? k_h100 : random_demand(random, k_h100),
                                 exclusive, random.below(3) == 0 ? 1 + random.below(6) : 0};
      const std::uint32_t above = check_pick(pair, request);
      picks_with_more_spines += above > 0 ? 1 : 0;
      spines_above_least += above;
    }
  }
  // Leaves are the exact minimum. Spines come second and are chosen greedily where one is not enough.
  MESSAGE("of 2,000 picks " << picks_with_more_spines << " span more spines than the fewest leaves need, by "
                            << spines_above_least << " in all");
  CHECK(picks_with_more_spines <= 20);
}

TEST_CASE("node index: 100,000 random operations agree with the naive model") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    CAPTURE(seed);
    Random random{seed};
    const Fabric fabric = random_fabric(random);
    Pair pair(fabric, seed % 2 == 0 ? k_cpu : k_h100);
    struct Held {
      Slots slots;
      Resources demand;
      bool exclusive;
    };
    std::vector<Held> held;
    for (int operation = 0; operation < 25'000; ++operation) {
      const std::uint32_t slot = random.below(fabric.slots());
      const std::uint32_t kind = random.below(10);
      if (kind == 0 && pair.naive.nodes[slot].jobs == 0) {
        pair.set(slot, SlotState::absent);
      } else if (kind == 1) {
        pair.set(slot, SlotState::unusable);
      } else if (kind < 4) {
        pair.set(slot, SlotState::usable);
      } else if (kind < 7 && !held.empty()) {
        std::swap(held[random.below(held.size())], held.back());
        pair.vacate(held.back().slots, held.back().demand, held.back().exclusive);
        held.pop_back();
      } else {
        const PlaceRequest request{1 + random.below(6), random_demand(random, pair.naive.total), random.below(4) == 0,
                                   random.below(3)};
        Slots slots;
        if (!pair.index.pick(request, slots)) continue;
        pair.occupy(slots, request.per_node, request.exclusive);
        held.push_back({slots, request.per_node, request.exclusive});
      }
      REQUIRE(pair.index.whole() == pair.naive.count([&](std::uint32_t s) { return pair.naive.is_whole(s); }));
      REQUIRE(pair.index.free(slot) == pair.naive.nodes[slot].free);
      if (operation % 50 == 0) {
        check_counts(pair);
        check_pick(pair, {1 + random.below(9), random_demand(random, pair.naive.total), random.below(2) == 0, 0});
      }
    }
  }
}

TEST_CASE("node index: a parted gang breaks as few whole nodes as it can") {
  const Fabric fabric = regular({.nodes = 12, .nodes_per_leaf = 4});
  Pair pair(fabric, k_h100);
  for (std::uint32_t slot = 0; slot < 12; ++slot) pair.set(slot, SlotState::usable);
  pair.occupy({4, 6, 7}, gpus(4), false);
  pair.occupy({0}, gpus(2), false);
  Slots slots;
  REQUIRE(pair.index.pick({3, gpus(4)}, slots));
  CHECK(slots == Slots{4, 6, 7});
  REQUIRE(pair.index.pick({4, gpus(4)}, slots));
  CHECK(slots == Slots{4, 5, 6, 7});
  REQUIRE(pair.index.pick({1, gpus(1)}, slots));
  CHECK(slots == Slots{4});
  REQUIRE(pair.index.pick({1, gpus(6)}, slots));
  CHECK(slots == Slots{0});
}

TEST_CASE("node index: large gangs take whole leaves, and the tightest one for the rest") {
  const Fabric fabric = regular({.nodes = 24, .nodes_per_leaf = 4, .leaves_per_spine = 3});
  Pair pair(fabric, k_h100);
  for (std::uint32_t slot = 0; slot < 24; ++slot) pair.set(slot, SlotState::usable);
  pair.occupy({0, 12, 13}, k_h100, true);  // leaf 0 has 3, leaf 3 has 2, the others 4
  Slots slots;
  REQUIRE(pair.index.pick({10, k_h100, true}, slots));
  CHECK(slots == Slots{12 + 2, 12 + 3, 16, 17, 18, 19, 20, 21, 22, 23});
  REQUIRE(pair.index.pick({11, k_h100, true}, slots));
  CHECK(slots == Slots{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  CHECK_FALSE(pair.index.pick({11, k_h100, true, 2}, slots));
  CHECK_FALSE(pair.index.pick({22, k_h100, true}, slots));
  REQUIRE(pair.index.pick({2, k_h100, true}, slots));
  CHECK(slots == Slots{14, 15});
}

TEST_CASE("node index: the remainder of a large gang goes to the tightest leaf, not to a whole one") {
  const Fabric fabric = regular({.nodes = 20, .nodes_per_leaf = 4});
  Pair pair(fabric, k_h100);
  for (std::uint32_t slot = 0; slot < 20; ++slot) pair.set(slot, SlotState::usable);
  pair.occupy({0, 12, 13}, k_h100, true);  // leaves have 3 4 4 2 4
  Slots slots;
  REQUIRE(pair.index.pick({6, k_h100, true}, slots));
  CHECK(slots == Slots{4, 5, 6, 7, 14, 15});
  REQUIRE(pair.index.pick({11, k_h100, true}, slots));
  CHECK(slots == Slots{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  REQUIRE(pair.index.pick({17, k_h100, true}, slots));
  CHECK(slots.size() == 17);
}

TEST_CASE("node index: a tapered spine is not crossed for one leaf less") {
  FabricShape shape{.nodes = 24, .nodes_per_leaf = 4, .leaves_per_spine = 3};
  auto spines_and_leaves = [&] {
    const Fabric fabric = regular(shape);
    Pair pair(fabric, k_h100);
    for (std::uint32_t slot = 0; slot < 24; ++slot) pair.set(slot, SlotState::usable);
    pair.occupy({0, 1, 4, 5, 12, 13, 16, 17, 20}, k_h100, true);  // 2 2 4 | 2 2 3
    Slots slots;
    REQUIRE(pair.index.pick({7, k_h100, true}, slots));
    return std::tuple(test::distinct(slots, [&](std::uint32_t s) { return fabric.spine_of(fabric.leaf(s)); }),
                      test::distinct(slots, [&](std::uint32_t s) { return fabric.leaf(s); }));
  };
  CHECK(spines_and_leaves() == std::tuple(2, 2));
  shape.taper.leaf_permille = 2000;
  CHECK(spines_and_leaves() == std::tuple(2, 2));  // spines of one pod meet above the spine: that link is full
  shape.taper.spine_permille = 2000;
  CHECK(spines_and_leaves() == std::tuple(1, 3));
}

TEST_CASE("node index: NVLink domains are kept together") {
  const Fabric fabric = regular({.nodes = 24, .nodes_per_leaf = 12, .nodes_per_nvlink_domain = 4});
  Pair pair(fabric, k_h100);
  for (std::uint32_t slot = 0; slot < 24; ++slot) pair.set(slot, SlotState::usable);
  pair.occupy({0, 4, 5}, k_h100, true);  // domains have 3 2 4 | 4 4 4 whole nodes
  Slots slots;
  REQUIRE(pair.index.pick({2, k_h100, true}, slots));
  CHECK(slots == Slots{6, 7});
  REQUIRE(pair.index.pick({3, k_h100, true}, slots));
  CHECK(slots == Slots{1, 2, 3});
  REQUIRE(pair.index.pick({4, k_h100, true}, slots));
  CHECK(slots == Slots{8, 9, 10, 11});
  REQUIRE(pair.index.pick({6, k_h100, true}, slots));
  CHECK(slots == Slots{6, 7, 8, 9, 10, 11});
  REQUIRE(pair.index.pick({9, k_h100, true}, slots));
  CHECK(slots == Slots{1, 2, 3, 6, 7, 8, 9, 10, 11});
}

}  // namespace virga
