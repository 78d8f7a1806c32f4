// What a routed fabric is worth for a set of hosts: how busy its links get, how much passes between two halves.
//
//   Result<AllToAll> all = load_all_to_all(graph, tables, hcas_of(graph, hosts));
//   WorstLink worst = worst_link(graph, all->loads);        // 480 flows, slow-down 1000: as fast as the hosts can send
//   Result<LinkLoads> ring = load_pairs(graph, tables, ring_pairs(graph, hosts));
//   bisection(graph, hosts).mbps;                           // Mb/s, one direction
//
// A flow is one message under way at the same time as all others of its pattern, all of one size. The load of a link is
// the number of flows that cross it, one direction. A pattern's slow-down is the time that its worst link needs over
// the time that the hosts' own links need, times 1000: 1000 is the best there is.
//
// Patterns: all-to-all is every HCA to every other one. The ring goes once around the hosts, on every rail by itself
// (rail r of a host sends to rail r of the next), which is what NCCL's rings put on the wire; who lacks the rail sends
// and gets on its last one.
//
// The bisection takes the hosts in the order in which they lie in the tree (that of their switches), and computes the
// largest flow from the first half into the second (Dinic, "Algorithm for solution of a problem of maximum flow",
// 1970): what routing could reach at best. On fat trees this is the smallest cut that halves the hosts; on other graphs
// it is an upper bound of it.
//
// Errors: Code::invalid, a pair of HCAs without a way.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "fabric/graph.hpp"
#include "fabric/routing.hpp"

namespace virga {

struct LinkLoads {
  std::vector<std::uint64_t> out_of_port;  ///< by FabricGraph::port_number(): what leaves a switch there
  std::vector<std::uint64_t> out_of_hca;   ///< by HCA: what it sends
};

struct AllToAll {
  LinkLoads loads;
  std::vector<std::uint64_t> pairs_by_cables;  ///< [4]: pairs of HCAs, in each direction, that are 4 cables apart
};

/// The link that its pattern waits for; of several the first: switches' links between each other come before hosts'.
struct WorstLink {
  bool out_of_hca = false;
  std::uint32_t index = 0;  ///< of the switch, or of the HCA
  std::uint32_t port = 0;   ///< of the switch
  std::uint64_t flows = 0;
  std::uint64_t mbps = 0;
  std::uint64_t slow_down_permille = 1000;
};

struct Bisection {
  std::uint64_t mbps = 0;
  std::uint64_t hosts_mbps = 0;  ///< what the hosts of the smaller half send at most
};

using HcaPair = std::pair<std::uint32_t, std::uint32_t>;

std::vector<std::uint32_t> hcas_of(const FabricGraph& graph, std::span<const std::uint32_t> hosts);
std::vector<std::uint32_t> all_hosts(const FabricGraph& graph);
/// In the order in which they lie in the tree: by the switch and port of their first HCA.
std::vector<std::uint32_t> in_tree_order(const FabricGraph& graph, std::span<const std::uint32_t> hosts);
std::vector<HcaPair> ring_pairs(const FabricGraph& graph, std::span<const std::uint32_t> hosts);

Result<AllToAll> load_all_to_all(const FabricGraph& graph, const ForwardingTables& tables,
                                 std::span<const std::uint32_t> hcas);
Result<LinkLoads> load_pairs(const FabricGraph& graph, const ForwardingTables& tables, std::span<const HcaPair> pairs);
WorstLink worst_link(const FabricGraph& graph, const LinkLoads& loads);
/// The same among the cables between switches only; 0 flows if nothing crosses any.
WorstLink worst_switch_link(const FabricGraph& graph, const LinkLoads& loads);

Bisection bisection(const FabricGraph& graph, std::span<const std::uint32_t> hosts);

}  // namespace virga
