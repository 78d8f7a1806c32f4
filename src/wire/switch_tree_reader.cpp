#include "wire/switch_tree_reader.hpp"

#include <fmt/format.h>

#include "wire/hostlist.hpp"

namespace virga {
namespace {

constexpr std::size_t k_tree_hosts_max = 200'000;

}  // namespace

void SwitchTreeReader::add_switch(const Line& line) {
  const auto index = static_cast<std::uint32_t>(tree_.switches.size());
  const auto [known, is_new] = switch_of_name_.try_emplace(std::string(line.name), index);
  if (!is_new) {
    return mistakes_.add(line.line, fmt::format("switch \"{}\" is there twice, first in line {}; keep one",
                                                as_shown(line.name), lines_[known->second]));
  }
  if (line.children.empty() && line.hosts.empty()) {
    mistakes_.add(line.line, fmt::format("switch \"{}\" has no ports in use; name its nodes or the switches below it",
                                         as_shown(line.name)));
  }
  auto& added = tree_.switches.emplace_back();
  added.name = line.name;
  lines_.push_back(line.line);
  auto& children = children_.emplace_back();
  if (!line.children.empty()) {
    auto names = expand_hostlist(line.children, k_tree_hosts_max);
    if (names) {
      children = std::move(*names);
    } else {
      mistakes_.add(line.line, names.error().message);
    }
  }
  if (line.hosts.empty()) return;
  const auto hosts = expand_hostlist(line.hosts, k_tree_hosts_max);
  if (!hosts) return mistakes_.add(line.line, hosts.error().message);
  for (const std::string& host : *hosts) {
    if (mistakes_.full()) return;
    const auto [first, is_first] = line_of_host_.try_emplace(host, line.line);
    if (!is_first) {
      mistakes_.add(line.line, fmt::format("host \"{}\" is there twice, first in line {}; keep one", as_shown(host),
                                           first->second));
      continue;
    }
    added.hosts.push_back(static_cast<std::uint32_t>(tree_.hosts.size()));
    tree_.hosts.push_back(host);
  }
}

void SwitchTreeReader::join_children() {
  for (std::uint32_t s = 0; s < tree_.switches.size(); ++s) {
    for (const std::string& child : children_[s]) {
      if (mistakes_.full()) return;
      const auto found = switch_of_name_.find(child);
      if (found == switch_of_name_.end()) {
        mistakes_.add(lines_[s],
                      fmt::format("a cable to nowhere: \"{}\" below switch \"{}\" is no switch of this file; "
                                  "add a line for it or leave it out",
                                  as_shown(child), as_shown(tree_.switches[s].name)));
        continue;
      }
      tree_.switches[s].children.push_back(found->second);
    }
  }
}

Result<FabricGraph> SwitchTreeReader::graph(const TreeRates& rates) {
  join_children();
  if (mistakes_.any()) return mistakes_.error();
  auto graph = graph_of(tree_, rates);
  if (!graph) {
    mistakes_.add(0, graph.error().message);
    return mistakes_.error();
  }
  return graph;
}

}  // namespace virga
