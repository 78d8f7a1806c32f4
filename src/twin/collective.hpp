// How long a collective of NCCL takes, and by which algorithm and protocol.
//
//   const Net net = make_net(k_nvlink4, k_infiniband_ndr, true);
//   const RankGroup group{.ranks = 16, .ranks_per_domain = 8};         // two VMs of eight GPUs
//   collective_seconds(Collective::all_reduce, group, 1 << 30, net);                // 4.5e-3
//   collective_estimate(Collective::all_reduce, group, 1 << 30, net).algorithm;     // Algorithm::nvls_tree
//
// Two steps. First the choice, as NCCL makes it: the least time of NCCL's own tuning model (twin/nccl_tuning.hpp),
// which is cheap and rough. Then the time of what was chosen, from physical constants calibrated on published
// measurements (twin/collective_constants.hpp; docs/accuracy.md tells how well):
//
//   seconds = base + ramp + hops + fill + bytes on the narrowest link / (rate * efficiency)
//
// Units: seconds and bytes; rates are bytes a second and one direction. `bytes` is the size that nccl-tests prints: the
// whole buffer of a rank for all_reduce, broadcast, all_to_all and send_recv, the whole result for all_gather, the
// whole input for reduce_scatter. algbw = bytes / seconds; busbw = algbw * f, with f as nccl-tests has it
// (PERFORMANCE.md): all_reduce 2 (n-1)/n, all_gather, reduce_scatter and all_to_all (n-1)/n, broadcast and send_recv 1.
// busbw is no rate of a link: with NVLS, or with a tree on two nodes, it exceeds what the links carry. What the busiest
// NIC really sends is wire_bytes_per_nic.
//
// Errors: a group or a net that makes no sense takes infinitely long; check_collective says what is wrong with it. One
// rank, or no bytes, takes no time. All is closed form, without state, and equal bit for bit on every machine.
#pragma once

#include <cstdint>
#include <optional>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "twin/collective_constants.hpp"

namespace virga {

enum class Collective : std::uint8_t { all_reduce, all_gather, reduce_scatter, broadcast, all_to_all, send_recv };
template <>
struct EnumNames<Collective> {
  static constexpr std::string_view names[] = {"all_reduce", "all_gather", "reduce_scatter",
                                               "broadcast",  "all_to_all", "send_recv"};
};

enum class Algorithm : std::uint8_t {
  ring,
  tree,          ///< double binary tree between NVLink domains, a chain inside each
  hierarchical,  ///< reduce-scatter in the domain, ring per rail, all-gather; frameworks do it, NCCL never chooses it
  nvls,          ///< reduction in the NVSwitches (NVLink SHARP), within one domain
  nvls_tree,     ///< NVLS in each domain, a tree between them
  collnet,       ///< reduction in the network's switches (SHARP), where Net::sharp says that there is one
  direct,        ///< sends and receives between all pairs
};
template <>
struct EnumNames<Algorithm> {
  static constexpr std::string_view names[] = {"ring",      "tree",    "hierarchical", "nvls",
                                               "nvls_tree", "collnet", "direct"};
};

/// How data are handed from GPU to GPU: with a flag in every 8 bytes, in every 128, or after a whole chunk.
enum class Protocol : std::uint8_t { ll, ll128, simple };
template <>
struct EnumNames<Protocol> {
  static constexpr std::string_view names[] = {"LL", "LL128", "Simple"};
};

struct RankGroup {
  std::uint32_t ranks = 1;
  std::uint32_t ranks_per_domain = 1;       ///< that share an NVLink domain
  std::uint32_t nics_per_domain_share = 0;  ///< NICs that the group's ranks of a domain may use; 0: one each
};

struct Net {
  double nvlink_bytes_s = 0;    ///< of one GPU, in one direction
  double nic_bytes_s = 0;       ///< of one NIC, in one direction
  bool nvls = false;            ///< the NVSwitches reduce (Hopper and later)
  double nvlink_latency_s = 0;  ///< of one hop by LL; 0: the calibrated one of the link's generation
  double nic_latency_s = 0;     ///< of one message between two GPUs through their NICs; 0: that of `kind`
  double taper = 1;             ///< oversubscription: bandwidth below the switches divided by that above them
  const char* kind = nullptr;   ///< a name of k_networks, such as "ib_ndr"; unknown or null: as "ib_ndr"
  bool sharp = false;           ///< the network's switches reduce
  bool only_simple = false;     ///< NCCL_PROTO=Simple between nodes; true in any case where `kind` needs it
};

/// A choice made by hand, as NCCL_ALGO and NCCL_PROTO make it. What is impossible for the group takes for ever.
struct CollectiveOptions {
  std::optional<Algorithm> algorithm = {};
  std::optional<Protocol> protocol = {};
};

struct CollectiveEstimate {
  double seconds = 0;
  Algorithm algorithm = Algorithm::ring;
  Protocol protocol = Protocol::simple;
  double algbw = 0;  ///< bytes / seconds
  double busbw = 0;  ///< as nccl-tests prints it
  double wire_bytes_per_nic = 0;
};

/// A GPU's NVLink and the network of its VMs, with their calibrated latencies.
Net make_net(const NvlinkConstants& nvlink, const NetworkConstants& network, bool nvls);

/// Why collective_seconds would be infinite for them: one line.
Status check_collective(const RankGroup& group, const Net& net);

double collective_seconds(Collective collective, const RankGroup& group, double bytes, const Net& net);

CollectiveEstimate collective_estimate(Collective collective, const RankGroup& group, double bytes, const Net& net,
                                       const CollectiveOptions& options = {},
                                       const CollectiveConstants& constants = k_collective_constants);

/// busbw / algbw of nccl-tests.
double bus_factor(Collective collective, std::uint32_t ranks);

}  // namespace virga
