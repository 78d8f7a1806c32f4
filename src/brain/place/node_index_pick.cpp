// NodeIndex: which slots a gang takes. The policy is in the header.
#include <algorithm>
#include <bit>
#include <tuple>

#include "brain/place/node_index.hpp"

namespace virga {

namespace {

/// Calls `use` with the place of each set bit, lowest first, until it returns false.
template <class Use>
bool each_bit(std::uint64_t bits, Use use) {
  for (; bits != 0; bits &= bits - 1) {
    if (!use(static_cast<std::uint32_t>(std::countr_zero(bits)))) return false;
  }
  return true;
}

}  // namespace

bool NodeIndex::pick(const PlaceRequest& request, std::vector<std::uint32_t>& slots) const {
  slots.clear();
  if (request.nodes == 0 || request.nodes > usable_ || !request.per_node.fits_in(total_)) return false;
  const std::uint32_t row = first_row(request.per_node);
  if (request.exclusive || !has_partial_from(row)) return pick_whole(request, slots);
  if (request.nodes == 1) return pick_partial(request, row, slots) || pick_whole(request, slots);
  return pick_mixed(request, row, slots);
}

std::uint32_t NodeIndex::fitting(const PlaceRequest& request) const {
  if (!request.per_node.fits_in(total_)) return 0;
  std::uint32_t found = whole_;
  if (request.exclusive) return found;
  const std::uint32_t first = first_row(request.per_node);
  for (std::uint32_t row = leaves_with_.next_row(first); row != k_none; row = leaves_with_.next_row(row + 1)) {
    for (std::uint32_t leaf = leaves_with_.next(row, 0); leaf != k_none; leaf = leaves_with_.next(row, leaf + 1)) {
      found += fitting_in_leaf(leaf, row, request.per_node);
    }
  }
  return found;
}

/// How many nodes of exactly this row fit.
std::uint32_t NodeIndex::fitting_in_leaf(std::uint32_t leaf, std::uint32_t row, const Resources& demand) const {
  std::uint32_t found = 0;
  for (std::uint32_t w = leaf_ranges_[leaf].first_word; w < leaf_ranges_[leaf].end_word; ++w) {
    each_bit(words_[w].row[row], [&](std::uint32_t bit) {
      found += demand.fits_in(nodes_[slot_of(leaf, w * 64 + bit)].free) ? 1 : 0;
      return true;
    });
  }
  return found;
}

/// One node that something runs on already: row by row from the fullest, then by the leaf's whole nodes.
bool NodeIndex::pick_partial(const PlaceRequest& request, std::uint32_t row, std::vector<std::uint32_t>& slots) const {
  auto take_from = [&](std::uint32_t leaf, std::uint32_t at_row) {
    for (std::uint32_t w = leaf_ranges_[leaf].first_word; w < leaf_ranges_[leaf].end_word; ++w) {
      const bool none = each_bit(words_[w].row[at_row], [&](std::uint32_t bit) {
        const std::uint32_t slot = slot_of(leaf, w * 64 + bit);
        if (!request.per_node.fits_in(nodes_[slot].free)) return true;
        slots.push_back(slot);
        return false;
      });
      if (!none) return true;
    }
    return false;
  };
  for (row = leaves_with_.next_row(row); row != k_none; row = leaves_with_.next_row(row + 1)) {
    for (std::uint32_t k = leaves_by_whole_.next_row(0); k != k_none; k = leaves_by_whole_.next_row(k + 1)) {
      for (std::uint32_t i = 0; i < leaves_with_.words(); ++i) {
        const std::uint64_t leaves = leaves_with_.word(row, i) & leaves_by_whole_.word(k, i);
        if (!each_bit(leaves, [&](std::uint32_t bit) { return !take_from(i * 64 + bit, row); })) return true;
      }
    }
  }
  return false;
}

bool NodeIndex::pick_whole(const PlaceRequest& request, std::vector<std::uint32_t>& slots) const {
  if (request.nodes > whole_) return false;
  if (!whole_of_domain_.empty() && request.nodes <= fabric_.nvlink_slots_max()) {
    const std::uint32_t domain = tightest_domain(request.nodes);
    if (domain != k_none) {
      take_domain(domain, request.nodes, slots);
      return true;
    }
  }
  const std::uint32_t enough = leaves_by_whole_.next_row(request.nodes);
  if (enough != k_none) {
    take_whole({tightest_leaf(enough), request.nodes}, slots);
    return true;
  }
  if (request.switches_max == 1) return false;
  if (!cover_.choose(whole_of_leaf_, request.nodes, request.switches_max, takes_, request.collective)) return false;
  for (const LeafTake& take : takes_) take_whole(take, slots);
  return true;
}

/// Of the leaves with so many whole nodes the first below the spine that has the fewest.
std::uint32_t NodeIndex::tightest_leaf(std::uint32_t whole_nodes) const {
  std::uint32_t best = leaves_by_whole_.next(whole_nodes, 0);
  if (fabric_.spines() == 1) return best;
  std::uint32_t least = whole_of_spine_[fabric_.spine_of(best)];
  for (std::uint32_t leaf = best;;) {
    // The leaves of a spine are neighbours: the first of each spine is enough.
    leaf = leaves_by_whole_.next(whole_nodes, fabric_.first_leaf(fabric_.spine_of(leaf) + 1));
    if (leaf == k_none) return best;
    const std::uint32_t here = whole_of_spine_[fabric_.spine_of(leaf)];
    if (here < least) {
      best = leaf;
      least = here;
    }
  }
}

/// The NVLink domain with the fewest whole nodes that holds them all; then the leaf with the fewest.
std::uint32_t NodeIndex::tightest_domain(std::uint32_t nodes) const {
  std::uint32_t best = k_none;
  auto rank = [&](std::uint32_t domain) {
    const std::uint32_t leaf = fabric_.leaf(fabric_.slot_at(fabric_.first_in_domain(domain)));
    return std::tuple(whole_of_domain_[domain], whole_of_leaf_[leaf]);
  };
  for (std::uint32_t domain = 0; domain < fabric_.nvlink_domains(); ++domain) {
    if (whole_of_domain_[domain] < nodes) continue;
    if (best == k_none || rank(domain) < rank(best)) best = domain;
  }
  return best;
}

void NodeIndex::take_domain(std::uint32_t domain, std::uint32_t count, std::vector<std::uint32_t>& slots) const {
  for (std::uint32_t p = fabric_.first_in_domain(domain); count > 0; ++p) {
    const std::uint32_t slot = fabric_.slot_at(p);
    if (nodes_[slot].row != k_row_whole) continue;
    slots.push_back(slot);
    --count;
  }
}

void NodeIndex::take_whole(const LeafTake& take, std::vector<std::uint32_t>& slots) const {
  if (!whole_of_domain_.empty()) return take_whole_by_domain(take, slots);
  std::uint32_t left = take.nodes;
  for (std::uint32_t w = leaf_ranges_[take.leaf].first_word; left > 0; ++w) {
    each_bit(words_[w].row[k_row_whole], [&](std::uint32_t bit) {
      slots.push_back(slot_of(take.leaf, w * 64 + bit));
      return --left > 0;
    });
  }
}

/// The fewest domains of the leaf: the emptiest first, and the tightest that holds the remainder last.
void NodeIndex::take_whole_by_domain(const LeafTake& take, std::vector<std::uint32_t>& slots) const {
  const std::uint32_t first_position = fabric_.first_position(take.leaf);
  const std::uint32_t first = fabric_.nvlink_domain(fabric_.slot_at(first_position));
  const std::uint32_t end = fabric_.nvlink_domain(fabric_.slot_at(fabric_.first_position(take.leaf + 1) - 1)) + 1;
  const std::size_t begin = slots.size();
  // Whatever ranks lower than this (room, number) pair has not been taken yet.
  std::tuple<std::uint32_t, std::uint32_t> taken_from{k_none, 0};
  auto rank = [&](std::uint32_t domain) { return std::tuple(whole_of_domain_[domain], end - domain); };
  for (std::uint32_t left = take.nodes; left > 0;) {
    std::uint32_t next = k_none;
    for (std::uint32_t domain = first; domain < end; ++domain) {
      if (whole_of_domain_[domain] == 0 || rank(domain) >= taken_from) continue;
      const std::uint32_t here = whole_of_domain_[domain];
      // The tightest one that takes the rest; while there is none, the roomiest.
      const bool found = next != k_none && whole_of_domain_[next] >= left;
      const bool is_better =
          found ? here >= left && here < whole_of_domain_[next] : next == k_none || rank(domain) > rank(next);
      if (is_better) next = domain;
    }
    taken_from = rank(next);
    const std::uint32_t count = std::min(left, whole_of_domain_[next]);
    take_domain(next, count, slots);
    left -= count;
  }
  sort_by_rank(slots, begin);
}

void NodeIndex::sort_by_rank(std::vector<std::uint32_t>& slots, std::size_t from) const {
  const auto begin = slots.begin() + static_cast<std::ptrdiff_t>(from);
  const auto before = [&](std::uint32_t a, std::uint32_t b) { return fabric_.position(a) < fabric_.position(b); };
  if (!std::is_sorted(begin, slots.end(), before)) std::sort(begin, slots.end(), before);
}

/// room_: how many nodes of each leaf fit, whole ones included.
void NodeIndex::count_room(const Resources& demand, std::uint32_t row) const {
  std::copy(whole_of_leaf_.begin(), whole_of_leaf_.end(), room_.begin());
  for (row = leaves_with_.next_row(row); row != k_none; row = leaves_with_.next_row(row + 1)) {
    for (std::uint32_t leaf = leaves_with_.next(row, 0); leaf != k_none; leaf = leaves_with_.next(row, leaf + 1)) {
      room_[leaf] += fitting_in_leaf(leaf, row, demand);
    }
  }
}

/// A gang of parts of nodes: whole nodes and partly used ones, as few whole ones as the leaf allows.
bool NodeIndex::pick_mixed(const PlaceRequest& request, std::uint32_t row, std::vector<std::uint32_t>& slots) const {
  count_room(request.per_node, row);
  std::uint32_t best = k_none;
  auto rank = [&](std::uint32_t leaf) {
    const std::uint32_t partial = room_[leaf] - whole_of_leaf_[leaf];
    return std::tuple(request.nodes - std::min(request.nodes, partial), room_[leaf],
                      whole_of_spine_[fabric_.spine_of(leaf)]);
  };
  for (std::uint32_t leaf = 0; leaf < room_.size(); ++leaf) {
    if (room_[leaf] < request.nodes) continue;
    if (best == k_none || rank(leaf) < rank(best)) best = leaf;
  }
  if (best != k_none) {
    take_mixed({best, request.nodes}, request, row, slots);
    return true;
  }
  if (request.switches_max == 1) return false;
  if (!cover_.choose(room_, request.nodes, request.switches_max, takes_, request.collective)) return false;
  for (const LeafTake& take : takes_) take_mixed(take, request, row, slots);
  return true;
}

/// From one leaf: the fullest nodes that fit, then whole ones.
void NodeIndex::take_mixed(const LeafTake& take, const PlaceRequest& request, std::uint32_t row,
                           std::vector<std::uint32_t>& slots) const {
  const std::size_t begin = slots.size();
  std::uint32_t left = take.nodes;
  for (; row < k_rows && left > 0; ++row) {
    if (count_in_row_[take.leaf * k_rows + row] == 0) continue;
    for (std::uint32_t w = leaf_ranges_[take.leaf].first_word; w < leaf_ranges_[take.leaf].end_word && left > 0; ++w) {
      each_bit(words_[w].row[row], [&](std::uint32_t bit) {
        const std::uint32_t slot = slot_of(take.leaf, w * 64 + bit);
        if (!request.per_node.fits_in(nodes_[slot].free)) return true;
        slots.push_back(slot);
        return --left > 0;
      });
    }
  }
  if (left > 0) take_whole({take.leaf, left}, slots);
  sort_by_rank(slots, begin);
}

}  // namespace virga
