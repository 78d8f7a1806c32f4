#include "brain/place/node_index.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace virga {

NodeIndex::NodeIndex(const Fabric& fabric, const Resources& total)
    : fabric_(fabric),
      total_(total),
      nodes_(fabric.slots()),
      count_in_row_(static_cast<std::size_t>(fabric.leaves()) * k_rows, 0),
      whole_of_leaf_(fabric.leaves(), 0),
      whole_of_spine_(fabric.spines(), 0),
      leaves_with_(k_rows, fabric.leaves()),
      leaves_by_whole_(fabric.leaf_slots_max() + 1, fabric.leaves()),
      absent_(fabric.slots()),
      cover_(fabric),
      room_(fabric.leaves(), 0) {
  if (fabric.nvlink_slots_max() > 1) whole_of_domain_.assign(fabric.nvlink_domains(), 0);
  std::uint32_t word = 0;
  for (std::uint32_t leaf = 0; leaf < fabric.leaves(); ++leaf) {
    const auto below = fabric.slots_of_leaf(leaf);
    const auto count = static_cast<std::uint32_t>(below.size());
    leaf_ranges_.push_back({word, word + (count + 63) / 64});
    words_.resize(leaf_ranges_.back().end_word);
    for (std::uint32_t i = 0; i < count; ++i) {
      Node& node = nodes_[below[i]];
      node.free = total;
      node.leaf = leaf;
      node.bit = word * 64 + i;
      words_[node.bit / 64].row[k_row_absent] |= std::uint64_t{1} << (node.bit % 64);
    }
    leaves_by_whole_.insert(0, leaf);
    word = leaf_ranges_.back().end_word;
  }
}

/// How many sixteenths of `of` the amount fills, rounded down.
std::uint32_t NodeIndex::level(std::uint64_t amount, std::uint64_t of) const {
  if (amount >= of) return k_levels;
  if (of >= std::uint64_t{1} << 59) return static_cast<std::uint32_t>(amount / (of / k_levels + 1));
  return static_cast<std::uint32_t>(amount * k_levels / of);
}

std::uint8_t NodeIndex::row_of(const Node& node) const {
  if (node.state == SlotState::absent) return k_row_absent;
  if (node.state == SlotState::unusable || node.exclusive) return k_row_nowhere;
  if (node.occupants == 0) return k_row_whole;
  if (node.free.cpus == 0) return 0;
  return static_cast<std::uint8_t>(
      1 + (total_.gpus != 0 ? level(node.free.gpus, total_.gpus) : level(node.free.cpus, total_.cpus)));
}

/// No partly used node in a row before this one fits.
std::uint32_t NodeIndex::first_row(const Resources& demand) const {
  if (demand.cpus == 0) return 0;
  return 1 + (total_.gpus != 0 ? level(demand.gpus, total_.gpus) : level(demand.cpus, total_.cpus));
}

std::uint32_t NodeIndex::slot_of(std::uint32_t leaf, std::uint32_t bit) const {
  return fabric_.slot_at(fabric_.first_position(leaf) + bit - leaf_ranges_[leaf].first_word * 64);
}

bool NodeIndex::fits(std::uint32_t slot, const Resources& demand, bool exclusive) const {
  const Node& node = nodes_[slot];
  if (node.state != SlotState::usable || node.exclusive || (exclusive && node.occupants != 0)) return false;
  return demand.fits_in(node.free);
}

