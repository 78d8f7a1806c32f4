#include "twin/shared_fabric.hpp"

#include <algorithm>
#include <string>

#include "base/prng.hpp"
#include "fabric/measures.hpp"
#include "twin/routed.hpp"

namespace virga::twin {
namespace {

constexpr std::uint64_t k_seed = 1;

}  // namespace

Result<double> nic_share(const SharedFabric& shared, std::uint32_t nodes) {
  const FabricGraph& graph = *shared.graph;
  const std::uint64_t jobs_count = std::uint64_t{shared.other_jobs} + 1;
  if (jobs_count * nodes > graph.hosts().size()) {
    return fail(Code::exhausted, std::to_string(graph.hosts().size()) + " hosts are too few for " +
                                     std::to_string(jobs_count) + (jobs_count == 1 ? " job of " : " jobs of ") +
                                     std::to_string(nodes) + " nodes");
  }
  if (nodes < 2) return 1.0;
  std::vector<std::uint32_t> order = in_tree_order(graph, all_hosts(graph));
  if (shared.scattered) Prng(k_seed).shuffle(order);
  std::vector<RoutedJob> jobs(jobs_count);
  for (std::size_t i = 0; i < jobs_count * nodes; ++i) jobs[i % jobs_count].hosts.push_back(order[i]);
  const Result<std::vector<double>> rates = routed_nic_rates(graph, *shared.tables, jobs);
  if (!rates) return unexpected(rates.error());
  double slowest_nic = 0;
  for (const std::uint32_t hca : hcas_of(graph, jobs.front().hosts)) {
    const double own = static_cast<double>(graph.hcas()[hca].link.mbps()) * 1e6 / 8;
    slowest_nic = slowest_nic > 0 ? std::min(slowest_nic, own) : own;
  }
  return std::min(1.0, *std::min_element(rates->begin(), rates->end()) / slowest_nic);
}

}  // namespace virga::twin
