// NodeIndex: which absent slots are worth reserving, so that the gang they complete is compact. Reserving VMs is rare
// and slow beside this, so it counts anew what it needs: O(slots) for each scale set that runs out, and once before.
#include <algorithm>

#include "brain/place/node_index.hpp"

namespace virga {

namespace {

class AbsentPick {
 public:
  AbsentPick(const Fabric& fabric, const NodeIndex& index, LeafCover& cover, std::vector<LeafTake>& takes,
             const CollectiveWish& wish)
      : fabric_(fabric),
        index_(index),
        cover_(cover),
        takes_(takes),
        wish_(wish),
        taken_(fabric.slots(), 0),
        room_(fabric.leaves(), 0),
        set_room_(fabric.scale_sets(), fabric.slots()) {}

  void limit(std::span<const std::uint32_t> scale_set_room) {
    for (std::size_t set = 0; set < std::min(set_room_.size(), scale_set_room.size()); ++set) {
      set_room_[set] = std::min(set_room_[set], scale_set_room[set]);
    }
  }

  /// Fills `slots` up to `count`. False if there are not enough.
  bool pick(std::uint32_t count, std::span<const std::uint32_t> near, std::vector<std::uint32_t>& slots) {
    for (const std::uint32_t slot : near) {
      take({fabric_.leaf(slot), count - static_cast<std::uint32_t>(slots.size())}, slots);
    }
    // A scale set may run out while its leaves are taken; what is missing then is chosen again without it.
    while (slots.size() < count) {
      const std::uint32_t missing = count - static_cast<std::uint32_t>(slots.size());
      count_room();
      if (!choose_below_spines(missing, near) && !choose_below_pods(missing, near) &&
          !cover_.choose(room_, missing, 0, takes_, near.empty() ? wish_ : CollectiveWish{})) {
        return false;
      }
      for (const LeafTake& each : takes_) take(each, slots);
    }
    return true;
  }

 private:
  bool may_take(std::uint32_t slot) const {
    return taken_[slot] == 0 && index_.state(slot) == SlotState::absent && set_room_[fabric_.scale_set(slot)] > 0;
  }

  void take(const LeafTake& wanted, std::vector<std::uint32_t>& slots) {
    std::uint32_t left = wanted.nodes;
    for (const std::uint32_t slot : fabric_.slots_of_leaf(wanted.leaf)) {
      if (left == 0) return;
      if (!may_take(slot)) continue;
      --set_room_[fabric_.scale_set(slot)];
      --left;
      taken_[slot] = 1;
      slots.push_back(slot);
    }
  }

  void count_room() {
    std::vector<std::uint32_t> set_left = set_room_;
    for (std::uint32_t leaf = 0; leaf < room_.size(); ++leaf) {
      room_[leaf] = 0;
      // Within the leaf the limits hold together; each leaf is counted as if it were the only one.
      for (const std::uint32_t slot : fabric_.slots_of_leaf(leaf)) {
        if (!may_take(slot) || set_left[fabric_.scale_set(slot)] == 0) continue;
        --set_left[fabric_.scale_set(slot)];
        ++room_[leaf];
      }
      for (const std::uint32_t slot : fabric_.slots_of_leaf(leaf)) {
        const std::uint32_t set = fabric_.scale_set(slot);
        set_left[set] = set_room_[set];
      }
    }
  }

  bool choose_below_spines(std::uint32_t missing, std::span<const std::uint32_t> near) {
    std::vector<std::uint32_t> room(room_.size(), 0);
    for (const std::uint32_t slot : near) copy_room(fabric_.spine_of(fabric_.leaf(slot)), room);
    return cover_.choose(room, missing, 0, takes_);
  }

  bool choose_below_pods(std::uint32_t missing, std::span<const std::uint32_t> near) {
    std::vector<std::uint32_t> room(room_.size(), 0);
    for (const std::uint32_t slot : near) {
      const std::uint32_t pod = fabric_.pod_of(fabric_.spine_of(fabric_.leaf(slot)));
      if (room_copied_of_pod_ == pod) continue;  // neighbours in `near` mostly share their pod
      room_copied_of_pod_ = pod;
      for (std::uint32_t s = fabric_.first_spine(pod); s < fabric_.first_spine(pod + 1); ++s) copy_room(s, room);
    }
    room_copied_of_pod_ = k_none;
    return cover_.choose(room, missing, 0, takes_);
  }

  void copy_room(std::uint32_t spine, std::vector<std::uint32_t>& room) const {
    for (std::uint32_t l = fabric_.first_leaf(spine); l < fabric_.first_leaf(spine + 1); ++l) room[l] = room_[l];
  }

  const Fabric& fabric_;
  const NodeIndex& index_;
  LeafCover& cover_;
  std::vector<LeafTake>& takes_;
  const CollectiveWish& wish_;  ///< of a gang that has no slots yet
  std::vector<std::uint8_t> taken_;
  std::vector<std::uint32_t> room_;
  std::vector<std::uint32_t> set_room_;  ///< how many VMs each scale set may still get
  std::uint32_t room_copied_of_pod_ = k_none;
};

}  // namespace

bool NodeIndex::pick_absent(std::uint32_t count, std::span<const std::uint32_t> near,
                            std::span<const std::uint32_t> scale_set_room, std::vector<std::uint32_t>& slots,
                            const CollectiveWish& wish) const {
  slots.clear();
  if (count > absent_) return false;
  AbsentPick work(fabric_, *this, cover_, takes_, wish);
  work.limit(scale_set_room);
  if (!work.pick(count, near, slots)) {
    slots.clear();
    return false;
  }
  sort_by_rank(slots, 0);
  return true;
}

}  // namespace virga
