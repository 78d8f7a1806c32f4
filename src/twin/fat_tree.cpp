#include "twin/fat_tree.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace virga {
namespace {

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014), as a switch's hash of a flow's addresses.
std::uint64_t mixed(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

// Numbers of links: NICs to leaves, leaves to NICs, leaves to spines, spines to leaves, spines to cores, cores to
// spines.
FatTree::FatTree(const RoutedTreeShape& shape) : shape_(shape) {
  VIRGA_ASSERT(shape.nodes > 0 && shape.rails > 0 && shape.nodes_per_leaf > 0 && shape.groups_per_pod > 0 &&
                   shape.spines_per_pod > 0 && shape.cores_per_spine > 0,
               "a fat tree has at least one of each");
  const std::uint32_t groups = (shape.nodes + shape.nodes_per_leaf - 1) / shape.nodes_per_leaf;
  const std::uint32_t pods = (groups + shape.groups_per_pod - 1) / shape.groups_per_pod;
  nics_ = shape.nodes * shape.rails;
  leaf_links_ = groups * shape.rails * shape.spines_per_pod;
  spine_links_ = pods * shape.spines_per_pod * shape.cores_per_spine;
  const double leaf_up =
      shape.nodes_per_leaf * shape.nic_bytes_s / shape.spines_per_pod / std::max(1.0, shape.leaf_taper);
  const double spine_up =
      leaf_up * shape.groups_per_pod * shape.rails / shape.cores_per_spine / std::max(1.0, shape.spine_taper);
  capacities_.reserve(2 * (std::size_t(nics_) + leaf_links_ + spine_links_));
  capacities_.insert(capacities_.end(), 2 * std::size_t(nics_), shape.nic_bytes_s);
  capacities_.insert(capacities_.end(), 2 * std::size_t(leaf_links_), leaf_up);
  capacities_.insert(capacities_.end(), 2 * std::size_t(spine_links_), spine_up);
}

LinkRoute FatTree::route(NicPlace from, NicPlace to, Routing routing) const {
  VIRGA_ASSERT(from.node < shape_.nodes && to.node < shape_.nodes && from.rail < shape_.rails && to.rail < shape_.rails,
               "a NIC that the fat tree does not have");
  if (from.node == to.node) return {};
  const std::uint32_t source = from.node * shape_.rails + from.rail;
  const std::uint32_t target = to.node * shape_.rails + to.rail;
  LinkRoute links;
  links.push_back(source);
  if (leaf_of(from) != leaf_of(to)) {
    const std::uint64_t pick = routing == Routing::hashed ? mixed(std::uint64_t(source) << 32 | target) : to.node;
    const auto spine = std::uint32_t(pick % shape_.spines_per_pod);
    const auto core = std::uint32_t(pick / shape_.spines_per_pod % shape_.cores_per_spine);
    const std::uint32_t leaves_up = 2 * nics_;
    const std::uint32_t spines_up = leaves_up + 2 * leaf_links_;
    links.push_back(leaves_up + leaf_of(from) * shape_.spines_per_pod + spine);
    if (pod_of(from) != pod_of(to)) {
      const auto uplink = [&](std::uint32_t pod) {
        return (pod * shape_.spines_per_pod + spine) * shape_.cores_per_spine + core;
      };
      links.push_back(spines_up + uplink(pod_of(from)));
      links.push_back(spines_up + spine_links_ + uplink(pod_of(to)));
    }
    links.push_back(leaves_up + leaf_links_ + leaf_of(to) * shape_.spines_per_pod + spine);
  }
  links.push_back(nics_ + target);
  return links;
}

}  // namespace virga
