// A picture of a fabric: switches in rows by level, the hosts below, cables as lines.
//
//   std::string svg = draw_fabric(graph, loads);
//
// Cables between the same two switches are one line, as wide as they are many; its colour is the busiest one's load
// under the given pattern, against the busiest link of all: from blue (idle) to red. Hosts of the same switches are one
// box. More than k_drawn_switches_max switches are drawn as the tree of them (fabric/switch_tree.hpp), without loads.
// Plain SVG 1.1 with a title for each thing, which browsers show under the pointer; light and dark like the page.
#pragma once

#include <string>

#include "fabric/measures.hpp"

namespace virga {

inline constexpr std::size_t k_drawn_switches_max = 400;

std::string draw_fabric(const FabricGraph& graph, const LinkLoads& loads);

}  // namespace virga
