#include "fabric/measures.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "fabric/max_flow.hpp"

namespace virga {
namespace {

using Wide = unsigned __int128;

LinkLoads no_loads(const FabricGraph& graph) {
  return {std::vector<std::uint64_t>(graph.ports_total(), 0), std::vector<std::uint64_t>(graph.hcas().size(), 0)};
}

/// flows / mbps, without dividing.
bool is_slower(const WorstLink& a, const WorstLink& b) {
  return b.mbps == 0 || Wide{a.flows} * b.mbps > Wide{b.flows} * a.mbps;
}

/// Of the cables between switches, and of those to hosts.
std::pair<WorstLink, WorstLink> worst_of(const FabricGraph& graph, const LinkLoads& loads) {
  WorstLink of_switches;
  WorstLink of_hosts;
  for (std::uint32_t s = 0; s < graph.switches().size(); ++s) {
    for (std::uint32_t port = 1; port <= graph.switches()[s].ports; ++port) {
      const FabricPeer peer = graph.peer(s, port);
      if (peer.kind == FabricPeer::Kind::none) continue;
      const WorstLink link{false, s, port, loads.out_of_port[graph.port_number(s, port)], peer.link.mbps()};
      WorstLink& of = peer.kind == FabricPeer::Kind::hca ? of_hosts : of_switches;
      if (is_slower(link, of)) of = link;
    }
  }
  for (std::uint32_t hca = 0; hca < graph.hcas().size(); ++hca) {
    const WorstLink link{true, hca, 0, loads.out_of_hca[hca], graph.hcas()[hca].link.mbps()};
    if (is_slower(link, of_hosts)) of_hosts = link;
  }
  if (of_hosts.flows > 0 && of_switches.mbps > 0) {
    of_switches.slow_down_permille = static_cast<std::uint64_t>(Wide{of_switches.flows} * of_hosts.mbps * 1000 /
                                                                (Wide{of_hosts.flows} * of_switches.mbps));
  }
  return {of_switches, of_hosts};
}

/// HCAs of a set that hang on one switch.
struct Senders {
  std::uint32_t first = 0;
  std::uint64_t count = 0;
};

}  // namespace

std::vector<std::uint32_t> hcas_of(const FabricGraph& graph, std::span<const std::uint32_t> hosts) {
  std::vector<std::uint32_t> hcas;
  for (const std::uint32_t host : hosts) {
    const auto& of_host = graph.hosts()[host].hcas;
    hcas.insert(hcas.end(), of_host.begin(), of_host.end());
  }
  return hcas;
}

std::vector<std::uint32_t> all_hosts(const FabricGraph& graph) {
  std::vector<std::uint32_t> hosts(graph.hosts().size());
  std::iota(hosts.begin(), hosts.end(), 0);
  return hosts;
}

std::vector<std::uint32_t> in_tree_order(const FabricGraph& graph, std::span<const std::uint32_t> hosts) {
  std::vector<std::uint32_t> order(hosts.begin(), hosts.end());
  const auto place = [&](std::uint32_t host) {
    const FabricHca& first = graph.hcas()[graph.hosts()[host].hcas.front()];
    return std::tuple(first.on_switch, first.switch_port, host);
  };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return place(a) < place(b); });
  return order;
}

std::vector<HcaPair> ring_pairs(const FabricGraph& graph, std::span<const std::uint32_t> hosts) {
  std::vector<HcaPair> pairs;
  if (hosts.size() < 2) return pairs;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    const auto& from = graph.hosts()[hosts[i]].hcas;
    const auto& to = graph.hosts()[hosts[(i + 1) % hosts.size()]].hcas;
    for (std::size_t rail = 0; rail < from.size(); ++rail) {
      pairs.emplace_back(from[rail], to[std::min(rail, to.size() - 1)]);
    }
  }
  return pairs;
}

