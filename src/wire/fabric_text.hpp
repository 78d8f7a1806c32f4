// A network as a table of text: one line a host, with the switches it hangs on. What clouds and schedulers tell of
// their topology is easily brought into this form.
//
//   host,dsw,psw,asw              also: node, pod, spine, leaf, and the optional columns nvlink and scale_set
//   h0000,G6,P8,S1
//   h0001,G6,P8,S1
//
//   Result<FabricText> network = parse_fabric_text(text, "topology.csv");
//   network->hosts[17];           // the name of slot 17: slots are numbered in the order of the lines
//
// Columns come in any order; host and leaf are needed. A name is local to the switch above it: leaf S1 below spine P8
// is another one than S1 below P10. Without a pod (or spine) column there is one. Hosts with the same `nvlink` form a
// domain, an empty one means none; hosts with the same `scale_set` stand together. Blank lines and lines that start
// with # are skipped. All mistakes of a text are told at once, one a line: file:line: what; what instead.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "fabric/fabric.hpp"

namespace virga {

struct FabricText {
  Fabric fabric;
  std::vector<std::string> hosts;       ///< by slot
  std::vector<std::string> leaf_names;  ///< by the fabric's leaf number: "pod/spine/leaf", as far as there are columns
};

/// `file_name` is only for the messages. `rails` and `taper` are not in the table.
Result<FabricText> parse_fabric_text(std::string_view text, const std::string& file_name, std::uint32_t rails = 8,
                                     const Taper& taper = {});

}  // namespace virga
