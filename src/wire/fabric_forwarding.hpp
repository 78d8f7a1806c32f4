// The forwarding tables of a real subnet, as `dump_lfts`, `dump_fts` and `ibroute` print them.
//
//   Result<ForwardingTables> tables = read_forwarding(text, "lfts.txt", graph);
//
//   Unicast lids [0x0-0x218] of switch DR path slid 0; dlid 0; 0,1 guid 0x0200500000000100 (leaf-1-1):
//   0x0001 033 : (Channel Adapter portguid 0x0200400000000101: 'node-01 mlx5_0')
//
// (rdma-core, infiniband-diags/ibroute.c, dump_fts.c.) Switches are known by their GUIDs. Destinations are known by
// their LIDs, where the graph has them, else by the GUIDs of their ports; lines for switches are skipped.
//
// Errors (Code::invalid), with their places: a switch that is not in the graph, a line that cannot be read. A pair of
// HCAs without a way is an error of path_of().
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "fabric/routing.hpp"

namespace virga {

Result<ForwardingTables> read_forwarding(std::string_view text, const std::string& file_name, const FabricGraph& graph);

}  // namespace virga
