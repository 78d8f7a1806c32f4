// Builds fat trees of switches of one size, as GPU clusters have them.
//
//   Result<FabricGraph> graph = build_fat_tree({.hosts = 64, .rails = 8});
//   // 16 leaves of 64 ports (two units of 32 hosts, a leaf for each of 8 rails), 8 spines, everything 4x NDR
//
// A *unit* is a group of hosts on the same leaves. Rail-optimised wiring gives each unit a leaf for each rail: HCA r of
// each host goes to leaf r, so that GPUs of one place in their hosts are one switch apart (NVIDIA, "DGX SuperPOD
// reference architecture": scalable units of 32 hosts, 8 leaves). Rack wiring puts all HCAs of a host on one leaf.
// Two levels: every leaf has equally many cables to every spine. Three levels: units form pods, each with spines of its
// own; the i-th spines of all pods share a group of cores (k-ary fat tree: Al-Fares et al., SIGCOMM 2008).
//
// Oversubscription of a level: the ports towards the hosts by those away from them. Counts of spines and cores are the
// smallest ones that give every switch below equally many cables to each.
//
// Names: node-07, leaf-2-3 (unit, rail) or leaf-2, spine-4, spine-1-4 (pod, number), core-4-1 (group, number); HCAs
// are mlx5_0 … Ports towards the hosts come first. GUIDs are made up, unique and always the same for the same shape.
//
// Errors (Code::invalid): what does not fit on the switches, with what would.
#pragma once

#include <cstdint>

#include "fabric/graph.hpp"

namespace virga {

enum class Wiring : std::uint8_t { rail, rack };
template <>
struct EnumNames<Wiring> {
  static constexpr std::string_view names[] = {"rail", "rack"};
};

struct FatTreeShape {
  std::uint32_t hosts = 64;
  std::uint32_t rails = 8;                               ///< HCAs of each host
  std::uint32_t switch_ports = 64;                       ///< Quantum-2: 64 of 4x NDR
  std::uint32_t levels = 0;                              ///< 2 or 3; 0: the fewest that do
  std::uint32_t hosts_per_unit = 0;                      ///< 0: as many as there is room for
  std::uint32_t leaf_oversubscription_permille = 1000;   ///< 1000: non-blocking, 2000: 2 to 1
  std::uint32_t spine_oversubscription_permille = 1000;  ///< of three levels
  std::uint32_t units_per_pod = 0;                       ///< of three levels; 0: as many as there is room for
  Wiring wiring = Wiring::rail;
  Link link = {};
};

inline constexpr std::uint32_t k_fat_tree_hcas_max = 131'072;

Result<FabricGraph> build_fat_tree(const FatTreeShape& shape);

}  // namespace virga
