// Collectives of several jobs at once, on a fabric whose links they share.
//
//   const FatTree tree({.nodes = 2048, .nic_bytes_s = 50e9, .leaf_taper = 2});
//   const RoutedJob jobs[] = {{.nodes = {0, 40, 1, 41}}, {.nodes = {2, 42, 3, 43}}};
//   routed_estimates(tree, jobs, Collective::all_reduce, 1 << 30, net);    // one estimate for each
//
// In a ring, and in the hierarchical algorithm's rings over the rails, each node sends to the next one through all of
// its NICs, all the time and all at the same rate, so one solution of max_min_rates holds for the whole collective, and
// the slowest of a job's flows sets its pace. That rate takes the NIC's place in the closed form (twin/collective.hpp).
// The jobs are taken to be in their collectives at the same time for all of it: the worst case. Other algorithms:
// infinite.
//
// One all-reduce of 16,384 GPUs takes some 10 ms and less than 10 MB.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "twin/collective.hpp"
#include "twin/fat_tree.hpp"

namespace virga {

struct RoutedJob {
  std::vector<std::uint32_t> nodes;  ///< in the order of the ranks; each once, and only nodes of the tree
  Algorithm algorithm = Algorithm::ring;
};

/// The rate of each job's slowest flow. A job on one node needs no network: infinite.
std::vector<double> routed_nic_rates(const FatTree& tree, std::span<const RoutedJob> jobs,
                                     Routing routing = Routing::by_destination);

/// Each job's time, with as many ranks on a node as the tree has rails. The rate of net's NICs is the tree's.
std::vector<CollectiveEstimate> routed_estimates(const FatTree& tree, std::span<const RoutedJob> jobs,
                                                 Collective collective, double bytes, const Net& net,
                                                 Routing routing = Routing::by_destination);

}  // namespace virga
