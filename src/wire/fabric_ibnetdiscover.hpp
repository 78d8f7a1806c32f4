// The cabling of an InfiniBand subnet as `ibnetdiscover` prints it, read and written.
//
//   Result<FabricGraph> graph = read_ibnetdiscover(text, "subnet.txt");
//   std::string again = write_ibnetdiscover(*graph);          // also a network for ibsim, the subnet simulator
//
//   switchguid=0x200500000000100(200500000000100)
//   Switch  64 "S-0200500000000100"         # "leaf-1-1" base port 0 lid 2 lmc 0
//   [1]     "H-0200400000000100"[1](200400000000101)                # "node-01 mlx5_0" lid 1 4xNDR
//
// (rdma-core, infiniband-diags/ibnetdiscover.c.) An HCA's host is the first word of its description, its name the
// rest; where nobody set the description ("MT4129 ConnectX7   Mellanox Technologies"), host and HCA are named by the
// GUID. Hosts and switches are put into the order of their names, numbers in them counting as numbers (node-2 before
// node-10). Descriptions of switches that are used twice are told apart by their GUIDs. The aggregation nodes of SHARP,
// which each switch has inside, are left out, as are routers. A cable whose rate is not told is 4x NDR.
//
// Errors (Code::invalid), all at once, one a line, with their places: an id that is there twice, two hosts of one name,
// a cable to nowhere, ends that do not agree with each other, a port that the switch does not have, a switch without
// cables, lines that cannot be read.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "fabric/graph.hpp"

namespace virga {

/// `file_name` is for the messages only.
Result<FabricGraph> read_ibnetdiscover(std::string_view text, const std::string& file_name);
/// GUIDs that are not known are made up.
std::string write_ibnetdiscover(const FabricGraph& graph);

}  // namespace virga
