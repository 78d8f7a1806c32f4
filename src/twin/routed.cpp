#include "twin/routed.hpp"

#include <algorithm>
#include <limits>

#include "twin/flow.hpp"

namespace virga {
namespace {

void add_ring(const FatTree& tree, const RoutedJob& job, Routing routing, FlowPaths& flows) {
  const std::size_t size = job.nodes.size();
  for (std::size_t i = 0; i < size; ++i) {
    for (std::uint32_t rail = 0; rail < tree.shape().rails; ++rail) {
      flows.add(tree.route({job.nodes[i], rail}, {job.nodes[(i + 1) % size], rail}, routing));
    }
  }
}

}  // namespace

std::vector<double> routed_nic_rates(const FatTree& tree, std::span<const RoutedJob> jobs, Routing routing) {
  FlowPaths flows;
  std::vector<std::size_t> ends;
  for (const RoutedJob& job : jobs) {
    add_ring(tree, job, routing, flows);
    ends.push_back(flows.size());
  }
  const std::vector<double> rates = max_min_rates(tree.capacities(), flows);
  std::vector<double> slowest;
  std::size_t flow = 0;
  for (const std::size_t end : ends) {
    double least = std::numeric_limits<double>::infinity();
    for (; flow < end; ++flow) least = std::min(least, rates[flow]);
    slowest.push_back(least);
  }
  return slowest;
}

std::vector<CollectiveEstimate> routed_estimates(const FatTree& tree, std::span<const RoutedJob> jobs,
                                                 Collective collective, double bytes, const Net& net, Routing routing) {
  const std::vector<double> rates = routed_nic_rates(tree, jobs, routing);
  std::vector<CollectiveEstimate> estimates;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const std::uint32_t rails = tree.shape().rails;
    const RankGroup group{.ranks = std::uint32_t(jobs[i].nodes.size()) * rails, .ranks_per_domain = rails};
    Net own = net;
    own.taper = 1;  // the tree's links have it
    own.nic_bytes_s = std::min(rates[i], tree.shape().nic_bytes_s);
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
