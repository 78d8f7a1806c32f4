// A CSV of hosts and the switches above them (fabric_text.hpp has its columns) as a graph.
//
//   Result<FabricGraph> graph = read_fabric_csv("host,psw,asw\nh1,P1,S1\nh2,P1,S2\n", "hosts.csv", {});
//   graph->switches()[0].name;                             // "P1.S1": names are local to the switch above
//
// Where the uppermost column names several switches, one named "core" joins them.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "fabric/switch_tree.hpp"

namespace virga {

Result<FabricGraph> read_fabric_csv(std::string_view text, const std::string& file_name, const TreeRates& rates);

}  // namespace virga