/// Puts the node where its present values belong. The caller settles its leaf afterwards.
void NodeIndex::move_to_row(Node& node, std::uint32_t slot) {
  const std::uint8_t from = node.row;
  const std::uint8_t to = row_of(node);
  if (from == to) return;
  node.row = to;
  Word& word = words_[node.bit / 64];
  const std::uint64_t bit = std::uint64_t{1} << (node.bit % 64);
  if (from != k_row_nowhere) word.row[from] &= ~bit;
  if (to != k_row_nowhere) word.row[to] |= bit;
  if (from < k_rows && --count_in_row_[node.leaf * k_rows + from] == 0) leaves_with_.erase(from, node.leaf);
  if (to < k_rows && count_in_row_[node.leaf * k_rows + to]++ == 0) leaves_with_.insert(to, node.leaf);
  const auto more_whole =
      static_cast<std::uint32_t>(to == k_row_whole) - static_cast<std::uint32_t>(from == k_row_whole);
  whole_of_leaf_[node.leaf] += more_whole;
  if (!whole_of_domain_.empty()) whole_of_domain_[fabric_.nvlink_domain(slot)] += more_whole;
}

/// Brings the sums above a leaf up to date after the rows of its nodes changed.
void NodeIndex::settle(std::uint32_t leaf, std::uint32_t whole_before) {
  const std::uint32_t now = whole_of_leaf_[leaf];
  if (now == whole_before) return;
  leaves_by_whole_.erase(whole_before, leaf);
  leaves_by_whole_.insert(now, leaf);
  whole_of_spine_[fabric_.spine_of(leaf)] += now - whole_before;
  whole_ += now - whole_before;
}

void NodeIndex::set_state(std::uint32_t slot, SlotState state) {
  VIRGA_ASSERT(slot < nodes_.size(), "a slot of this pool");
  Node& node = nodes_[slot];
  if (node.state == state) return;
  VIRGA_ASSERT(state != SlotState::absent || node.occupants == 0, "a node that jobs use is not absent");
  auto count = [&](int by) {
    if (node.state == SlotState::usable) usable_ += static_cast<std::uint32_t>(by);
    if (node.state == SlotState::absent) absent_ += static_cast<std::uint32_t>(by);
  };
  count(-1);
  node.state = state;
  count(1);
  const std::uint32_t before = whole_of_leaf_[node.leaf];
  move_to_row(node, slot);
  settle(node.leaf, before);
}

/// Changes the nodes one by one; each leaf on the way is settled once.
template <class Change>
void NodeIndex::change_each(std::span<const std::uint32_t> slots, Change change) {
  if (slots.empty()) return;
  std::uint32_t leaf = nodes_[slots.front()].leaf;
  std::uint32_t before = whole_of_leaf_[leaf];
  for (const std::uint32_t slot : slots) {
    Node& node = nodes_[slot];
    if (node.leaf != leaf) {
      settle(leaf, before);
      leaf = node.leaf;
      before = whole_of_leaf_[leaf];
    }
    change(node);
    move_to_row(node, slot);
  }
  settle(leaf, before);
}

void NodeIndex::occupy(std::span<const std::uint32_t> slots, const Resources& demand, bool exclusive) {
  change_each(slots, [&](Node& node) {
    VIRGA_ASSERT(node.state != SlotState::absent, "jobs run on nodes that exist");
    VIRGA_ASSERT(!node.exclusive && !(exclusive && node.occupants != 0), "an exclusive job has its nodes alone");
    VIRGA_ASSERT(demand.fits_in(node.free), "a node holds no more than it has");
    node.free.cpus -= demand.cpus;
    node.free.gpus -= demand.gpus;
    node.free.memory_bytes -= demand.memory_bytes;
    ++node.occupants;
    node.exclusive = exclusive;
  });
}

void NodeIndex::vacate(std::span<const std::uint32_t> slots, const Resources& demand, bool exclusive) {
  change_each(slots, [&](Node& node) {
    VIRGA_ASSERT(node.occupants > 0 && node.exclusive == exclusive, "what is vacated was occupied so");
    node.free.cpus += demand.cpus;
    node.free.gpus += demand.gpus;
    node.free.memory_bytes += demand.memory_bytes;
    VIRGA_ASSERT(node.free.fits_in(total_), "no more is vacated than was occupied");
    --node.occupants;
    node.exclusive = false;
  });
}

}  // namespace virga
