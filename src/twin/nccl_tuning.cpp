#include "twin/nccl_tuning.hpp"

#include <limits>

namespace virga {
namespace {

constexpr double k_never = std::numeric_limits<double>::infinity();
constexpr double k_us = 1e-6;
constexpr double k_gb_s = 1e9;

struct ByProtocol {
  double ll;
  double ll128;
  double simple;

  constexpr double operator[](Protocol protocol) const {
    return protocol == Protocol::ll ? ll : protocol == Protocol::ll128 ? ll128 : simple;
  }
};

// Microseconds: of the start, of a hop through NVLink, of a hop through the network (without the NIC's own latency).
constexpr ByProtocol k_start_tree = {6.8, 14.0, 0};
constexpr ByProtocol k_start_ring = {6.6, 14.0, 8.4};
constexpr ByProtocol k_nvlink_tree = {0.6, 1.25, 28};
constexpr ByProtocol k_nvlink_ring = {0.6, 1.9, 3.4};
constexpr ByProtocol k_network_tree = {5.0, 8.5, 28};
constexpr ByProtocol k_network_ring = {2.7, 4.0, 14.0};
constexpr double k_nvlink_nvls = 23;
constexpr double k_network_nvls_tree = 14;
constexpr double k_nvlink_collnet = 3.7;
constexpr double k_network_collnet = 31;
constexpr double k_collnet_per_peer = 0.4;
constexpr double k_post = 1.0;  // a CPU core's work per message that is posted to a NIC
constexpr double k_post_simple = 3 * k_post;
constexpr double k_ring_plateau = 1.4;  // rings over several nodes wait for the slowest

// What NCCL believes of NVLS is such that NVLS is chosen from 5 ranks on Hopper, from 6 on Blackwell.
constexpr double k_nvls_of_ring = 0.64;
constexpr double k_nvls_of_ring_blackwell = 0.615;
constexpr double k_tree_share = 0.92;
constexpr double k_tree_ll_share = 1 / 3.8;
constexpr double k_nvls_tree_share = 5.0 / 6.0;
constexpr double k_ll_max_one_node = 87.7 * k_gb_s;
constexpr double k_ll_max_two_nodes = 39.0 * k_gb_s;
constexpr double k_ll_max_more_nodes = 20.4 * k_gb_s;

constexpr double k_direct_ll_bytes_max = 16384;  // to one peer

// A tree's share of its bandwidth at 64 B, 128 B … 256 MB.
constexpr std::size_t k_sizes = 23;
constexpr double k_tree_correction[3][k_sizes] = {
    {1, 1, 1, 1, .9, .8, .7, .7, .7, .7, .6, .5, .4, .4, .5, .6, .7, .8, .9, 1, 1, 1, 1},
    {1, 1, 1, 1, 1, .9, .8, .8, .8, .7, .6, .6, .6, .6, .6, .6, .8, .9, .9, .9, .9, 1, 1},
    {.9, .9, .9, .9, .9, .9, .9, .8, .7, .6, .6, .5, .5, .5, .5, .6, .7, .8, .7, .7, .8, .9, .9}};

double tree_correction(Protocol protocol, double bytes) {
  std::size_t size = 0;
  for (double reached = 128; reached <= bytes && size < k_sizes; reached *= 2) ++size;
  return size < k_sizes ? k_tree_correction[std::size_t(protocol)][size] : 1;
}

double ll_max(const CollectiveShape& shape) {
  if (shape.one_domain()) return k_ll_max_one_node;
  return shape.domains == 2 ? k_ll_max_two_nodes : k_ll_max_more_nodes;
}

/// Bandwidth of the rings' search: of NVLink, and of the NICs where the group leaves a domain.
double search_rate(const CollectiveShape& shape, const Net& net, double nics) {
  if (shape.one_domain()) return nccl_nvlink_rate(net);
  return shape.ranks_per_domain == 1 ? nics : std::min(nccl_nvlink_rate(net), nics);
}

double nvls_rate(const Net& net) {
  const double share = is_blackwell(net) ? k_nvls_of_ring_blackwell : k_nvls_of_ring;
  return nccl_nvlink_rate(net) * share;
}

double network_hop(double hop_us, Protocol protocol, const Net& net) {
  return hop_us * k_us + net.nic_latency_s * (protocol == Protocol::simple ? 2 : 1);
}

double ring_seconds(Collective collective, Protocol protocol, const CollectiveShape& shape, double bytes,
                    const Net& net) {
  const bool reduces_all = collective == Collective::all_reduce;
  const double steps = reduces_all ? 2 * (shape.ranks - 1) : shape.ranks - 1;
  const double crossings = shape.one_domain() ? 0 : reduces_all ? 2 * shape.domains : shape.domains - 1;
  double rate = search_rate(shape, net, domain_rate(shape, net));
  if (protocol == Protocol::ll) {
    rate = std::min(ll_max(shape), rate * (shape.one_domain() && !reduces_all ? 1.0 / 3 : 1.0 / 4));
  }
  if (protocol == Protocol::ll128) rate *= shape.ranks_per_domain < 2 ? 0.7 : 0.92;
  double hop = k_nvlink_ring[protocol] * k_us;
  if (!shape.one_domain()) hop = std::max(hop, (protocol == Protocol::simple ? k_post_simple : k_post) * k_us);
  const double inside = std::max(0.0, steps - crossings);
  double latency = k_start_ring[protocol] * k_us + inside * hop +
                   std::min(steps, crossings) * network_hop(k_network_ring[protocol], protocol, net);
  if (protocol == Protocol::simple && !shape.one_domain() && reduces_all) latency *= k_ring_plateau;
  return latency + bytes * steps / shape.ranks / rate;
}

double tree_seconds(Protocol protocol, const CollectiveShape& shape, double bytes, const Net& net) {
  // Between two nodes each of the two trees crosses the network in one direction only.
  double rate = search_rate(shape, net, domain_rate(shape, net) * (shape.domains == 2 ? 2 : 1)) * k_tree_share;
  if (protocol == Protocol::ll) rate = std::min(rate * k_tree_ll_share, ll_max(shape));
  if (protocol == Protocol::ll128) rate *= shape.one_domain() ? 7.0 / 9 : 120.0 / 128;
  const double latency =
      k_start_tree[protocol] * k_us + 2 * ((shape.ranks_per_domain - 1) * k_nvlink_tree[protocol] * k_us +
                                           shape.depth * network_hop(k_network_tree[protocol], protocol, net));
  return latency + bytes / (rate / 2 * tree_correction(protocol, bytes));
}

double nvls_tree_seconds(const CollectiveShape& shape, double bytes, const Net& net) {
  const double nics = domain_rate(shape, net) / (shape.domains > 2 ? 2 : 1);
  const double rate = std::min(nvls_rate(net), nics * k_nvls_tree_share);
  return k_nvlink_nvls * k_us + 2 * shape.depth * network_hop(k_network_nvls_tree, Protocol::simple, net) +
         bytes / rate;
}

double collnet_seconds(const CollectiveShape& shape, double bytes, const Net& net) {
  const double peers = shape.ranks_per_domain - 1;
  const double latency = 2 * (std::min(1.0, peers) * k_nvlink_collnet + peers * k_collnet_per_peer) * k_us +
                         network_hop(k_network_collnet, Protocol::simple, net);
  // NCCL halves its search's rate, as it does for trees, and takes 15 % off on Hopper.
  const double nvlink = shape.ranks_per_domain == 1 ? domain_rate(shape, net) : nccl_nvlink_rate(net);
  return latency + bytes / (std::min(nvlink, domain_rate(shape, net)) * 0.85 * (net.nvls ? 1 : 0.5));
}

}  // namespace

double nccl_seconds(Collective collective, Algorithm algorithm, Protocol protocol, const CollectiveShape& shape,
                    double bytes, const Net& net) {
  const bool reduces_all = collective == Collective::all_reduce;
  const bool simple = protocol == Protocol::simple;
  if (net.only_simple && !simple) return k_never;
  if (protocol == Protocol::ll128 && is_blackwell(net)) return k_never;  // untested there
  switch (algorithm) {
    case Algorithm::ring:
      if (collective == Collective::all_to_all || collective == Collective::send_recv) return k_never;
      return ring_seconds(collective, protocol, shape, bytes, net);
    case Algorithm::tree:
      return reduces_all ? tree_seconds(protocol, shape, bytes, net) : k_never;
    case Algorithm::nvls:
      if (!reduces_all || !simple || !net.nvls || !shape.one_domain() || shape.ranks < 3) return k_never;
      return k_nvlink_nvls * k_us + bytes / nvls_rate(net);
    case Algorithm::nvls_tree:
      if (!reduces_all || !simple || !net.nvls || shape.one_domain() || shape.ranks_per_domain < 3) return k_never;
      return nvls_tree_seconds(shape, bytes, net);
    case Algorithm::collnet:
      if (!reduces_all || !simple || !net.sharp || shape.one_domain()) return k_never;
      return collnet_seconds(shape, bytes, net);
    case Algorithm::direct:
      if (collective != Collective::all_to_all && collective != Collective::send_recv) return k_never;
      return protocol == (bytes / shape.ranks <= k_direct_ll_bytes_max ? Protocol::ll : Protocol::simple) ? 0 : k_never;
    case Algorithm::hierarchical:
      return k_never;
  }
  return k_never;
}

}  // namespace virga
