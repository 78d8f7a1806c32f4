// The network as NVIDIA's topograph takes it: a model file of its test provider and its simulator.
//
//   std::string model = write_topograph(tree_of(graph));
//
//   switches:
//     spine:
//       switches: [leaf-1, leaf-2]
//   blocks:
//   - switch: leaf-1
//     nodes: ["node-[01-32]"]
//
// (github.com/NVIDIA/topograph, tests/models/large.yaml of 2026; earlier versions had lists of switches with
// capacity_blocks.) topograph makes Slurm's and Kubernetes' topologies of it. A switch has one above it at most, which
// is so in the tree of a graph.
#pragma once

#include <string>

#include "fabric/switch_tree.hpp"

namespace virga {

std::string write_topograph(const SwitchTree& tree);

}  // namespace virga
