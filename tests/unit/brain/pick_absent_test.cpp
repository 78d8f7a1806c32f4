// Which absent slots are reserved: compact, within the scale sets' limits, and exactly as many as asked for.
#include <doctest/doctest.h>

#include "brain/place/node_index.hpp"
#include "naive_index.hpp"

namespace virga {
namespace {

using Slots = std::vector<std::uint32_t>;

constexpr Resources k_node{.cpus = 96, .gpus = 8, .memory_bytes = std::uint64_t{1900} << 30};

Fabric regular(const FabricShape& shape) {
  auto fabric = Fabric::build(shape);
  REQUIRE(fabric.has_value());
  return std::move(*fabric);
}

}  // namespace

TEST_CASE("pick absent: an empty pool gives whole leaves, then the tightest for the rest") {
  const Fabric fabric = regular({.nodes = 16, .nodes_per_leaf = 4, .leaves_per_spine = 2});
  NodeIndex index(fabric, k_node);
  Slots slots;
  REQUIRE(index.pick_absent(4, {}, {}, slots));
  CHECK(slots == Slots{0, 1, 2, 3});
  index.set_usable(8);
  REQUIRE(index.pick_absent(3, {}, {}, slots));
  CHECK(slots == Slots{9, 10, 11});
  REQUIRE(index.pick_absent(7, {}, {}, slots));
  CHECK(slots == Slots{9, 10, 11, 12, 13, 14, 15});
  CHECK_FALSE(index.pick_absent(16, {}, {}, slots));
  CHECK(slots.empty());
}

TEST_CASE("pick absent: near the gang's own slots first") {
  const Fabric fabric = regular({.nodes = 24, .nodes_per_leaf = 4, .leaves_per_spine = 2, .spines_per_pod = 2});
  NodeIndex index(fabric, k_node);
  const Slots near{12, 13};
  for (std::uint32_t slot : near) index.set_usable(slot);
  Slots slots;
  REQUIRE(index.pick_absent(2, near, {}, slots));
  CHECK(slots == Slots{14, 15});
  REQUIRE(index.pick_absent(3, near, {}, slots));
  CHECK(slots == Slots{8, 14, 15});
  REQUIRE(index.pick_absent(8, near, {}, slots));
  CHECK(slots == Slots{0, 1, 2, 3, 4, 5, 14, 15});  // spine 1 cannot hold the rest; spine 0 is in the same pod
}

TEST_CASE("pick absent: scale sets hold no more than they may, on 1,000 random states") {
  for (std::uint64_t seed = 1; seed <= 1000; ++seed) {
    CAPTURE(seed);
    test::Random random{seed};
    const Fabric fabric = regular({.nodes = 20 + random.below(40),
                                   .nodes_per_leaf = 3 + random.below(5),
                                   .leaves_per_spine = random.below(4),
                                   .nodes_per_scale_set = 4 + random.below(9)});
    NodeIndex index(fabric, k_node);
    Slots near;
    for (std::uint32_t slot = 0; slot < fabric.slots(); ++slot) {
      if (random.below(3) == 0) index.set_unusable(slot);
      if (random.below(20) == 0) {
        index.set_usable(slot);
        near.push_back(slot);
      }
    }
    Slots limits;
    std::uint32_t possible = 0;
    for (std::uint32_t set = 0; set < fabric.scale_sets(); ++set) {
      limits.push_back(random.below(8));
      std::uint32_t absent = 0;
      for (std::uint32_t s = fabric.first_of_scale_set(set); s < fabric.first_of_scale_set(set + 1); ++s) {
        absent += index.state(s) == SlotState::absent ? 1 : 0;
      }
      possible += std::min(absent, limits.back());
    }
    const std::uint32_t count = random.below(possible + 3);
    Slots slots;
    CHECK(index.pick_absent(count, near, limits, slots) == (count <= possible));
    CHECK(slots.size() == (count <= possible ? count : 0));
    CHECK(test::in_rank_order(fabric, slots));
    for (std::uint32_t slot : slots) {
      CHECK(index.state(slot) == SlotState::absent);
      --limits[fabric.scale_set(slot)];
    }
    for (std::uint32_t left : limits) CHECK(left < 8);  // none fell below zero
  }
}

}  // namespace virga
