// Which instance becomes which node, so that nodes that the brain takes for neighbours are some. Pure.
//
//   // Nodes of leaves 0, 0, 1; free instances below Azure's leaves "x", "y", "y"; a node of leaf 1 is below "x".
//   match_leaves({0, 0, 1}, {"x", "y", "y"}, {{1, "x"}});        // {1, 2, 0}
//
// The brain knows leaves by node numbers (PoolFabric), Azure says only for VMs that are there which ones share a leaf
// (interconnectSubgroupId), and where it says nothing every instance is as good as another. A node's leaf takes from
// the one that its nodes are below already, or else from the one of which the fewest are left that has enough.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace virga::azure {

/// For each place, by the leaf of its node, the index of an instance, of which there must be at least as many as
/// places. `known`: by leaf, Azure's one of the nodes that are there.
std::vector<std::size_t> match_leaves(const std::vector<std::uint32_t>& leaf_of_place,
                                      const std::vector<std::string>& leaf_of_instance,
                                      const std::map<std::uint32_t, std::string>& known);

}  // namespace virga::azure
