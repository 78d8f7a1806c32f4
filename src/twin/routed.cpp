#include "twin/routed.hpp"

#include <algorithm>
#include <limits>

#include "fabric/measures.hpp"
#include "twin/flow.hpp"

namespace virga {
namespace {

double bytes_per_second(const Link& link) { return static_cast<double>(link.mbps()) * 1e6 / 8; }

/// By link: what leaves each port of each switch, then what each HCA sends.
std::vector<double> capacities_of(const FabricGraph& graph) {
  std::vector<double> capacities;
  capacities.reserve(graph.ports_total() + graph.hcas().size());
  for (std::uint32_t s = 0; s < graph.switches().size(); ++s) {
    for (std::uint32_t port = 1; port <= graph.switches()[s].ports; ++port) {
      const FabricPeer peer = graph.peer(s, port);
      capacities.push_back(peer.kind == FabricPeer::Kind::none ? 0 : bytes_per_second(peer.link));
    }
  }
  for (const FabricHca& hca : graph.hcas()) capacities.push_back(bytes_per_second(hca.link));
  return capacities;
}

Status add_ring(const FabricGraph& graph, const ForwardingTables& tables, const RoutedJob& job, FlowPaths& flows) {
  std::vector<std::uint32_t> links;
  for (const auto& [from, to] : ring_pairs(graph, job.hosts)) {
    const auto path = path_of(graph, tables, from, to);
    if (!path) return unexpected(path.error());
    links.assign(1, graph.ports_total() + from);
    for (const Hop& hop : *path) links.push_back(graph.port_number(hop.fabric_switch, hop.port));
    flows.add(links);
  }
  return {};
}

}  // namespace

Result<std::vector<double>> routed_nic_rates(const FabricGraph& graph, const ForwardingTables& tables,
                                             std::span<const RoutedJob> jobs) {
  FlowPaths flows;
  std::vector<std::size_t> ends;
  for (const RoutedJob& job : jobs) {
    if (const Status added = add_ring(graph, tables, job, flows); !added) return unexpected(added.error());
    ends.push_back(flows.size());
  }
  const std::vector<double> rates = max_min_rates(capacities_of(graph), flows);
  std::vector<double> slowest;
  std::size_t flow = 0;
  for (const std::size_t end : ends) {
    double least = std::numeric_limits<double>::infinity();
    for (; flow < end; ++flow) least = std::min(least, rates[flow]);
    slowest.push_back(least);
  }
  return slowest;
}

Result<std::vector<CollectiveEstimate>> routed_estimates(const FabricGraph& graph, const ForwardingTables& tables,
                                                         std::span<const RoutedJob> jobs, Collective collective,
                                                         double bytes, const Net& net) {
  const Result<std::vector<double>> rates = routed_nic_rates(graph, tables, jobs);
  if (!rates) return unexpected(rates.error());
  std::vector<CollectiveEstimate> estimates;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const FabricHost& first = graph.hosts()[jobs[i].hosts.front()];
    const auto rails = static_cast<std::uint32_t>(first.hcas.size());
    const RankGroup group{.ranks = static_cast<std::uint32_t>(jobs[i].hosts.size()) * rails, .ranks_per_domain = rails};
    Net own = net;
    own.taper = 1;  // the links have it
    own.nic_bytes_s = std::min((*rates)[i], bytes_per_second(graph.hcas()[first.hcas.front()].link));
    const bool rings = jobs[i].algorithm == Algorithm::ring || jobs[i].algorithm == Algorithm::hierarchical;
    if (rings) {
      estimates.push_back(collective_estimate(collective, group, bytes, own, {.algorithm = jobs[i].algorithm}));
    } else {
      estimates.push_back({.seconds = std::numeric_limits<double>::infinity(), .algorithm = jobs[i].algorithm});
    }
  }
  return estimates;
}

}  // namespace virga
