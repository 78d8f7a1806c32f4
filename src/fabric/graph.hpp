// The network as it is cabled: hosts with HCAs, switches with ports, and the cables between them.
//
//   FabricGraphBuilder builder;
//   const auto leaf = builder.add_switch({.name = "leaf-1", .guid = 0x10, .ports = 64});
//   const auto hca = builder.add_hca({.name = "mlx5_0", .guid = 0x20, .on_switch = *leaf, .switch_port = 1}, "node-1");
//   Result<FabricGraph> graph = builder.build();       // after connect() of whatever switches are joined
//   graph->peer(*leaf, 1);                             // that HCA
//   graph->hosts()[0].hcas;                            // what node-1 has, in the order of its rails
//
// `fabric/fabric.hpp` has the same network as a tree of node slots, which is what the brain places jobs by; the graph
// is what routes, loads and bisections are computed on. fabric/switch_tree.hpp goes from one to the other.
//
// Units: rates in Mb/s and one direction (every cable carries its rate both ways at once); ports count from 1, as
// InfiniBand has them (port 0 is the switch itself); level 1 are the switches next to the hosts.
// Rates: 4 lanes of SDR 10, DDR 20, QDR 40, FDR 56, EDR 100, HDR 200, NDR 400, XDR 800 Gb/s (InfiniBand Trade
// Association, roadmap); FDR10 is QDR's lane rate with FDR's coding, 40 Gb/s.
//
// An HCA with two cabled ports stands as two. A cable may be wider than any real one: a file that knows switches but
// no cables gives one cable for all of them together.
//
// Errors (Code::invalid): what is taken already, or not there, said by name.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"

namespace virga {

enum class LinkSpeed : std::uint8_t { sdr, ddr, qdr, fdr10, fdr, edr, hdr, ndr, xdr };
template <>
struct EnumNames<LinkSpeed> {
  static constexpr std::string_view names[] = {"SDR", "DDR", "QDR", "FDR10", "FDR", "EDR", "HDR", "NDR", "XDR"};
};
std::uint64_t lane_mbps(LinkSpeed speed);

struct Link {
  std::uint32_t lanes = 4;
  LinkSpeed speed = LinkSpeed::ndr;
  std::uint64_t mbps() const { return lanes * lane_mbps(speed); }
  friend bool operator==(const Link&, const Link&) = default;
};

struct FabricSwitch {
  std::string name;
  std::uint64_t guid = 0;   ///< 0: not known
  std::uint32_t ports = 0;  ///< 1 … ports can be cabled
  std::uint32_t lid = 0;    ///< as the subnet manager gave it; 0: not known
  std::uint32_t level = 0;  ///< 0 while building: counted from the hosts
};

struct FabricHca {
  std::string name;  ///< unique in its host: "mlx5_0"
  std::uint64_t guid = 0;
  std::uint32_t port = 1;  ///< of the HCA
  std::uint32_t lid = 0;
  std::uint32_t on_switch = 0;
  std::uint32_t switch_port = 0;
  Link link = {};
  std::uint32_t host = 0;  ///< set by the builder
  std::uint32_t rail = 0;  ///< place in its host's order, from 0; set by the builder
};

/// Joins two switches. `a` is the one added first.
struct FabricCable {
  std::uint32_t a = 0;
  std::uint32_t port_a = 0;
  std::uint32_t b = 0;
  std::uint32_t port_b = 0;
  Link link = {};
  bool is_bundle = false;  ///< stands for all cables between the two, whose number is not known
};

struct FabricHost {
  std::string name;
  std::vector<std::uint32_t> hcas;
};

/// The other end of a switch's port.
struct FabricPeer {
  enum class Kind : std::uint8_t { none, hca, fabric_switch };
  Kind kind = Kind::none;
  std::uint32_t index = 0;  ///< of the HCA or switch
  std::uint32_t port = 0;   ///< of that one
  Link link = {};
};

inline constexpr std::uint32_t k_switch_ports_max = 60'000;      ///< real ones have up to 144
inline constexpr std::uint64_t k_fabric_ports_max = 10'000'000;  ///< of all switches

class FabricGraph {
 public:
  const std::vector<FabricSwitch>& switches() const { return switches_; }
  const std::vector<FabricHca>& hcas() const { return hcas_; }
  const std::vector<FabricHost>& hosts() const { return hosts_; }
  const std::vector<FabricCable>& cables() const { return cables_; }
  std::uint32_t levels() const { return levels_; }
  std::uint32_t rails() const { return rails_; }  ///< HCAs of the host that has most

  /// `port` may be any number.
  FabricPeer peer(std::uint32_t fabric_switch, std::uint32_t port) const {
    if (port == 0 || port > switches_[fabric_switch].ports) return {};
    return peers_[first_port_[fabric_switch] + port - 1];
  }
  /// Numbers all ports of all switches densely: what loads are kept by. `ports_total` is the end.
  std::uint32_t port_number(std::uint32_t fabric_switch, std::uint32_t port) const {
    return first_port_[fabric_switch] + port - 1;
  }
  std::uint32_t ports_total() const { return static_cast<std::uint32_t>(peers_.size()); }

 private:
  friend class FabricGraphBuilder;
  FabricGraph() = default;
  std::vector<FabricSwitch> switches_;
  std::vector<FabricHca> hcas_;
  std::vector<FabricHost> hosts_;
  std::vector<FabricCable> cables_;
  std::vector<std::uint32_t> first_port_;
  std::vector<FabricPeer> peers_;
  std::uint32_t levels_ = 0;
  std::uint32_t rails_ = 0;
};

class FabricGraphBuilder {
 public:
  Result<std::uint32_t> add_switch(FabricSwitch fabric_switch);
  /// Hosts come to be with their first HCA; their HCAs are its rails in the order in which they are added.
  Result<std::uint32_t> add_hca(FabricHca hca, std::string_view host);
  Status connect(FabricCable cable);
  /// Levels of switches that have none are the fewest cables to a leaf; each switch must reach one. Leaves are switches
  /// with hosts, but not those of few hosts whose neighbours are all switches of many more: a subnet manager's host
  /// on a spine does not make that a leaf.
  Result<FabricGraph> build();

 private:
  Status take_port(std::uint32_t fabric_switch, std::uint32_t port, const FabricPeer& peer);
  std::vector<std::uint32_t> leaves() const;

  FabricGraph graph_;
  std::map<std::string, std::uint32_t, std::less<>> switch_of_name_;
  std::map<std::string, std::uint32_t, std::less<>> host_of_name_;
  std::map<std::uint64_t, std::string> name_of_guid_;  ///< switches' only: HCAs of two ports come twice
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::string> name_of_hca_;
  std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> hca_of_name_;
};

/// "node-1 mlx5_0", as ibnetdiscover and ibtracert call it.
std::string hca_text(const FabricGraph& graph, std::uint32_t hca);

/// What is in one of two graphs only, or differs (a cable's rate), one a line, at most `lines_max` of them; empty:
/// they are equal. LIDs do not count. Names tell who is who; ports and GUIDs must be equal.
std::vector<std::string> differences(const FabricGraph& a, const FabricGraph& b, std::size_t lines_max = 20);

}  // namespace virga
