// A rail-optimised fat tree, link by link, and the route of a flow through it.
//
//   const FatTree tree({.nodes = 2048, .nic_bytes_s = 50e9});
//   FlowPaths flows;
//   flows.add(tree.route({.node = 0, .rail = 3}, {.node = 40, .rail = 3}));
//   max_min_rates(tree.capacities(), flows);
//
// Rail r of a group of `nodes_per_leaf` nodes goes to the group's leaf switch r. The leaves of `groups_per_pod` groups
// have one uplink to each of the pod's spines; spine s of each pod has one uplink to each of the cores of group s (a
// Clos network, as NVIDIA's reference architectures of DGX SuperPOD describe it). Uplinks carry together what comes
// from below, divided by the taper of the level. Links are directed. A node's own GPUs reach each other by NVLink: no
// link.
//
// Routes are static. by_destination is what InfiniBand's subnet manager does on fat trees (D-mod-K: Zahavi 2010): the
// destination's number picks the uplink, which is free of contention for shifts. hashed is ECMP of Ethernet: random, so
// flows collide. Adaptive routing is better than either.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace virga {

struct RoutedTreeShape {
  std::uint32_t nodes = 1;
  std::uint32_t rails = 8;  ///< NICs of a node
  std::uint32_t nodes_per_leaf = 32;
  std::uint32_t groups_per_pod = 16;
  std::uint32_t spines_per_pod = 32;
  std::uint32_t cores_per_spine = 16;
  double nic_bytes_s = 0;
  double leaf_taper = 1;
  double spine_taper = 1;
};

enum class Routing : std::uint8_t { by_destination, hashed };

struct NicPlace {
  std::uint32_t node = 0;
  std::uint32_t rail = 0;
};

/// The links of a flow, in order.
class LinkRoute {
 public:
  void push_back(std::uint32_t link) { links_[size_++] = link; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::uint32_t* begin() const { return links_.data(); }
  const std::uint32_t* end() const { return links_.data() + size_; }
  operator std::span<const std::uint32_t>() const { return {begin(), end()}; }

 private:
  std::array<std::uint32_t, 6> links_ = {};  // up and down at NIC, leaf and spine
  std::size_t size_ = 0;
};

class FatTree {
 public:
  /// All counts are at least 1.
  explicit FatTree(const RoutedTreeShape& shape);

  const RoutedTreeShape& shape() const { return shape_; }
  const std::vector<double>& capacities() const { return capacities_; }
  LinkRoute route(NicPlace from, NicPlace to, Routing routing = Routing::by_destination) const;

 private:
  std::uint32_t leaf_of(NicPlace nic) const { return nic.node / shape_.nodes_per_leaf * shape_.rails + nic.rail; }
  std::uint32_t pod_of(NicPlace nic) const { return nic.node / shape_.nodes_per_leaf / shape_.groups_per_pod; }

  RoutedTreeShape shape_;
  std::uint32_t nics_ = 0;
  std::uint32_t leaf_links_ = 0;   // from leaves to spines
  std::uint32_t spine_links_ = 0;  // from spines to cores
  std::vector<double> capacities_;
};

}  // namespace virga
