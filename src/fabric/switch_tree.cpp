#include "fabric/switch_tree.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace virga {
namespace {

class Groups {
 public:
  explicit Groups(std::size_t count) : above_(count) { std::iota(above_.begin(), above_.end(), 0); }
  std::uint32_t of(std::uint32_t i) {
    while (above_[i] != i) i = above_[i] = above_[above_[i]];
    return i;
  }
  void join(std::uint32_t a, std::uint32_t b) {
    const std::uint32_t x = of(a);
    const std::uint32_t y = of(b);
    above_[std::max(x, y)] = std::min(x, y);
  }

 private:
  std::vector<std::uint32_t> above_;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// What all names begin with, without a number that is cut in two.
std::string common_name(const std::vector<std::string>& names) {
  std::size_t size = names.front().size();
  for (const std::string& name : names) {
    const auto end = std::mismatch(names.front().begin(), names.front().end(), name.begin(), name.end()).first;
    size = std::min(size, static_cast<std::size_t>(end - names.front().begin()));
  }
  std::string common = names.front().substr(0, size);
  while (!common.empty() && is_digit(common.back())) common.pop_back();
  while (!common.empty() && (common.back() == '-' || common.back() == '_' || common.back() == '.')) common.pop_back();
  return common;
}

class TreeMaker {
 public:
  explicit TreeMaker(const FabricGraph& graph) : graph_(graph), groups_(graph.switches().size()) {
    for (const FabricSwitch& s : graph.switches()) used_.insert(s.name);
  }

  SwitchTree make() {
    for (const FabricHost& host : graph_.hosts()) {
      tree_.hosts.push_back(host.name);
      for (const std::uint32_t hca : host.hcas) {
        groups_.join(graph_.hcas()[host.hcas.front()].on_switch, graph_.hcas()[hca].on_switch);
      }
    }
    for (std::uint32_t level = 1; level <= graph_.levels(); ++level) add_level(level);
    return std::move(tree_);
  }

 private:
  void add_level(std::uint32_t level) {
    const auto level_of = [&](std::uint32_t s) { return graph_.switches()[s].level; };
    for (const FabricCable& c : graph_.cables()) {
      if (std::max(level_of(c.a), level_of(c.b)) <= level) groups_.join(c.a, c.b);
    }
    std::map<std::uint32_t, std::vector<std::uint32_t>> members;  // of this level, by group
    for (std::uint32_t s = 0; s < graph_.switches().size(); ++s) {
      if (level_of(s) == level) members[groups_.of(s)].push_back(s);
    }
    std::map<std::uint32_t, std::uint32_t> node_of_group;
    std::vector<Top> tops;
    for (const auto& [group, switches] : members) {
      node_of_group[group] = static_cast<std::uint32_t>(tree_.switches.size());
      tops.push_back({node_of_group[group], switches.front()});
      tree_.switches.push_back({name_of_all(switches)});
    }
    for (const Top& top : tops_) {  // what was uppermost so far hangs below, or stays uppermost
      const auto node = node_of_group.find(groups_.of(top.fabric_switch));
      if (node == node_of_group.end()) {
        tops.push_back(top);
      } else {
        tree_.switches[node->second].children.push_back(top.node);
      }
    }
    tops_ = std::move(tops);
    for (std::uint32_t host = 0; host < graph_.hosts().size(); ++host) {
      const FabricHca& first = graph_.hcas()[graph_.hosts()[host].hcas.front()];
      if (placed_.contains(host)) continue;
      const auto node = node_of_group.find(groups_.of(first.on_switch));
      if (level_of(first.on_switch) > level || node == node_of_group.end()) continue;
      tree_.switches[node->second].hosts.push_back(host);
      placed_.insert(host);
    }
  }

  std::string name_of_all(const std::vector<std::uint32_t>& switches) {
    std::vector<std::string> names;
    names.reserve(switches.size());
    for (const std::uint32_t s : switches) names.push_back(graph_.switches()[s].name);
    if (names.size() == 1) return names.front();
    const std::string common = common_name(names);
    return !common.empty() && used_.insert(common).second ? common : names.front();
  }

  struct Top {
    std::uint32_t node = 0;
    std::uint32_t fabric_switch = 0;  ///< one of those it stands for
  };

