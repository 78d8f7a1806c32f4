#include "twin/spread_time.hpp"

#include <algorithm>
#include <string_view>

#include "twin/constants.hpp"

namespace virga::twin {

namespace {

double latency_of(const char* kind) {
  for (const NetworkConstants& network : k_networks) {
    if (kind != nullptr && std::string_view(kind) == network.kind) return network.latency_s;
  }
  return k_infiniband_ndr.latency_s;
}

/// How many of the hops of a ring leave something of which there are `count`.
std::uint32_t crossings(std::uint32_t count) { return count > 1 ? count : 0; }

}  // namespace

Duration duration_from(double seconds) {
  constexpr double k_longest_s = 9e9;  // what 63 bits of nanoseconds hold
  if (!(seconds < k_longest_s)) return Duration::infinite();
  return {static_cast<std::int64_t>(seconds * 1e9 + 0.5)};
}

/// Nodes of a rack are spread evenly over the leaves, as far as the formula is concerned.
std::uint32_t SpreadTime::ranks_per_domain(const Spread& spread, std::uint32_t gpus) const {
  if (system_->domain <= system_->gpus_per_node) return std::min(gpus, std::max(system_->domain, 1U));
  const std::uint32_t leaves = std::max(spread.leaves, 1U);
  const std::uint32_t of_leaf = (spread.nodes + leaves - 1) / leaves;
  return std::min(of_leaf, system_->domain / system_->gpus_per_node) * gpus;
}

double SpreadTime::taper(const Spread& spread) const {
  double product = 1;
  if (spread.leaves > 1) product *= tapers_.leaf_permille / 1000.0;
  if (spread.spines > 1) product *= tapers_.spine_permille / 1000.0;
  if (spread.pods > 1) product *= tapers_.pod_permille / 1000.0;
  return product;
}

Duration SpreadTime::all_reduce(const Spread& spread, std::uint32_t gpus, std::uint64_t bytes) const {
  if (spread.nodes == 0) return {};
  RankGroup group{.ranks = spread.nodes, .ranks_per_domain = 1};
  Net net{.nic_bytes_s = k_infiniband_hdr.nic_bytes_s, .kind = k_infiniband_hdr.kind};
  if (system_ != nullptr) {
    gpus = std::max(gpus, 1U);
    group = {.ranks = spread.nodes * gpus, .ranks_per_domain = ranks_per_domain(spread, gpus)};
    net = system_->net();
    if (!(net.nic_bytes_s > 0)) net.nic_bytes_s = k_no_network_bytes_s;
  }
  const auto size = static_cast<double>(bytes);
  const CollectiveEstimate below_one_leaf = collective_estimate(Collective::all_reduce, group, size, net);
  const double crossed = crossings(spread.leaves) + crossings(spread.spines) + crossings(spread.pods);
  if (crossed == 0) return duration_from(below_one_leaf.seconds);
  net.nic_latency_s = latency_of(net.kind) + 2 * k_switch_latency_s * crossed / spread.nodes;
  net.taper = taper(spread);
  const CollectiveOptions same{.algorithm = below_one_leaf.algorithm, .protocol = below_one_leaf.protocol};
  return duration_from(collective_estimate(Collective::all_reduce, group, size, net, same).seconds);
}

}  // namespace virga::twin
