// The network of a pool as a tree: node slots 0 … n-1 hang on leaves, leaves on spines, spines on pods, pods on a core.
//
//   Result<Fabric> fabric = Fabric::build({.nodes = 1152, .nodes_per_leaf = 32, .leaves_per_spine = 12});
//   fabric->distance(0, 40);            // 4 links: slots 0 and 40 have different leaves below one spine
//   fabric->slots_of_leaf(3);           // what fails when that leaf fails, in rank order
//   fabric->position(slot);             // the place of a slot in rank order: neighbours in it are neighbours in the
//   tree
//
// A "leaf" is the group of nodes that share their lowest switches. On a rail-optimised fabric (ND H100 v5: 8 rails)
// rail r of every node of the group goes to the group's r-th switch, so a leaf stands for `rails` switches. An NVLink
// domain is a group of nodes joined by NVLink switches too (18 for GB200 NVL72); it lies within one leaf. A scale set
// is a range of slots that the cloud grows and shrinks as one. Leaves, spines, pods and domains are numbered densely
// in tree order; leaf_id() and its like give back the numbers that the description used.
//
// Building costs O(n log n), every query O(1). Memory: about 20 bytes a slot.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"

namespace virga {

/// The lowest thing that two slots have in common; what a message between them has to cross.
enum class Reach : std::uint8_t { same_node, nvlink, leaf, spine, pod, core };
template <>
struct EnumNames<Reach> {
  static constexpr std::string_view names[] = {"same_node", "nvlink", "leaf", "spine", "pod", "core"};
};

/// Oversubscription: bandwidth below a level's switches divided by that above them, times 1000. 1000: non-blocking.
struct Taper {
  std::uint32_t leaf_permille = 1000;
  std::uint32_t spine_permille = 1000;
  std::uint32_t pod_permille = 1000;
};

/// A regular tree. A zero count above the leaves means "all of them below one".
struct FabricShape {
  std::uint32_t nodes = 0;
  std::uint32_t nodes_per_leaf = 32;
  std::uint32_t leaves_per_spine = 0;
  std::uint32_t spines_per_pod = 0;
  std::uint32_t nodes_per_nvlink_domain = 1;
  std::uint32_t nodes_per_scale_set = 0;
  std::uint32_t rails = 8;
  Taper taper = {};
};

/// Any tree. Ids need not be in tree order; each index is an id of the level, each value the id of its parent.
struct FabricIds {
  std::vector<std::uint32_t> leaf_of_slot;
  std::vector<std::uint32_t> spine_of_leaf;
  std::vector<std::uint32_t> pod_of_spine;
  std::vector<std::uint32_t> nvlink_of_slot;   ///< empty: no node shares NVLink with another
  std::vector<std::uint32_t> scale_set_sizes;  ///< in slot order; empty: one scale set
  std::uint32_t rails = 8;
  Taper taper = {};
};

inline constexpr std::uint32_t k_fabric_slots_max = 1'000'000;

class Fabric {
 public:
  static Result<Fabric> build(const FabricShape& shape);
  static Result<Fabric> build(const FabricIds& ids);

  std::uint32_t slots() const { return static_cast<std::uint32_t>(leaf_of_slot_.size()); }
  std::uint32_t leaves() const { return static_cast<std::uint32_t>(spine_of_leaf_.size()); }
  std::uint32_t spines() const { return static_cast<std::uint32_t>(pod_of_spine_.size()); }
  std::uint32_t pods() const { return static_cast<std::uint32_t>(first_spine_.size() - 1); }
  std::uint32_t nvlink_domains() const { return static_cast<std::uint32_t>(first_in_domain_.size() - 1); }
  std::uint32_t scale_sets() const { return static_cast<std::uint32_t>(first_of_scale_set_.size() - 1); }
  std::uint32_t rails() const { return rails_; }
  /// The largest number of slots below one leaf, and in one NVLink domain.
  std::uint32_t leaf_slots_max() const { return leaf_slots_max_; }
  std::uint32_t nvlink_slots_max() const { return nvlink_slots_max_; }