  const FabricGraph& graph_;
  Groups groups_;
  SwitchTree tree_;
  std::vector<Top> tops_;
  std::set<std::uint32_t> placed_;
  std::set<std::string> used_;
};

/// Children before parents; shorter than the tree if there is a circle.
std::vector<std::uint32_t> upwards(const SwitchTree& tree, std::vector<std::uint32_t>& levels) {
  std::vector<std::vector<std::uint32_t>> parents(tree.switches.size());
  std::vector<std::size_t> missing(tree.switches.size());
  std::vector<std::uint32_t> order;
  for (std::uint32_t s = 0; s < tree.switches.size(); ++s) {
    missing[s] = tree.switches[s].children.size();
    for (const std::uint32_t child : tree.switches[s].children) parents[child].push_back(s);
    if (missing[s] == 0) order.push_back(s);
  }
  levels.assign(tree.switches.size(), 1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const std::uint32_t parent : parents[order[i]]) {
      levels[parent] = std::max(levels[parent], levels[order[i]] + 1);
      if (--missing[parent] == 0) order.push_back(parent);
    }
  }
  return order;
}

}  // namespace

SwitchTree tree_of(const FabricGraph& graph) { return TreeMaker(graph).make(); }

Result<FabricGraph> graph_of(const SwitchTree& tree, const TreeRates& rates) {
  std::vector<std::uint32_t> levels;
  const std::vector<std::uint32_t> order = upwards(tree, levels);
  std::vector<std::uint32_t> parents(tree.switches.size(), 0);
  for (const auto& s : tree.switches) {
    for (const std::uint32_t child : s.children) ++parents[child];
  }
  std::vector<bool> is_ordered(tree.switches.size(), false);
  for (const std::uint32_t s : order) is_ordered[s] = true;
  FabricGraphBuilder builder;
  for (std::uint32_t s = 0; s < tree.switches.size(); ++s) {
    const auto& of = tree.switches[s];
    if (!is_ordered[s]) return fail(Code::invalid, "switch \"" + of.name + "\" is above itself: a circle of switches");
    const auto ports = static_cast<std::uint32_t>(of.hosts.size() + of.children.size() + parents[s]);
    if (const auto added = builder.add_switch({of.name, 0, ports, 0, levels[s]}); !added) {
      return unexpected(added.error());
    }
  }
  std::vector<std::uint64_t> lanes(tree.switches.size(), 0);
  std::vector<std::uint32_t> next_port(tree.switches.size(), 1);
  std::vector<FabricCable> cables;
  for (const std::uint32_t s : order) {
    for (const std::uint32_t child : tree.switches[s].children) {
      const std::uint64_t up = lanes[child] * 1000 / rates.oversubscription_permille / parents[child];
      const auto width = static_cast<std::uint32_t>(std::max<std::uint64_t>(up, 1));
      cables.push_back({child, 0, s, 0, {width, rates.host_link.speed}, true});
      lanes[s] += width;
    }
    lanes[s] += tree.switches[s].hosts.size() * rates.host_link.lanes;
  }
  // Hosts in the order of the tree's list, whatever switch they are on.
  std::vector<std::uint32_t> on_switch(tree.hosts.size(), 0);
  std::vector<bool> is_placed(tree.hosts.size(), false);
  for (std::uint32_t s = 0; s < tree.switches.size(); ++s) {
    for (const std::uint32_t host : tree.switches[s].hosts) {
      if (is_placed[host]) {
        return fail(Code::invalid, "host \"" + tree.hosts[host] + "\" is on the switches \"" +
                                       tree.switches[on_switch[host]].name + "\" and \"" + tree.switches[s].name +
                                       "\"; one of them is right");
      }
      is_placed[host] = true;
      on_switch[host] = s;
    }
  }
  for (std::uint32_t host = 0; host < tree.hosts.size(); ++host) {
    if (!is_placed[host]) return fail(Code::invalid, "host \"" + tree.hosts[host] + "\" is on no switch");
    const std::uint32_t s = on_switch[host];
    const FabricHca hca{.name = {}, .on_switch = s, .switch_port = next_port[s]++, .link = rates.host_link};
    if (const auto added = builder.add_hca(hca, tree.hosts[host]); !added) return unexpected(added.error());
  }
  for (FabricCable& cable : cables) {
    cable.port_a = next_port[cable.a]++;
    cable.port_b = next_port[cable.b]++;
    if (const Status joined = builder.connect(cable); !joined) return unexpected(joined.error());
  }
  return builder.build();
}

}  // namespace virga
