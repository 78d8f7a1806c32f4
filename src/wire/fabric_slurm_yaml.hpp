// Slurm's topology.yaml, read and written.
//
//   Result<FabricGraph> graph = read_topology_yaml(text, "topology.yaml", {});
//   std::string again = write_topology_yaml(tree_of(*graph));
//
//   - topology: fabric
//     cluster_default: true
//     tree:
//       switches:
//         - switch: spine
//           children: leaf-[1-2]
//         - switch: leaf-1
//           nodes: node-[01-32]
//
// (slurm.schedmd.com/topology.yaml.html.) Of several topologies the one with cluster_default is read, else the first
// that is no flat one. The blocks of a block topology are read as in topology.conf.
//
// Errors (Code::invalid), with their places: see yaml_text.hpp and switch_tree_reader.hpp, and names that Slurm does
// not know.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "fabric/switch_tree.hpp"

namespace virga {

Result<FabricGraph> read_topology_yaml(std::string_view text, const std::string& file_name, const TreeRates& rates);
std::string write_topology_yaml(const SwitchTree& tree);

}  // namespace virga
