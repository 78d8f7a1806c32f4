#include "twin/collective.hpp"

#include <cmath>
#include <limits>

#include "twin/collective_shape.hpp"
#include "twin/nccl_tuning.hpp"

namespace virga {
namespace {

constexpr double k_never = std::numeric_limits<double>::infinity();
constexpr Algorithm k_algorithms[] = {Algorithm::ring,      Algorithm::tree,    Algorithm::nvls,
                                      Algorithm::nvls_tree, Algorithm::collnet, Algorithm::direct};
constexpr Protocol k_protocols[] = {Protocol::ll, Protocol::ll128, Protocol::simple};

/// A GPU's two hops, and what it and its NICs carry, by one protocol.
struct Links {
  double nvlink_hop_s;
  double nic_hop_s;
  double start_s;
};

double ramp(double full_s, double bytes, const CollectiveConstants& constants) {
  return full_s * bytes / (bytes + constants.ramp_half_bytes);
}

Links links_of(Protocol protocol, double bytes, const Net& net, const CollectiveConstants& c) {
  if (protocol == Protocol::simple) {
    return {.nvlink_hop_s = net.nvlink_latency_s + c.hop_simple_s,
            .nic_hop_s = c.nic_hop_simple_latencies * net.nic_latency_s + c.nic_hop_simple_s,
            .start_s = c.base_simple_s + ramp(c.ramp_simple_s, bytes, c)};
  }
  const bool ll128 = protocol == Protocol::ll128;
  const double more = ll128 ? c.hop_ll128_s : 0;
  return {.nvlink_hop_s = net.nvlink_latency_s + more,
          .nic_hop_s = net.nic_latency_s + c.nic_hop_ll_s + more,
          .start_s = (ll128 ? c.base_ll128_s : c.base_ll_s) + ramp(c.ramp_ll_s, bytes, c)};
}

/// What a ring of more than two ranks gets of NVLink.
double ring_nvlink_rate(const Net& net, const CollectiveConstants& c) {
  const double generation = nvlink_of(net.nvlink_bytes_s).bytes_s;
  const double efficiency = generation == k_nvlink5.bytes_s   ? c.ring_efficiency_blackwell
                            : generation == k_nvlink4.bytes_s ? c.ring_efficiency_hopper
                                                              : c.ring_efficiency_ampere;
  return nccl_nvlink_rate(net) * efficiency;
}

/// What one pass of a ring through the group carries a second.
double ring_rate(Protocol protocol, const CollectiveShape& shape, const Net& net, const CollectiveConstants& c) {
  const bool pair = shape.one_domain() && shape.ranks == 2;
  const double nvlink = pair ? nccl_nvlink_rate(net) * c.pair_efficiency : ring_nvlink_rate(net, c);
  double rate = nvlink;
  if (!shape.one_domain()) {
    const double nics = domain_rate(shape, net) * c.nic_efficiency;
    rate = shape.ranks_per_domain == 1 ? nics : std::min(nvlink, nics);
  }
  if (protocol == Protocol::ll128) return rate * c.ll128_efficiency;
  if (protocol == Protocol::simple) return rate;
  return shape.one_domain() ? rate * c.ll_efficiency : std::min(rate * c.ll_efficiency, c.ll_bytes_s);
}

double ring_seconds(Collective collective, Protocol protocol, const CollectiveShape& shape, double bytes,
                    const Net& net, const CollectiveConstants& c) {
  const bool reduces_all = collective == Collective::all_reduce;
  const double passes = reduces_all ? 2 : 1;
  const double steps = passes * (shape.ranks - 1);
  const double crossings = std::min(steps, shape.one_domain() ? 0 : passes * shape.domains);
  const double sent = collective == Collective::broadcast ? bytes : bytes * steps / shape.ranks;
  const Links links = links_of(protocol, bytes, net, c);
  return links.start_s + (steps - crossings) * links.nvlink_hop_s + crossings * links.nic_hop_s +
         sent / ring_rate(protocol, shape, net, c);
}

/// Bytes of a buffer that a domain's NICs send in a tree: the root of one tree is a leaf of the other, so between two
/// domains each sends all of it once; with more, an inner node sends up to its parent and down to two children.
double tree_crossings(const CollectiveShape& shape) { return shape.one_domain() ? 0 : shape.domains == 2 ? 1 : 2; }

double tree_network_rate(const CollectiveShape& shape, const Net& net) {
  return shape.one_domain() ? k_never : domain_rate(shape, net) / tree_crossings(shape);
}

/// Time of `bytes` at `rate` through a number of levels one after the other. A level passes on what it has only when a
/// chunk is complete; chunks grow with the message until fill_bytes are on their way in each level.
double pipelined(double bytes, double rate, double levels, const CollectiveConstants& c) {
  return (bytes + levels * bytes * c.fill_bytes / (bytes + c.fill_bytes)) / rate;
}

double tree_seconds(Protocol protocol, const CollectiveShape& shape, double bytes, const Net& net,
                    const CollectiveConstants& c) {
  const Links links = links_of(protocol, bytes, net, c);
  // Inside a domain the tree is a chain: what goes up and what comes down share a GPU's link.
  const double chain = shape.ranks_per_domain == 1 ? k_never : ring_nvlink_rate(net, c) / 2;
  double rate = std::min(chain, tree_network_rate(shape, net) * c.tree_efficiency);
  if (protocol == Protocol::ll) rate = std::min(rate * c.ll_efficiency, c.ll_bytes_s / 2);
  if (protocol == Protocol::ll128) rate *= c.ll128_efficiency;
  const double hops = 2 * ((shape.ranks_per_domain - 1) * links.nvlink_hop_s + shape.depth * links.nic_hop_s);
  return links.start_s + hops +
         (protocol == Protocol::simple ? pipelined(bytes, rate, shape.ranks_per_domain - 1 + shape.depth, c)
                                       : bytes / rate);
}

/// NVLS: a GPU sends its whole buffer to be reduced, and 1/n of the result to be multicast.
double nvls_rate(double ranks, const Net& net, const CollectiveConstants& c) {
  return net.nvlink_bytes_s * (is_blackwell(net) ? c.nvls_efficiency_blackwell : c.nvls_efficiency_hopper) /
         (1 + 1 / ranks);
}

double nvls_seconds(const CollectiveShape& shape, double bytes, const Net& net, const CollectiveConstants& c) {
  const Links links = links_of(Protocol::simple, bytes, net, c);
  double rate = nvls_rate(shape.ranks_per_domain, net, c);
  if (!shape.one_domain()) rate = std::min(rate, tree_network_rate(shape, net)) * c.tree_efficiency;
  return c.base_nvls_s + ramp(c.ramp_simple_s, bytes, c) + 2 * shape.depth * links.nic_hop_s +
         pipelined(bytes, rate, 1 + shape.depth, c);
}

/// SHARP: the switches reduce, so each NIC sends its share up once and gets the result once.
double collnet_seconds(const CollectiveShape& shape, double bytes, const Net& net, const CollectiveConstants& c) {
  const Links links = links_of(Protocol::simple, bytes, net, c);
  const double inside = shape.ranks_per_domain == 1 ? k_never
                        : net.nvls                  ? nvls_rate(shape.ranks_per_domain, net, c)
                                                    : ring_nvlink_rate(net, c) / 2;
  const double rate = std::min(inside, domain_rate(shape, net)) * c.tree_efficiency;
  return links.start_s + 2 * (shape.ranks_per_domain > 1 ? links.nvlink_hop_s : 0) + 2 * links.nic_hop_s + bytes / rate;
}

double hierarchical_seconds(Collective collective, Protocol protocol, const CollectiveShape& shape, double bytes,
                            const Net& net, const CollectiveConstants& c) {
  const double k = shape.ranks_per_domain;
  CollectiveShape inside = shape;
  inside.ranks = k;
  inside.domains = 1;
  inside.depth = 0;
  CollectiveShape rail = shape;
  rail.ranks = shape.domains;
  rail.ranks_per_domain = 1;
  rail.nics = shape.nics / k;
  const double domain = k == 1 ? 0 : ring_seconds(Collective::all_gather, protocol, inside, bytes, net, c);
  const double across = shape.one_domain() ? 0 : ring_seconds(collective, protocol, rail, bytes / k, net, c);
  return across + domain * (collective == Collective::all_reduce ? 2 : 1);
}

double direct_seconds(Collective collective, Protocol protocol, const CollectiveShape& shape, double bytes,
                      const Net& net, const CollectiveConstants& c) {
  // NCCL has eight peers at a time under way.
  constexpr double k_peers_at_once = 8;
  const Links links = links_of(protocol, bytes, net, c);
  const double hop = shape.one_domain() ? links.nvlink_hop_s : links.nic_hop_s;
  if (collective == Collective::send_recv) {
    const double rate = shape.one_domain() ? nccl_nvlink_rate(net) * c.pair_efficiency
                                           : domain_rate(shape, net) / shape.ranks_per_domain * c.nic_efficiency;
    return links.start_s + hop + bytes / rate;
  }
  const double k = shape.ranks_per_domain;
  const double inside = k == 1 ? 0 : bytes * (k - 1) / shape.ranks / net.nvlink_bytes_s;
  const double outside = shape.one_domain() ? 0 : bytes * (shape.ranks - k) / shape.ranks * k / domain_rate(shape, net);
  return links.start_s + hop * std::max(1.0, (shape.ranks - 1) / k_peers_at_once) +
         std::max(inside, outside) / c.all_to_all_efficiency;
}

double seconds_of(Collective collective, Algorithm algorithm, Protocol protocol, const CollectiveShape& shape,
                  double bytes, const Net& net, const CollectiveConstants& c) {
  switch (algorithm) {
    case Algorithm::ring:
      return ring_seconds(collective, protocol, shape, bytes, net, c);
    case Algorithm::tree:
      return tree_seconds(protocol, shape, bytes, net, c);
    case Algorithm::hierarchical:
      return hierarchical_seconds(collective, protocol, shape, bytes, net, c);
    case Algorithm::nvls:
    case Algorithm::nvls_tree:
      return nvls_seconds(shape, bytes, net, c);
    case Algorithm::collnet:
      return collnet_seconds(shape, bytes, net, c);
    case Algorithm::direct:
      return direct_seconds(collective, protocol, shape, bytes, net, c);
  }
  return k_never;
}

double wire_bytes(Collective collective, Algorithm algorithm, const CollectiveShape& shape, double bytes) {
  if (shape.one_domain()) return 0;
  const double n = shape.ranks;
  const double d = shape.domains;
  const double passes = collective == Collective::all_reduce ? 2 : 1;
  switch (algorithm) {
    case Algorithm::ring:
      return (collective == Collective::broadcast ? 1 : passes * (n - 1) / n) * bytes / shape.nics;
    case Algorithm::hierarchical:
      return passes * (d - 1) / d * bytes / shape.nics;
    case Algorithm::tree:
    case Algorithm::nvls_tree:
      return tree_crossings(shape) * bytes / shape.nics;
    case Algorithm::nvls:
      return 0;
    case Algorithm::collnet:
      return bytes / shape.nics;
    case Algorithm::direct: {
      const double k = shape.ranks_per_domain;
      return collective == Collective::send_recv ? bytes * k / shape.nics : bytes * (n - k) / n * k / shape.nics;
    }
  }
  return 0;
}

NetworkConstants network_of(const char* kind) {
  for (const NetworkConstants& network : k_networks) {
    if (kind != nullptr && std::string_view(kind) == network.kind) return network;
  }
  return k_infiniband_ndr;
}

/// With the calibrated latency wherever the caller has none, and with the settings that the network needs.
Net complete(Net net, bool one_domain) {
  const NetworkConstants network = network_of(net.kind);
  if (one_domain) {
    net.only_simple = false;
  } else {
    net.only_simple |= network.only_simple;
    net.nvls &= !network.without_nvls;
  }
  if (net.nvlink_latency_s <= 0) net.nvlink_latency_s = nvlink_of(net.nvlink_bytes_s).latency_s;
  if (net.nic_latency_s <= 0) net.nic_latency_s = network.latency_s;
  return net;
}

bool allowed(const CollectiveOptions& options, Algorithm algorithm, Protocol protocol) {
  return options.algorithm.value_or(algorithm) == algorithm && options.protocol.value_or(protocol) == protocol;
}

}  // namespace

Net make_net(const NvlinkConstants& nvlink, const NetworkConstants& network, bool nvls) {
  return {.nvlink_bytes_s = nvlink.bytes_s,
          .nic_bytes_s = network.nic_bytes_s,
          .nvls = nvls,
          .nvlink_latency_s = nvlink.latency_s,
          .nic_latency_s = network.latency_s,
          .kind = network.kind};
}

Status check_collective(const RankGroup& group, const Net& net) {
  if (group.ranks == 0) return fail(Code::invalid, "a group of 0 ranks; a collective needs at least 1");
  if (group.ranks_per_domain == 0) {
    return fail(Code::invalid, "0 ranks per NVLink domain; write 1 where GPUs share no NVLink");
  }
  if (group.ranks > 1 && group.ranks_per_domain > 1 && !(net.nvlink_bytes_s > 0)) {
    return fail(Code::invalid,
                "ranks share an NVLink domain, but nvlink_bytes_s is not above 0; give its rate, or write "
                "1 rank per domain");
  }
  if (group.ranks > group.ranks_per_domain && !(net.nic_bytes_s > 0)) {
    return fail(Code::invalid,
                "the group leaves its NVLink domain, but nic_bytes_s is not above 0; give the NICs' rate");
  }
  return {};
}

double bus_factor(Collective collective, std::uint32_t ranks) {
  if (ranks == 0) return 0;
  const double n = ranks;
  switch (collective) {
    case Collective::all_reduce:
      return 2 * (n - 1) / n;
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::all_to_all:
      return (n - 1) / n;
    case Collective::broadcast:
    case Collective::send_recv:
      return 1;
  }
  return 1;
}

double collective_seconds(Collective collective, const RankGroup& group, double bytes, const Net& net) {
  return collective_estimate(collective, group, bytes, net).seconds;
}

CollectiveEstimate collective_estimate(Collective collective, const RankGroup& group, double bytes, const Net& given,
                                       const CollectiveOptions& options, const CollectiveConstants& constants) {
  CollectiveEstimate best;
  if (!check_collective(group, given)) {
    best.seconds = k_never;
    return best;
  }
  if (group.ranks == 1 || !(bytes > 0)) return best;
  const CollectiveShape shape = shape_of(group);
  const Net net = complete(given, shape.one_domain());
  const bool by_time = !shape.one_domain() && network_of(net.kind).tuner_plugin;
  double least = k_never;
  if (options.algorithm == Algorithm::hierarchical) {
    best.algorithm = Algorithm::hierarchical;
    best.protocol = options.protocol.value_or(Protocol::simple);
    least = 0;
  }
  for (const Algorithm algorithm : k_algorithms) {
    for (const Protocol protocol : k_protocols) {
      if (!allowed(options, algorithm, protocol)) continue;
      double cost = nccl_seconds(collective, algorithm, protocol, shape, bytes, net);
      if (by_time && cost < k_never) {
        cost = seconds_of(collective, algorithm, protocol, shape, bytes, net, constants);
      }
      if (cost >= least) continue;
      least = cost;
      best.algorithm = algorithm;
      best.protocol = protocol;
    }
  }
  if (least == k_never) {
    best.seconds = k_never;
    return best;
  }
  best.seconds = seconds_of(collective, best.algorithm, best.protocol, shape, bytes, net, constants);
  best.algbw = bytes / best.seconds;
  best.busbw = best.algbw * bus_factor(collective, group.ranks);
  best.wire_bytes_per_nic = wire_bytes(collective, best.algorithm, shape, bytes);
  return best;
}

}  // namespace virga
