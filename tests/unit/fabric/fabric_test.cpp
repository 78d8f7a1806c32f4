// The tree of a network: numbers in tree order, distances, failure domains, and what is refused.
#include "fabric/fabric.hpp"

#include <doctest/doctest.h>

namespace virga {
namespace {

using Slots = std::vector<std::uint32_t>;

template <class Description>
std::string error_of(const Description& description) {
  const auto fabric = Fabric::build(description);
  return fabric ? "" : fabric.error().message;
}

Slots slots_of(std::span<const std::uint32_t> slots) { return {slots.begin(), slots.end()}; }

}  // namespace

TEST_CASE("fabric: a regular tree, the last branches not full") {
  const auto fabric = Fabric::build(FabricShape{
      .nodes = 50, .nodes_per_leaf = 4, .leaves_per_spine = 3, .spines_per_pod = 2, .nodes_per_scale_set = 20});
  REQUIRE(fabric.has_value());
  CHECK(fabric->slots() == 50);
  CHECK(fabric->leaves() == 13);
  CHECK(fabric->spines() == 5);
  CHECK(fabric->pods() == 3);
  CHECK(fabric->scale_sets() == 3);
  CHECK(fabric->scale_set(19) == 0);
  CHECK(fabric->scale_set(20) == 1);
  CHECK(fabric->scale_set(49) == 2);
  CHECK(fabric->leaf_slots_max() == 4);
  CHECK(slots_of(fabric->slots_of_leaf(12)) == Slots{48, 49});
  CHECK(slots_of(fabric->slots_of_spine(4)) == Slots{48, 49});
  CHECK(fabric->slots_of_pod(0).size() == 24);
  CHECK(fabric->reach(0, 0) == Reach::same_node);
  CHECK(fabric->reach(0, 3) == Reach::leaf);
  CHECK(fabric->reach(0, 4) == Reach::spine);
  CHECK(fabric->reach(0, 12) == Reach::pod);
  CHECK(fabric->reach(0, 24) == Reach::core);
  const std::uint32_t others[] = {0, 3, 4, 12, 24};
  const std::uint32_t links[] = {0, 2, 4, 6, 8};
  for (int i = 0; i < 5; ++i) {
    CHECK(fabric->distance(0, others[i]) == links[i]);
    CHECK(fabric->distance(others[i], 0) == links[i]);
  }
}

TEST_CASE("fabric: rails meet in the node or at the spine") {
  const auto fabric = Fabric::build(FabricShape{.nodes = 72, .nodes_per_leaf = 36, .nodes_per_nvlink_domain = 18});
  REQUIRE(fabric.has_value());
  CHECK(fabric->nvlink_domains() == 4);
  CHECK(fabric->distance(0, 17) == 1);
  CHECK(fabric->distance(0, 18) == 2);
  CHECK(fabric->distance(0, 3, 0, 5) == 1);
  CHECK(fabric->distance(0, 3, 17, 5) == 1);
  CHECK(fabric->distance(0, 3, 18, 3) == 2);
  CHECK(fabric->distance(0, 3, 18, 5) == 4);
  CHECK(fabric->distance(0, 3, 36, 5) == 4);
}

TEST_CASE("fabric: contention is the product of the tapers that are crossed") {
  const auto fabric = Fabric::build(
      FabricShape{.nodes = 8, .taper = {.leaf_permille = 2000, .spine_permille = 1500, .pod_permille = 4000}});
  REQUIRE(fabric.has_value());
  CHECK(fabric->contention_permille(Reach::leaf) == 1000);
  CHECK(fabric->contention_permille(Reach::spine) == 2000);
  CHECK(fabric->contention_permille(Reach::pod) == 3000);
  CHECK(fabric->contention_permille(Reach::core) == 12'000);
}

TEST_CASE("fabric: any ids are put in tree order") {
  FabricIds ids;
  ids.pod_of_spine = {2, 0, 2};
  ids.spine_of_leaf = {0, 1, 2, 1};
  ids.leaf_of_slot = {0, 1, 2, 3, 0, 3, 1};
  ids.nvlink_of_slot = {9, 5, 4, 7, 9, 3, 5};
  const auto fabric = Fabric::build(ids);
  REQUIRE(fabric.has_value());
  // pod 0: spine 1: leaves 1 and 3; pod 2: spine 0: leaf 0; spine 2: leaf 2
  CHECK(fabric->pods() == 2);
  CHECK(fabric->pod_id(1) == 2);
  CHECK(fabric->spine_id(0) == 1);
  Slots order;
  for (std::uint32_t p = 0; p < 7; ++p) order.push_back(fabric->slot_at(p));
  CHECK(order == Slots{1, 6, 5, 3, 0, 4, 2});
  for (std::uint32_t p = 0; p < 7; ++p) CHECK(fabric->position(order[p]) == p);
  CHECK(fabric->leaf_id(fabric->leaf(5)) == 3);
  CHECK(slots_of(fabric->slots_of_leaf(fabric->leaf(5))) == Slots{5, 3});
  CHECK(slots_of(fabric->slots_of_pod(1)) == Slots{0, 4, 2});
  CHECK(fabric->reach(0, 4) == Reach::nvlink);
  CHECK(fabric->reach(3, 5) == Reach::leaf);
  CHECK(fabric->reach(1, 3) == Reach::spine);
  CHECK(fabric->reach(0, 2) == Reach::pod);
  CHECK(fabric->reach(0, 1) == Reach::core);
  CHECK(fabric->scale_sets() == 1);
}

TEST_CASE("fabric: a leaf without nodes is no fault") {
  FabricIds ids;
  ids.pod_of_spine = {0};
  ids.spine_of_leaf = {0, 0, 0};
  ids.leaf_of_slot = {2, 0};
  const auto fabric = Fabric::build(ids);
  REQUIRE(fabric.has_value());
  CHECK(fabric->slots_of_leaf(1).empty());
  CHECK(slots_of(fabric->slots_of_spine(0)) == Slots{1, 0});
}

TEST_CASE("fabric: what is refused, and what would be right") {
  CHECK(error_of(FabricShape{}) == "fabric: it has no node; give at least 1");
  CHECK(error_of(FabricShape{.nodes = 1'000'001}) == "fabric: 1000001 nodes; at most 1000000");
  CHECK(error_of(FabricShape{.nodes = 4, .nodes_per_leaf = 0}) == "fabric: 0 nodes per leaf; give at least 1");
  CHECK(error_of(FabricShape{.nodes = 40, .nodes_per_leaf = 32, .nodes_per_nvlink_domain = 18}) ==
        "fabric: 18 nodes per NVLink domain do not divide the 32 nodes of a leaf");
  CHECK(error_of(FabricShape{.nodes = 4, .rails = 0}) == "fabric: 0 rails; give 1 to 64");
  CHECK(error_of(FabricShape{.nodes = 4, .taper = {.leaf_permille = 500}}) ==
        "fabric: an oversubscription of 500 permille; give 1000 (non-blocking) to 1000000");

  FabricIds ids;
  ids.pod_of_spine = {0};
  ids.spine_of_leaf = {0, 0};
  ids.leaf_of_slot = {0, 1, 2};
  CHECK(error_of(ids) == "fabric: slot 2 hangs on leaf 2, which is unknown: there are 2");
  ids.leaf_of_slot = {0, 1, 1};
  ids.spine_of_leaf = {0, 1};
  CHECK(error_of(ids) == "fabric: leaf 1 hangs on spine 1, which is unknown: there are 1");
  ids.spine_of_leaf = {0, 0};
  ids.pod_of_spine = {7};
  CHECK(error_of(ids) == "fabric: spine 0 hangs on pod 7, which is unknown: there are 1");
  ids.pod_of_spine = {0};
  ids.nvlink_of_slot = {0, 0, 1};
  CHECK(error_of(ids) ==
        "fabric: slots 0 and 1 share NVLink domain 0, but hang on leaves 0 and 1; a domain lies below one leaf");
  ids.nvlink_of_slot = {0};
  CHECK(error_of(ids) == "fabric: 1 NVLink domains are given for 3 slots; give one for each slot, or none");
  ids.nvlink_of_slot.clear();
  ids.scale_set_sizes = {1, 1};
  CHECK(error_of(ids) == "fabric: the scale sets hold 2 slots, but there are 3; each slot belongs to one");
}

}  // namespace virga
