// Slurm's topology.conf, read and written.
//
//   Result<FabricGraph> graph = read_topology_conf(text, "topology.conf", {});
//   std::string again = write_topology_conf(tree_of(*graph));
//
//   SwitchName=leaf-1 Nodes=node-[01-32]
//   SwitchName=spine Switches=leaf-[1-2]
//
// (slurm.schedmd.com/topology.conf.html.) Keys in any letter case, # starts a comment, a \ at the end of a line goes on
// in the next one. LinkSpeed is read over: it means nothing to Slurm either. A switch may be below several others, as
// slurmibtopology writes it for the spines of a fat tree. The blocks of topology/block (BlockName, BlockSizes) are read
// as switches below one named "blocks": what joins them is not in the file.
//
// Errors (Code::invalid), all at once, with their places: see switch_tree_reader.hpp, and keys that Slurm does not
// know.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "fabric/switch_tree.hpp"

namespace virga {

Result<FabricGraph> read_topology_conf(std::string_view text, const std::string& file_name, const TreeRates& rates);
std::string write_topology_conf(const SwitchTree& tree);

}  // namespace virga
