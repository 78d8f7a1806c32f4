#include "wire/fabric_svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "fabric/switch_tree.hpp"
#include "wire/encodings.hpp"

namespace virga {
namespace {

constexpr int k_margin = 30;
constexpr int k_row = 170;
constexpr int k_box_height = 26;
constexpr int k_least_width = 900;
constexpr int k_most_width = 2400;
constexpr int k_place = 74;  ///< of a box with its name

struct Box {
  std::string name;
  std::string title;
  std::uint32_t row = 0;  ///< 0: hosts
  int x = 0;              ///< the middle; set by the layout
};
struct Line {
  std::uint32_t below = 0;  ///< box
  std::uint32_t above = 0;
  std::uint64_t cables = 0;
  std::uint64_t lanes = 0;     ///< of all of them
  std::uint64_t mbps = 0;      ///< of all of them
  std::uint64_t permille = 0;  ///< the slow-down of the busiest
};
struct Drawing {
  std::string title;
  std::vector<Box> boxes;
  std::vector<Line> lines;
  std::uint32_t rows = 0;
};

std::string hosts_text(const std::vector<std::string>& names) {
  if (names.size() == 1) return names.front();
  return names.front() + " … " + names.back();
}

Drawing drawing_of(const FabricGraph& graph, const LinkLoads& loads) {
  Drawing out;
  out.rows = graph.levels() + 1;
  for (const FabricSwitch& s : graph.switches()) {
    out.boxes.push_back({s.name, fmt::format("{}: {} ports, level {}", s.name, s.ports, s.level), s.level});
  }
  struct Group {
    std::uint32_t box = 0;
    std::vector<std::string> names;
  };
  std::map<std::vector<std::uint32_t>, Group> groups;  // hosts by the switches that they hang on
  std::vector<const Group*> group_of_host;
  for (const FabricHost& host : graph.hosts()) {
    std::vector<std::uint32_t> on;
    for (const std::uint32_t hca : host.hcas) on.push_back(graph.hcas()[hca].on_switch);
    std::sort(on.begin(), on.end());
    on.erase(std::unique(on.begin(), on.end()), on.end());
    Group& group = groups[on];
    group.names.push_back(host.name);
    group_of_host.push_back(&group);
  }
  for (auto& [on, group] : groups) {
    const std::string text = hosts_text(group.names);
    group.box = static_cast<std::uint32_t>(out.boxes.size());
    out.boxes.push_back({text, fmt::format("{} hosts: {}", group.names.size(), text), 0});
  }
  std::map<std::pair<std::uint32_t, std::uint32_t>, Line> joined;
  std::uint64_t flows_of_host = 1;
  std::uint64_t mbps_of_host = graph.hcas().front().link.mbps();
  for (std::uint32_t i = 0; i < graph.hcas().size(); ++i) {
    const std::uint64_t mbps = graph.hcas()[i].link.mbps();
    if (loads.out_of_hca[i] * mbps_of_host <= flows_of_host * mbps) continue;
    flows_of_host = loads.out_of_hca[i];
    mbps_of_host = mbps;
  }
  const auto add = [&](std::uint32_t below, std::uint32_t above, std::uint64_t flows, const Link& link) {
    Line& line = joined.try_emplace({below, above}, Line{.below = below, .above = above}).first->second;
    ++line.cables;
    line.lanes += link.lanes;
    line.mbps += link.mbps();
    // Of real numbers, since the products of all four may not fit into 64 bits; it is only a colour.
    const double time = static_cast<double>(flows) / static_cast<double>(link.mbps());
    const double best = static_cast<double>(flows_of_host) / static_cast<double>(mbps_of_host);
    line.permille = std::max(line.permille, static_cast<std::uint64_t>(1000 * time / best));
  };
  const auto flows_of = [&](std::uint32_t s, std::uint32_t port) {
    return loads.out_of_port[graph.port_number(s, port)];
  };
  for (std::uint32_t i = 0; i < graph.hcas().size(); ++i) {
    const FabricHca& hca = graph.hcas()[i];
    const std::uint64_t flows = std::max(flows_of(hca.on_switch, hca.switch_port), loads.out_of_hca[i]);
    add(group_of_host[hca.host]->box, hca.on_switch, flows, hca.link);
  }
  for (const FabricCable& c : graph.cables()) {
    const bool a_is_below = graph.switches()[c.a].level <= graph.switches()[c.b].level;
    add(a_is_below ? c.a : c.b, a_is_below ? c.b : c.a, std::max(flows_of(c.a, c.port_a), flows_of(c.b, c.port_b)),
        c.link);
  }
  for (const auto& [ends, line] : joined) out.lines.push_back(line);
  return out;
}

/// What is left of a large one: the tree of its switches.
Drawing drawing_of_tree(const SwitchTree& tree) {
  Drawing out;
  std::vector<std::uint32_t> row(tree.switches.size(), 1);
  for (std::uint32_t s = 0; s < tree.switches.size(); ++s) {
    for (const std::uint32_t child : tree.switches[s].children) row[s] = std::max(row[s], row[child] + 1);
    out.rows = std::max(out.rows, row[s] + 1);
    out.boxes.push_back({tree.switches[s].name, tree.switches[s].name, row[s]});
  }
  for (std::uint32_t s = 0; s < tree.switches.size(); ++s) {
    for (const std::uint32_t child : tree.switches[s].children)
      out.lines.push_back({.below = child, .above = s, .cables = 1, .lanes = 4});
    if (tree.switches[s].hosts.empty()) continue;
    std::vector<std::string> names;
    for (const std::uint32_t host : tree.switches[s].hosts) names.push_back(tree.hosts[host]);
    const auto box = static_cast<std::uint32_t>(out.boxes.size());
    out.boxes.push_back({hosts_text(names), fmt::format("{} hosts: {}", names.size(), hosts_text(names)), 0});
    out.lines.push_back({.below = box, .above = s, .cables = names.size(), .lanes = 4 * names.size()});
  }
  return out;
}

/// Blue up to 1000, red from 2000 on.
std::string colour(std::uint64_t permille) {
  const auto part = static_cast<int>(std::clamp<std::uint64_t>(permille, 1000, 2000)) - 1000;
  return fmt::format("#{:02x}{:02x}{:02x}", 70 + 150 * part / 1000, 120 - 70 * part / 1000, 200 - 150 * part / 1000);
}

std::string draw(Drawing& drawing) {
  std::vector<int> in_row(drawing.rows, 0);
  for (const Box& box : drawing.boxes) ++in_row[box.row];
  const int most = *std::max_element(in_row.begin(), in_row.end());
  const int width = std::clamp(most * k_place + 2 * k_margin, k_least_width, k_most_width);
  const int height = static_cast<int>(drawing.rows) * k_row - k_row + k_box_height + 3 * k_margin;
  std::vector<int> seen(drawing.rows, 0);
  for (Box& box : drawing.boxes) {
    box.x = k_margin + (2 * seen[box.row]++ + 1) * (width - 2 * k_margin) / (2 * in_row[box.row]);
  }
  const auto y_of = [&](const Box& box) { return 2 * k_margin + static_cast<int>(drawing.rows - 1 - box.row) * k_row; };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"11\">\n"
      "<style>:root {{ color-scheme: light dark }} text {{ fill: CanvasText; text-anchor: middle }}\n"
      "rect {{ fill: Canvas; stroke: GrayText }} line {{ stroke-opacity: .55 }}</style>\n"
      "<text x=\"{}\" y=\"20\" font-size=\"14\">{}</text>\n",
      width, height, width / 2, html_escaped(drawing.title));
  for (const Line& line : drawing.lines) {
    const Box& below = drawing.boxes[line.below];
    const Box& above = drawing.boxes[line.above];
    const int half = below.row == above.row ? 0 : k_box_height / 2;
    svg += fmt::format(
        "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{}\" stroke-width=\"{}\"><title>{} to {}: {} "
        "cable{}{}</title></line>\n",
        below.x, y_of(below) - half, above.x, y_of(above) + half, colour(line.permille),
        std::clamp<std::uint64_t>(line.lanes / 4, 1, 5), html_escaped(below.name), html_escaped(above.name),
        line.cables, line.cables == 1 ? "" : "s",
        line.mbps == 0 ? ""
                       : fmt::format(", {} Gb/s in all, slow-down {}.{:02}", line.mbps / 1000, line.permille / 1000,
                                     line.permille / 10 % 100));
  }
  for (const Box& box : drawing.boxes) {
    const int room = std::max(4, (width - 2 * k_margin) / in_row[box.row] - 4);
    const int box_width = std::min(room, box.row == 0 ? 200 : 110);
    svg += fmt::format("<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"4\"/>",
                       html_escaped(box.title), box.x - box_width / 2, y_of(box) - k_box_height / 2, box_width,
                       k_box_height);
    if (static_cast<int>(box.name.size()) * 6 <= box_width) {
      svg += fmt::format("<text x=\"{}\" y=\"{}\">{}</text>", box.x, y_of(box) + 4, html_escaped(box.name));
    }
    svg += "</g>\n";
  }
  return svg + "</svg>\n";
}

}  // namespace

std::string draw_fabric(const FabricGraph& graph, const LinkLoads& loads) {
  const bool is_small = graph.switches().size() <= k_drawn_switches_max;
  Drawing drawing = is_small ? drawing_of(graph, loads) : drawing_of_tree(tree_of(graph));
  drawing.title = fmt::format("{} hosts, {} HCAs, {} switches on {} levels", graph.hosts().size(), graph.hcas().size(),
                              graph.switches().size(), graph.levels());
  return draw(drawing);
}

}  // namespace virga
