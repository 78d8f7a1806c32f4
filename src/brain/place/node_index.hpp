// Where the free room of one pool is, and which slots a job takes. Kept up to date step by step, so that a placement
// costs no walk over the nodes.
//
//   NodeIndex index(fabric, sku.resources);
//   index.set_usable(slot);                                    // a VM of that slot is there
//   std::vector<std::uint32_t> slots;
//   if (index.pick({.nodes = 16, .per_node = demand}, slots))  // slots in rank order
//     index.occupy(slots, demand, false);
//   index.vacate(slots, demand, false);
//
// Policy, in a total order (the same state and request give the same slots, everywhere):
//   one node     the fullest node that it fits on; then the leaf with the fewest whole nodes; then the first in rank
//   order.
//                Fullness counts the pool's scarcest thing: GPUs, or CPUs in a pool without.
//   one leaf     the leaf with the fewest whole nodes that holds the gang; then the spine with the fewest. Gangs of
//                parts of nodes: the leaf where the fewest whole nodes get broken. With NVLink domains, see below.
//   many leaves  brain/place/leaf_cover.hpp
// A node is whole when it is usable and nothing runs on it. Gangs of whole nodes fit a leaf or an NVLink domain best:
// within a leaf the nodes come from as few domains as can be, and a gang that fits one domain gets the tightest.
//
// Idea: levels of fullness (17 of them) as bitmaps of nodes per leaf, leaves by number of whole nodes as bitmaps of
// leaves. A node's level is necessary, not sufficient: CPUs and memory are compared exactly before it is taken, so a
// fit is never missed. Costs, for n picked nodes: pick O(n) within a leaf plus O(leaves / 64) words; over several
// leaves O(leaves); gangs of parts of nodes O(leaves + partly used nodes). occupy and vacate O(1) a node. No allocation
// once the vectors have grown. Memory: about 40 bytes a slot with leaves of 64, 65 with leaves of 16.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "brain/place/leaf_cover.hpp"
#include "brain/place/set_table.hpp"
#include "core/job.hpp"
#include "fabric/fabric.hpp"

namespace virga {

struct PlaceRequest {
  std::uint32_t nodes = 1;
  Resources per_node;
  bool exclusive = false;          ///< nobody else on its nodes
  std::uint32_t switches_max = 0;  ///< it may span so many leaves at most; 0: any number
  CollectiveWish collective = {};  ///< for a choice between fewer leaves and fewer spines; see leaf_cover.hpp
};

enum class SlotState : std::uint8_t {
  absent,    ///< no VM: it may be reserved
  usable,    ///< takes jobs
  unusable,  ///< drained, being released, or promised to another job
};

class NodeIndex {
 public:
  /// All slots are absent. Every node has `total`. `fabric` must outlive this.
  NodeIndex(const Fabric& fabric, const Resources& total);

  void set_usable(std::uint32_t slot) { set_state(slot, SlotState::usable); }
  void set_unusable(std::uint32_t slot) { set_state(slot, SlotState::unusable); }
  /// Nothing may run there any more.
  void set_absent(std::uint32_t slot) { set_state(slot, SlotState::absent); }

  /// The slots must have the room, and are not absent. Slots of one leaf next to each other are cheapest.
  void occupy(std::span<const std::uint32_t> slots, const Resources& demand, bool exclusive);
  /// Takes back one occupy() with the same values.
  void vacate(std::span<const std::uint32_t> slots, const Resources& demand, bool exclusive);

  std::uint32_t slots() const { return static_cast<std::uint32_t>(nodes_.size()); }
  std::uint32_t usable() const { return usable_; }
  std::uint32_t absent() const { return absent_; }
  std::uint32_t whole() const { return whole_; }
  SlotState state(std::uint32_t slot) const { return nodes_[slot].state; }
  const Resources& free(std::uint32_t slot) const { return nodes_[slot].free; }
  bool fits(std::uint32_t slot, const Resources& demand, bool exclusive) const;

  /// How many nodes could take a share of this request now, whatever `nodes` and `switches_max` say.
  std::uint32_t fitting(const PlaceRequest& request) const;
  /// False, with `slots` empty, if the gang does not fit now.
  bool pick(const PlaceRequest& request, std::vector<std::uint32_t>& slots) const;