Result<AllToAll> load_all_to_all(const FabricGraph& graph, const ForwardingTables& tables,
                                 std::span<const std::uint32_t> hcas) {
  AllToAll all{no_loads(graph), {}};
  std::map<std::uint32_t, Senders> senders;
  for (const std::uint32_t hca : hcas) {
    Senders& on_switch = senders.try_emplace(graph.hcas()[hca].on_switch, Senders{hca, 0}).first->second;
    ++on_switch.count;
    all.loads.out_of_hca[hca] = hcas.size() - 1;
  }
  // Destinations that are neighbours in the tables follow each other: that is what the cache likes.
  std::vector<std::uint32_t> destinations(hcas.begin(), hcas.end());
  std::sort(destinations.begin(), destinations.end(),
            [&](std::uint32_t a, std::uint32_t b) { return tables.destination(a) < tables.destination(b); });
  // Whoever hangs on one switch goes the same way to a destination: one walk for all of them.
  for (const std::uint32_t to : destinations) {
    for (const auto& [on_switch, group] : senders) {
      const bool is_own = on_switch == graph.hcas()[to].on_switch;
      const std::uint64_t count = group.count - (is_own ? 1 : 0);
      if (count == 0) continue;
      std::uint32_t at = on_switch;
      std::size_t cables = 1;
      for (;; ++cables) {
        const std::uint32_t port = tables.port(at, to);
        const FabricPeer peer = graph.peer(at, port);
        const bool is_there = peer.kind == FabricPeer::Kind::hca && peer.index == to;
        if (cables > k_path_hops_max || (peer.kind != FabricPeer::Kind::fabric_switch && !is_there)) {
          const auto path = path_of(graph, tables, group.first, to);
          return path ? fail(Code::invalid, "no way to " + hca_text(graph, to)) : unexpected(path.error());
        }
        all.loads.out_of_port[graph.port_number(at, port)] += count;
        if (is_there) break;
        at = peer.index;
      }
      if (all.pairs_by_cables.size() <= cables + 1) all.pairs_by_cables.resize(cables + 2, 0);
      all.pairs_by_cables[cables + 1] += count;
    }
  }
  return all;
}

Result<LinkLoads> load_pairs(const FabricGraph& graph, const ForwardingTables& tables, std::span<const HcaPair> pairs) {
  LinkLoads loads = no_loads(graph);
  for (const auto& [from, to] : pairs) {
    const auto path = path_of(graph, tables, from, to);
    if (!path) return unexpected(path.error());
    if (!path->empty()) ++loads.out_of_hca[from];
    for (const Hop& hop : *path) ++loads.out_of_port[graph.port_number(hop.fabric_switch, hop.port)];
  }
  return loads;
}

WorstLink worst_switch_link(const FabricGraph& graph, const LinkLoads& loads) { return worst_of(graph, loads).first; }

WorstLink worst_link(const FabricGraph& graph, const LinkLoads& loads) {
  const auto [of_switches, of_hosts] = worst_of(graph, loads);
  return of_switches.flows == 0 || is_slower(of_hosts, of_switches) ? of_hosts : of_switches;
}

Bisection bisection(const FabricGraph& graph, std::span<const std::uint32_t> hosts) {
  const std::vector<std::uint32_t> order = in_tree_order(graph, hosts);
  const auto source = static_cast<std::uint32_t>(graph.switches().size());
  MaxFlow network(source + 2);
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> joined;
  for (const FabricCable& c : graph.cables()) joined[{c.a, c.b}] += c.link.mbps();
  std::uint64_t half_mbps[2] = {0, 0};
  for (std::size_t i = 0; i < order.size(); ++i) {
    const std::uint32_t half = i < order.size() / 2 ? 0 : 1;
    for (const std::uint32_t hca : graph.hosts()[order[i]].hcas) {
      joined[{graph.hcas()[hca].on_switch, source + half}] += graph.hcas()[hca].link.mbps();
      half_mbps[half] += graph.hcas()[hca].link.mbps();
    }
  }
  for (const auto& [ends, mbps] : joined) network.join(ends.first, ends.second, mbps);
  return {network.flow(source, source + 1), std::min(half_mbps[0], half_mbps[1])};
}

}  // namespace virga
