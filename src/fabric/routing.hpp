// Which way messages go: for each switch and each HCA as destination, the port by which the switch sends it on.
//
//   Result<ForwardingTables> tables = route_d_mod_k(graph);
//   Result<std::vector<Hop>> path = path_of(graph, *tables, from, to);      // HCAs by number
//
// InfiniBand routes by destination: all messages to an HCA leave a switch by the same port, whoever sent them. D-mod-k
// (Zahavi, "Fat-tree routing and node ordering providing contention free traffic for MPI global collectives", JPDC
// 2012) counts the destinations in tree order and takes uplink d mod k of k, one level up the next digit of d, and so
// on: destinations spread evenly over the uplinks, and the way down to each of them is its own. On a full fat tree that
// keeps any shift (rank i to rank i + s) free of contention. On trees with gaps the digits choose among the ports that
// are on a shortest way up and then down, which cannot deadlock. Only where there is no such way (between hosts on
// spines, or in no tree at all) any shortest one is taken.
//
// Tables of a real subnet manager come in through set() (wire/fabric_forwarding.hpp).
// Memory: 2 bytes for each switch and HCA; 42 MB for 16,384 HCAs on three levels of 64-port switches.
//
// Errors: Code::invalid, a pair of HCAs without a way, by name; Code::exhausted, tables too large.
#pragma once

#include <cstdint>
#include <vector>

#include "fabric/graph.hpp"

namespace virga {

inline constexpr std::uint64_t k_forwarding_entries_max = 400'000'000;
inline constexpr std::uint32_t k_path_hops_max = 64;  ///< InfiniBand's own limit of a directed route

class ForwardingTables {
 public:
  static Result<ForwardingTables> sized_for(const FabricGraph& graph);

  /// 0: no way. A port of a switch that the HCA hangs on is the one it hangs on.
  std::uint32_t port(std::uint32_t fabric_switch, std::uint32_t to_hca) const {
    return ports_[fabric_switch * destination_.size() + destination_[to_hca]];
  }
  void set(std::uint32_t fabric_switch, std::uint32_t to_hca, std::uint32_t port) {
    ports_[fabric_switch * destination_.size() + destination_[to_hca]] = static_cast<std::uint16_t>(port);
  }
  /// The HCA's number along the leaves, without gaps: HCAs of one switch are neighbours, in the tables, too.
  std::uint32_t destination(std::uint32_t hca) const { return destination_[hca]; }

 private:
  ForwardingTables() = default;
  std::vector<std::uint32_t> destination_;  ///< by HCA
  std::vector<std::uint16_t> ports_;        ///< by switch, then destination
};

/// One switch on the way, and the port by which it is left.
struct Hop {
  std::uint32_t fabric_switch = 0;
  std::uint32_t port = 0;
  friend bool operator==(const Hop&, const Hop&) = default;
};

Result<ForwardingTables> route_d_mod_k(const FabricGraph& graph);

/// Empty if `from` is `to`. A circle in the tables is an error, too.
Result<std::vector<Hop>> path_of(const FabricGraph& graph, const ForwardingTables& tables, std::uint32_t from,
                                 std::uint32_t to);

}  // namespace virga