  std::uint32_t leaf(std::uint32_t slot) const { return leaf_of_slot_[slot]; }
  std::uint32_t spine_of(std::uint32_t leaf) const { return spine_of_leaf_[leaf]; }
  std::uint32_t pod_of(std::uint32_t spine) const { return pod_of_spine_[spine]; }
  std::uint32_t nvlink_domain(std::uint32_t slot) const { return domain_of_slot_[slot]; }
  std::uint32_t scale_set(std::uint32_t slot) const;  ///< O(log scale sets)
  std::uint32_t leaf_id(std::uint32_t leaf) const { return leaf_ids_[leaf]; }
  std::uint32_t spine_id(std::uint32_t spine) const { return spine_ids_[spine]; }
  std::uint32_t pod_id(std::uint32_t pod) const { return pod_ids_[pod]; }

  // Rank order. Each level is a contiguous range of the one below; first_…(count) is the end.
  std::uint32_t position(std::uint32_t slot) const { return position_of_slot_[slot]; }
  std::uint32_t slot_at(std::uint32_t position) const { return slot_at_[position]; }
  std::uint32_t first_position(std::uint32_t leaf) const { return first_in_leaf_[leaf]; }
  std::uint32_t first_leaf(std::uint32_t spine) const { return first_leaf_[spine]; }
  std::uint32_t first_spine(std::uint32_t pod) const { return first_spine_[pod]; }
  std::uint32_t first_in_domain(std::uint32_t domain) const { return first_in_domain_[domain]; }
  std::uint32_t first_of_scale_set(std::uint32_t set) const { return first_of_scale_set_[set]; }

  // Failure domains: the slots that are cut off when a switch of the level fails, in rank order.
  std::span<const std::uint32_t> slots_of_leaf(std::uint32_t leaf) const;
  std::span<const std::uint32_t> slots_of_spine(std::uint32_t spine) const;
  std::span<const std::uint32_t> slots_of_pod(std::uint32_t pod) const;

  Reach reach(std::uint32_t a, std::uint32_t b) const;
  /// Links between the same rail of two nodes: 0 in a node, 1 over NVLink, then 2 per level up and down.
  std::uint32_t distance(std::uint32_t a, std::uint32_t b) const;
  /// Links between two rails: below one leaf different rails meet at the spine only. Within a node NVLink joins them.
  std::uint32_t distance(std::uint32_t a, std::uint32_t rail_a, std::uint32_t b, std::uint32_t rail_b) const;
  /// How far traffic of this reach is slowed down when everybody sends at once: the product of the tapers it crosses,
  /// times 1000. 1000: not at all.
  std::uint64_t contention_permille(Reach reach) const;

 private:
  Fabric() = default;
  std::span<const std::uint32_t> slots_between(std::uint32_t first_leaf, std::uint32_t end_leaf) const;
  void put_in_tree_order(const FabricIds& ids);
  void index_positions(const FabricIds& ids, const std::vector<std::uint32_t>& new_leaf);

  std::vector<std::uint32_t> leaf_of_slot_;
  std::vector<std::uint32_t> domain_of_slot_;
  std::vector<std::uint32_t> position_of_slot_;
  std::vector<std::uint32_t> slot_at_;
  std::vector<std::uint32_t> spine_of_leaf_;
  std::vector<std::uint32_t> pod_of_spine_;
  std::vector<std::uint32_t> leaf_ids_;
  std::vector<std::uint32_t> spine_ids_;
  std::vector<std::uint32_t> pod_ids_;
  std::vector<std::uint32_t> first_in_leaf_;
  std::vector<std::uint32_t> first_leaf_;
  std::vector<std::uint32_t> first_spine_;
  std::vector<std::uint32_t> first_in_domain_;
  std::vector<std::uint32_t> first_of_scale_set_;
  std::uint32_t leaf_slots_max_ = 0;
  std::uint32_t nvlink_slots_max_ = 0;
  std::uint32_t rails_ = 8;
  Taper taper_;
};

}  // namespace virga
