#include "brain/place/collective_time.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "twin/constants.hpp"

namespace virga {

namespace {

double latency_of(const char* kind) {
  for (const NetworkConstants& network : k_networks) {
    if (kind != nullptr && std::string_view(kind) == network.kind) return network.latency_s;
  }
  return k_infiniband_ndr.latency_s;
}

/// How many of the hops of a ring leave something of which there are `count`.
std::uint32_t crossings(std::uint32_t count) { return count > 1 ? count : 0; }

std::string counted(std::uint32_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

Duration duration_from(double seconds) {
  constexpr double k_longest_s = 9e9;  // what 63 bits of nanoseconds hold
  if (!(seconds < k_longest_s)) return Duration::infinite();
  return {static_cast<std::int64_t>(seconds * 1e9 + 0.5)};
}

Spread spread_of(const Fabric& fabric, std::span<const std::uint32_t> slots) {
  Spread spread{.nodes = static_cast<std::uint32_t>(slots.size()), .leaves = 0, .spines = 0, .pods = 0};
  constexpr std::uint32_t k_no = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t leaf = k_no;
  std::uint32_t spine = k_no;
  std::uint32_t pod = k_no;
  for (const std::uint32_t slot : slots) {
    if (fabric.leaf(slot) == leaf) continue;
    leaf = fabric.leaf(slot);
    ++spread.leaves;
    if (fabric.spine_of(leaf) == spine) continue;
    spine = fabric.spine_of(leaf);
    ++spread.spines;
    if (fabric.pod_of(spine) == pod) continue;
    pod = fabric.pod_of(spine);
    ++spread.pods;
  }
  return spread;
}

std::string words_of(const Spread& spread) {
  std::string words = counted(spread.leaves, "leaf", "leaves");
  if (spread.leaves > 1) words += " below " + counted(spread.spines, "spine", "spines");
  if (spread.pods > 1) words += " of " + counted(spread.pods, "pod", "pods");
  return words;
}

const twin::System* system_of(const Sku& sku) {
  if (const twin::System* system = twin::find_system(sku.name)) return system;
  const twin::Gpu* gpu = sku.gpu_model.empty() ? nullptr : twin::find_gpu(sku.gpu_model);
  return gpu == nullptr ? nullptr : twin::find_system_of(*gpu);
}

CollectiveTime::CollectiveTime(const Pool& pool) : system_(system_of(pool.sku)), fabric_(pool.fabric) {}

/// Nodes of a rack are spread evenly over the leaves, as far as the formula is concerned.
std::uint32_t CollectiveTime::ranks_per_domain(const Spread& spread, std::uint32_t gpus) const {
  if (system_->domain <= system_->gpus_per_node) return std::min(gpus, std::max(system_->domain, 1U));
  const std::uint32_t of_leaf = (spread.nodes + spread.leaves - 1) / std::max(spread.leaves, 1U);
  return std::min(of_leaf, system_->domain / system_->gpus_per_node) * gpus;
}

double CollectiveTime::taper(const Spread& spread) const {
  double product = 1;
  if (spread.leaves > 1) product *= fabric_.leaf_taper_permille / 1000.0;
  if (spread.spines > 1) product *= fabric_.spine_taper_permille / 1000.0;
  if (spread.pods > 1) product *= fabric_.pod_taper_permille / 1000.0;
  return product;
}

Duration CollectiveTime::all_reduce(const Spread& spread, std::uint32_t gpus, std::uint64_t bytes) const {
  if (spread.nodes == 0) return {};
  Group group{.ranks = spread.nodes, .ranks_per_domain = 1};
  Net net{.nic_bytes_s = k_infiniband_hdr.nic_bytes_s, .kind = k_infiniband_hdr.kind};
  if (system_ != nullptr) {
    gpus = std::max(gpus, 1U);
    group = {.ranks = spread.nodes * gpus, .ranks_per_domain = ranks_per_domain(spread, gpus)};
    net = system_->net();
    if (!(net.nic_bytes_s > 0)) net.nic_bytes_s = twin::k_no_network_bytes_s;
  }
  const auto size = static_cast<double>(bytes);
  // NCCL does not see the switches above the NICs: it chooses as if all nodes were below one leaf.
  const CollectiveEstimate below_one_leaf = collective_estimate(Collective::all_reduce, group, size, net);
  const double crossed = crossings(spread.leaves) + crossings(spread.spines) + crossings(spread.pods);
  net.nic_latency_s = latency_of(net.kind) + 2 * k_switch_latency_s * crossed / spread.nodes;
  net.taper = taper(spread);
  if (crossed == 0) return duration_from(below_one_leaf.seconds);
  const CollectiveOptions same{.algorithm = below_one_leaf.algorithm, .protocol = below_one_leaf.protocol};
  return duration_from(collective_estimate(Collective::all_reduce, group, size, net, same).seconds);
}

void CollectiveWish::note(Duration chosen, Duration other, std::string what) const {
  if (passed_over == nullptr || other == chosen) return;
  if (!passed_over->what.empty() && passed_over->other <= other) return;
  *passed_over = {std::move(what), bytes, chosen, other};
}

}  // namespace virga
