// What `virga fabric` says of a fabric, or of a set of its hosts: in the terminal, and as JSON.
//
//   Result<FabricReport> report = report_of(graph, tables, hosts);
//   print_out(text_of(*report));
//
// Rates are in Gb/s, shares and slow-downs times 1000. fabric/measures.hpp says how each figure is found. The time of
// an all-reduce is that of the algorithm which NCCL would choose (twin/collective.hpp), with a GPU of NVLink 4 to each
// HCA, at the pace of the ring pattern's worst link, which is the rate of the slowest of a ring's flows.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "fabric/measures.hpp"

namespace virga {

struct FabricLevel {
  std::uint32_t level = 0;
  std::uint64_t switches = 0;
  std::uint64_t ports_down = 0;  ///< cabled ones of all its switches
  std::uint64_t ports_up = 0;
  std::uint64_t gbps_down = 0;
  std::uint64_t gbps_up = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("level", s.level);
    v("switches", s.switches);
    v("ports_down", s.ports_down);
    v("ports_up", s.ports_up);
    v("gbps_down", s.gbps_down);
    v("gbps_up", s.gbps_up);
  }
};

struct FabricCables {
  std::string link;        ///< "4xNDR"; "bundle": of how many cables it is, is not known
  std::uint64_t gbps = 0;  ///< of each; of all bundles together
  std::uint64_t to_hosts = 0;
  std::uint64_t between_switches = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("link", s.link);
    v("gbps", s.gbps);
    v("to_hosts", s.to_hosts);
    v("between_switches", s.between_switches);
  }
};

struct FabricDistance {
  std::uint64_t cables = 0;
  std::uint64_t pairs = 0;  ///< of HCAs, in each direction
  std::uint64_t permille = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("cables", s.cables);
    v("pairs", s.pairs);
    v("permille", s.permille);
  }
};

struct FabricPattern {
  std::string pattern;
  std::string worst_link;
  std::uint64_t flows = 0;
  std::uint64_t gbps = 0;
  std::uint64_t slow_down_permille = 0;
  std::uint64_t flows_between_switches = 0;  ///< on the worst link of those

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("pattern", s.pattern);
    v("worst_link", s.worst_link);
    v("flows", s.flows);
    v("gbps", s.gbps);
    v("slow_down_permille", s.slow_down_permille);
    v("flows_between_switches", s.flows_between_switches);
  }
};

struct FabricAllReduce {
  std::uint64_t bytes = 0;  ///< the whole buffer of a GPU
  std::uint64_t gpus = 0;
  std::uint64_t nanoseconds = 0;
  std::uint64_t busbw_gbps = 0;  ///< as nccl-tests has it
  std::string algorithm;
  std::string protocol;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("bytes", s.bytes);
    v("gpus", s.gpus);
    v("nanoseconds", s.nanoseconds);
    v("busbw_gbps", s.busbw_gbps);
    v("algorithm", s.algorithm);
    v("protocol", s.protocol);
  }
};

struct FabricPath {
  std::string from;
  std::string to;
  std::vector<std::string> hops;  ///< "leaf-1[33]": the switch and the port by which it is left

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("from", s.from);
    v("to", s.to);
    v("hops", s.hops);
  }
};

struct FabricReport {
  std::string name;  ///< of the file, or "built"
  std::uint64_t hosts = 0;
  std::uint64_t hcas = 0;
  std::uint32_t rails = 0;
  std::uint64_t switches = 0;
  std::vector<FabricLevel> levels;
  std::vector<FabricCables> cables;
  std::string routing;  ///< "d-mod-k", or the file that the tables are from
  std::uint64_t chosen_hosts = 0;
  std::vector<FabricDistance> distances;
  std::uint64_t bisection_gbps = 0;
  std::uint64_t bisection_hosts_gbps = 0;
  std::vector<FabricPattern> patterns;
  std::vector<FabricAllReduce> all_reduces;  ///< by size; none for a single GPU
  std::vector<FabricPath> paths;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name);
    v("hosts", s.hosts);
    v("hcas", s.hcas);
    v("rails", s.rails);
    v("switches", s.switches);
    v("levels", s.levels);
    v("cables", s.cables);
    v("routing", s.routing);
    v("chosen_hosts", s.chosen_hosts);
    v("distances", s.distances);
    v("bisection_gbps", s.bisection_gbps);
    v("bisection_hosts_gbps", s.bisection_hosts_gbps);
    v("patterns", s.patterns);
    v("all_reduces", s.all_reduces);
    v("paths", s.paths);
  }
};

/// The figures of `hosts` alone, which send nothing to others; name, routing and paths are left to the caller. The ring
/// goes in the order of `hosts`.
Result<FabricReport> report_of(const FabricGraph& graph, const ForwardingTables& tables,
                               std::span<const std::uint32_t> hosts);
/// `from` and `to`: "node-01 mlx5_0", "node-01/mlx5_0", or "node-01" for its first HCA.
Result<FabricPath> fabric_path(const FabricGraph& graph, const ForwardingTables& tables, const std::string& from,
                               const std::string& to);

std::string text_of(const FabricReport& report);

}  // namespace virga
