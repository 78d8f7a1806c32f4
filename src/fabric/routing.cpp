#include "fabric/routing.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <tuple>

namespace virga {
namespace {

constexpr std::uint32_t k_far = std::numeric_limits<std::uint32_t>::max();

/// Cables from one switch to those of another level. `rank` counts cables between the same two switches.
struct Way {
  std::uint32_t rank = 0;
  std::uint32_t peer = 0;
  std::uint32_t port = 0;
};

struct Ways {
  std::vector<std::vector<Way>> up;  ///< by (rank, peer): neighbours in it lead to different switches
  std::vector<std::vector<Way>> down;
  std::vector<std::vector<Way>> any;  ///< those of one level, too
};

void rank_and_sort(std::vector<Way>& ways) {
  std::sort(ways.begin(), ways.end(),
            [](const Way& a, const Way& b) { return std::tie(a.peer, a.port) < std::tie(b.peer, b.port); });
  for (std::size_t i = 1; i < ways.size(); ++i) {
    if (ways[i].peer == ways[i - 1].peer) ways[i].rank = ways[i - 1].rank + 1;
  }
  std::sort(ways.begin(), ways.end(),
            [](const Way& a, const Way& b) { return std::tie(a.rank, a.peer) < std::tie(b.rank, b.peer); });
}

Ways ways_of(const FabricGraph& graph) {
  Ways ways;
  ways.up.resize(graph.switches().size());
  ways.down.resize(graph.switches().size());
  ways.any.resize(graph.switches().size());
  for (const FabricCable& c : graph.cables()) {
    ways.any[c.a].push_back({0, c.b, c.port_a});
    ways.any[c.b].push_back({0, c.a, c.port_b});
    const std::uint32_t level_a = graph.switches()[c.a].level;
    const std::uint32_t level_b = graph.switches()[c.b].level;
    if (level_a == level_b) continue;  // neither up nor down: no way of a tree
    auto& of_a = level_a < level_b ? ways.up[c.a] : ways.down[c.a];
    auto& of_b = level_a < level_b ? ways.down[c.b] : ways.up[c.b];
    of_a.push_back({0, c.b, c.port_a});
    of_b.push_back({0, c.a, c.port_b});
  }
  for (auto* side : {&ways.up, &ways.down, &ways.any}) {
    for (auto& of_switch : *side) rank_and_sort(of_switch);
  }
  return ways;
}

/// What the digits of destinations are taken from.
struct Digits {
  std::vector<std::uint64_t> weight;  ///< by level: the product of the radices below
  std::vector<std::uint32_t> radix;   ///< by level: the most uplinks of a switch
  std::vector<std::uint32_t> peers;   ///< by level: how many switches these lead to
};

Digits digits_of(const FabricGraph& graph, const Ways& ways) {
  Digits digits;
  digits.radix.assign(graph.levels() + 1, 1);
  digits.peers.assign(graph.levels() + 1, 1);
  digits.weight.assign(graph.levels() + 2, 1);
  for (std::uint32_t s = 0; s < ways.up.size(); ++s) {
    const std::uint32_t level = graph.switches()[s].level;
    const auto first_rank =
        std::count_if(ways.up[s].begin(), ways.up[s].end(), [](const Way& way) { return way.rank == 0; });
    digits.radix[level] = std::max(digits.radix[level], static_cast<std::uint32_t>(ways.up[s].size()));
    digits.peers[level] = std::max(digits.peers[level], static_cast<std::uint32_t>(first_rank));
  }
  for (std::uint32_t level = 1; level <= graph.levels(); ++level) {
    digits.weight[level + 1] = digits.weight[level] * digits.radix[level];
  }
  return digits;
}

/// For one leaf as destination: which ports of which switches lead there by the shortest way.
class LeafRoutes {
 public:
  LeafRoutes(const FabricGraph& graph, const Ways& ways, const Digits& digits)
      : graph_(graph), ways_(ways), digits_(digits), by_level_(graph.switches().size()) {
    std::iota(by_level_.begin(), by_level_.end(), 0);
    std::stable_sort(by_level_.begin(), by_level_.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return level(a) < level(b); });
  }

  void route(std::uint32_t leaf, const std::vector<std::uint32_t>& hcas, ForwardingTables& tables) {
    measure(leaf);
    std::vector<std::vector<std::uint32_t>> digit_of(graph_.levels() + 1);  // by level, then as in `hcas`
    for (std::uint32_t at = 0; at <= graph_.levels(); ++at) {
      for (const std::uint32_t hca : hcas) {
        const std::uint64_t digit = (tables.destination(hca) / digits_.weight[at]) % digits_.radix[at];
        digit_of[at].push_back(static_cast<std::uint32_t>(digit));
      }
    }
    for (const std::uint32_t s : by_level_) {
      if (s == leaf) {
        for (const std::uint32_t hca : hcas) tables.set(s, hca, graph_.hcas()[hca].switch_port);
        continue;
      }
      const bool is_above = below_[s] != k_far;
      candidates(s, is_above);
      if (candidates_.empty()) continue;
      // The way down mirrors the way up: of several cables to a child, the one that the child would use upwards.
      const std::vector<std::uint32_t>& digit = digit_of[is_above ? level(s) - 1 : level(s)];
      const std::uint32_t shared = is_above ? digits_.peers[level(s) - 1] : 1;
      const auto count = static_cast<std::uint32_t>(candidates_.size());
      for (std::size_t i = 0; i < hcas.size(); ++i) {
        const std::uint32_t choice = digit[i] / shared;
        tables.set(s, hcas[i], candidates_[choice < count ? choice : choice % count]);
      }
    }
  }