  /// Which absent slots to reserve for a gang that has the slots `near` already: below their leaves first, then below
  /// their spines and pods, and over few leaves. `scale_set_room`: how many VMs each scale set may still get; empty:
  /// no limit. In rank order. False, with `slots` empty, if there are not `count`. O(slots).
  bool pick_absent(std::uint32_t count, std::span<const std::uint32_t> near,
                   std::span<const std::uint32_t> scale_set_room, std::vector<std::uint32_t>& slots,
                   const CollectiveWish& wish = {}) const;

 private:
  // Rows of the tables: what a usable node that something runs on has left. Row 0 is "no CPU", which only a demand of
  // no CPU fits; row 1 + level is the level of the scarcest thing.
  static constexpr std::uint32_t k_levels = 16;
  static constexpr std::uint32_t k_rows = k_levels + 2;
  static constexpr std::uint8_t k_row_whole = k_rows;
  static constexpr std::uint8_t k_row_absent = k_rows + 1;
  static constexpr std::uint8_t k_row_nowhere = k_rows + 2;  ///< unusable, or held by an exclusive job

  struct Node {
    Resources free;
    std::uint32_t bit = 0;  ///< its place in the bitmaps: 64 · word + bit
    std::uint32_t leaf = 0;
    std::uint32_t occupants = 0;
    SlotState state = SlotState::absent;
    std::uint8_t row = k_row_absent;
    bool exclusive = false;
  };
  /// Which of 64 nodes of a leaf are in each row, k_row_whole and k_row_absent included.
  struct Word {
    std::uint64_t row[k_rows + 2] = {};
  };
  struct LeafRange {
    std::uint32_t first_word = 0;
    std::uint32_t end_word = 0;
  };

  std::uint32_t level(std::uint64_t amount, std::uint64_t of) const;
  std::uint8_t row_of(const Node& node) const;
  std::uint32_t first_row(const Resources& demand) const;
  bool has_partial_from(std::uint32_t row) const { return leaves_with_.next_row(row) != k_none; }
  std::uint32_t slot_of(std::uint32_t leaf, std::uint32_t bit) const;

  void set_state(std::uint32_t slot, SlotState state);
  void move_to_row(Node& node, std::uint32_t slot);
  void settle(std::uint32_t leaf, std::uint32_t whole_before);
  template <class Change>
  void change_each(std::span<const std::uint32_t> slots, Change change);

  // Picking, in node_index_pick.cpp.
  bool pick_partial(const PlaceRequest& request, std::uint32_t row, std::vector<std::uint32_t>& slots) const;
  std::uint32_t fitting_in_leaf(std::uint32_t leaf, std::uint32_t row, const Resources& demand) const;
  bool pick_whole(const PlaceRequest& request, std::vector<std::uint32_t>& slots) const;
  bool pick_mixed(const PlaceRequest& request, std::uint32_t row, std::vector<std::uint32_t>& slots) const;
  std::uint32_t tightest_leaf(std::uint32_t whole_nodes) const;
  std::uint32_t tightest_domain(std::uint32_t nodes) const;
  void count_room(const Resources& demand, std::uint32_t row) const;
  void take_mixed(const LeafTake& take, const PlaceRequest& request, std::uint32_t row,
                  std::vector<std::uint32_t>& slots) const;
  void take_whole(const LeafTake& take, std::vector<std::uint32_t>& slots) const;
  void take_whole_by_domain(const LeafTake& take, std::vector<std::uint32_t>& slots) const;
  void take_domain(std::uint32_t domain, std::uint32_t count, std::vector<std::uint32_t>& slots) const;
  void sort_by_rank(std::vector<std::uint32_t>& slots, std::size_t from) const;

  const Fabric& fabric_;
  Resources total_;
  std::vector<Node> nodes_;
  std::vector<Word> words_;
  std::vector<LeafRange> leaf_ranges_;
  std::vector<std::uint32_t> count_in_row_;  ///< leaf · k_rows + row
  std::vector<std::uint32_t> whole_of_leaf_;
  std::vector<std::uint32_t> whole_of_spine_;
  std::vector<std::uint32_t> whole_of_domain_;  ///< empty where no domain has more than one node
  SetTable leaves_with_;                        ///< by row: leaves that have such a node
  SetTable leaves_by_whole_;                    ///< by number of whole nodes; each leaf is in one row
  std::uint32_t usable_ = 0;
  std::uint32_t absent_ = 0;
  std::uint32_t whole_ = 0;

  // Working memory of one pick; no state, so pick() is const.
  mutable LeafCover cover_;
  mutable std::vector<LeafTake> takes_;
  mutable std::vector<std::uint32_t> room_;
};

}  // namespace virga
