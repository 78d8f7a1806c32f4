// A picture of a fabric: switches in rows by level, the hosts below, cables as lines.
//
//   std::string svg = draw_fabric(graph, loads);
//
// Cables between the same two switches are one line, as wide as they are many. Its colour is the time that the busiest
// of them needs for the given loads, against the time that the hosts' own links need: blue up to that, then towards
// red, which is twice as long or longer. Hosts of the same switches are one box. More than k_drawn_switches_max
// switches are drawn as the tree of them (fabric/switch_tree.hpp), without loads. Plain SVG 1.1 with a title for each
// thing, which browsers show under the pointer; light and dark like the page.
#pragma once

#include <string>

#include "fabric/measures.hpp"

namespace virga {

inline constexpr std::size_t k_drawn_switches_max = 400;

std::string draw_fabric(const FabricGraph& graph, const LinkLoads& loads);

}  // namespace virga
