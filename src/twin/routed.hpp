// Collectives of several jobs at once, on a fabric whose links they share.
//
//   const Result<FabricGraph> graph = build_fat_tree({.hosts = 2048, .leaf_oversubscription_permille = 2000});
//   const Result<ForwardingTables> tables = route_d_mod_k(*graph);
//   const RoutedJob jobs[] = {{.hosts = {0, 40, 1, 41}}, {.hosts = {2, 42, 3, 43}}};
//   routed_estimates(*graph, *tables, jobs, Collective::all_reduce, 1 << 30, net);    // one estimate for each
//
// In a ring, and in the hierarchical algorithm's rings over the rails, each host sends to the next one through all of
// its HCAs (fabric/measures.hpp: ring_pairs), all the time and all at the same rate, so one solution of max_min_rates
// holds for the whole collective, and the slowest of a job's flows sets its pace. That rate takes the NIC's place in
// the closed form (twin/collective.hpp). The jobs are taken to be in their collectives at the same time for all of it:
// the worst case. Flows go the one way that the forwarding tables have for their destination, as InfiniBand routes
// them. Other algorithms: infinite.
//
// Links are the ports that switches send by, and the HCAs'. Rates are bytes/s.
//
// Errors: Code::invalid, a pair of HCAs without a way.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "fabric/routing.hpp"
#include "twin/collective.hpp"

namespace virga {

struct RoutedJob {
  std::vector<std::uint32_t> hosts;  ///< in the order of the ranks; each once, and only hosts of the graph
  Algorithm algorithm = Algorithm::ring;
};

/// The rate of each job's slowest flow. A job on one host needs no network: infinite.
Result<std::vector<double>> routed_nic_rates(const FabricGraph& graph, const ForwardingTables& tables,
                                             std::span<const RoutedJob> jobs);

/// Each job's time, with as many ranks on a host as its first one has HCAs.
Result<std::vector<CollectiveEstimate>> routed_estimates(const FabricGraph& graph, const ForwardingTables& tables,
                                                         std::span<const RoutedJob> jobs, Collective collective,
                                                         double bytes, const Net& net);

}  // namespace virga