 private:
  std::uint32_t level(std::uint32_t s) const { return graph_.switches()[s].level; }

  /// below_: cables of the way down only; far_: of the shortest way that goes up first.
  void measure(std::uint32_t leaf) {
    below_.assign(by_level_.size(), k_far);
    below_[leaf] = 0;
    for (const std::uint32_t s : by_level_) {
      for (const Way& way : ways_.down[s]) {
        if (below_[way.peer] != k_far) below_[s] = std::min(below_[s], below_[way.peer] + 1);
      }
    }
    far_ = below_;
    for (auto s = by_level_.rbegin(); s != by_level_.rend(); ++s) {
      if (below_[*s] != k_far) continue;
      for (const Way& way : ways_.up[*s]) {
        if (far_[way.peer] != k_far) far_[*s] = std::min(far_[*s], far_[way.peer] + 1);
      }
    }
    measure_rest();
  }

  /// Who has no way up and down goes to the nearest switch that has one.
  void measure_rest() {
    rest_.clear();
    for (const std::uint32_t s : by_level_) {
      if (far_[s] != k_far) rest_.push_back(s);
    }
    if (rest_.size() == by_level_.size()) return;
    std::stable_sort(rest_.begin(), rest_.end(), [&](std::uint32_t a, std::uint32_t b) { return far_[a] < far_[b]; });
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      for (const Way& way : ways_.any[rest_[i]]) {
        if (far_[way.peer] != k_far) continue;
        far_[way.peer] = far_[rest_[i]] + 1;
        rest_.push_back(way.peer);
      }
    }
  }

  void candidates(std::uint32_t s, bool is_above) {
    candidates_.clear();
    if (far_[s] == k_far) return;
    add_candidates(s, is_above ? ways_.down[s] : ways_.up[s], is_above ? below_ : far_);
    if (candidates_.empty()) add_candidates(s, ways_.any[s], far_);
  }
  void add_candidates(std::uint32_t s, const std::vector<Way>& ways, const std::vector<std::uint32_t>& distance) {
    for (const Way& way : ways) {
      if (distance[way.peer] != k_far && distance[way.peer] + 1 == far_[s]) candidates_.push_back(way.port);
    }
  }

  const FabricGraph& graph_;
  const Ways& ways_;
  const Digits& digits_;
  std::vector<std::uint32_t> by_level_;
  std::vector<std::uint32_t> below_;
  std::vector<std::uint32_t> far_;
  std::vector<std::uint32_t> candidates_;
  std::vector<std::uint32_t> rest_;
};

}  // namespace

Result<ForwardingTables> ForwardingTables::sized_for(const FabricGraph& graph) {
  ForwardingTables tables;
  const std::vector<FabricHca>& hcas = graph.hcas();
  const std::uint64_t entries = std::uint64_t{hcas.size()} * graph.switches().size();
  if (entries > k_forwarding_entries_max) {
    return fail(Code::exhausted, std::to_string(graph.switches().size()) + " switches times " +
                                     std::to_string(hcas.size()) + " HCAs are too many forwarding entries; at most " +
                                     std::to_string(k_forwarding_entries_max));
  }
  // Without gaps, so that leaves that are not full spread evenly, too.
  std::vector<std::uint32_t> order(hcas.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(hcas[a].on_switch, hcas[a].switch_port) < std::tie(hcas[b].on_switch, hcas[b].switch_port);
  });
  tables.destination_.resize(hcas.size());
  for (std::uint32_t number = 0; number < order.size(); ++number) tables.destination_[order[number]] = number;
  tables.ports_.assign(entries, 0);
  return tables;
}

Result<ForwardingTables> route_d_mod_k(const FabricGraph& graph) {
  Result<ForwardingTables> tables = ForwardingTables::sized_for(graph);
  if (!tables) return tables;
  const Ways ways = ways_of(graph);
  const Digits digits = digits_of(graph, ways);
  std::vector<std::vector<std::uint32_t>> hcas_of(graph.switches().size());
  for (std::uint32_t hca = 0; hca < graph.hcas().size(); ++hca) hcas_of[graph.hcas()[hca].on_switch].push_back(hca);
  LeafRoutes routes(graph, ways, digits);
  for (std::uint32_t s = 0; s < hcas_of.size(); ++s) {
    if (!hcas_of[s].empty()) routes.route(s, hcas_of[s], *tables);
  }
  return tables;
}

Result<std::vector<Hop>> path_of(const FabricGraph& graph, const ForwardingTables& tables, std::uint32_t from,
                                 std::uint32_t to) {
  std::vector<Hop> path;
  if (from == to) return path;
  const auto no_way = [&](const std::string& why) {
    return fail(Code::invalid, "no way from " + hca_text(graph, from) + " to " + hca_text(graph, to) + ": " + why);
  };
  std::uint32_t at = graph.hcas()[from].on_switch;
  while (path.size() < k_path_hops_max) {
    const std::string& name = graph.switches()[at].name;
    const std::uint32_t port = tables.port(at, to);
    if (port == 0) return no_way("switch " + name + " has no entry");
    const FabricPeer peer = graph.peer(at, port);
    path.push_back({at, port});
    if (peer.kind == FabricPeer::Kind::hca && peer.index == to) return path;
    if (peer.kind != FabricPeer::Kind::fabric_switch) {
      return no_way("port " + std::to_string(port) + " of switch " + name + " does not lead there");
    }
    at = peer.index;
  }
  return no_way("the forwarding tables go in a circle");
}

}  // namespace virga
