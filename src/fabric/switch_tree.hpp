// Switches and hosts as a tree of names: what schedulers know of a network (Slurm's topology.conf, topograph).
//
//   SwitchTree tree = tree_of(graph);               // of a rail-optimised fabric: one leaf for each unit of hosts
//   tree.switches[0].hosts;                         // numbers in tree.hosts
//   Result<FabricGraph> graph = graph_of(tree);     // one cable for all between two switches
//
// A graph becomes a tree by joining what is no tree: a switch of the tree stands for all switches up to a level that
// are joined by cables or hosts among them. The eight leaves of a unit, one for each rail, become one; so do the spines
// of a pod. A tree with several parents of a switch, as slurmibtopology writes it, may be given to graph_of().
//
// Names: a switch that stands for itself keeps its name. Several get what their names have in common ("leaf-2" for
// leaf-2-1 … leaf-2-8) or the first one's name.
//
// A tree knows no rates: each host gets one HCA of the given rate, and each switch as much towards its parents as comes
// from below, divided by the oversubscription.
//
// Errors (Code::invalid): a circle, a host on two switches, a name that is used twice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fabric/graph.hpp"

namespace virga {

struct SwitchTree {
  struct Switch {
    std::string name;
    std::vector<std::uint32_t> children = {};  ///< switches
    std::vector<std::uint32_t> hosts = {};
  };
  std::vector<Switch> switches;
  std::vector<std::string> hosts;
};

struct TreeRates {
  Link host_link = {};
  std::uint32_t oversubscription_permille = 1000;  ///< at every level
};

/// Switches come level by level, those next to the hosts first.
SwitchTree tree_of(const FabricGraph& graph);
Result<FabricGraph> graph_of(const SwitchTree& tree, const TreeRates& rates = {});

}  // namespace virga
