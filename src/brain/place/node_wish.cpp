#include "brain/place/node_wish.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace virga {

namespace {

struct Range {
  std::uint32_t first = 0;
  std::uint32_t end = 0;
};

std::vector<Range> ranges_of(const WishedPool& pool, bool one_cell) {
  if (!one_cell) return {{0, pool.slots}};
  std::vector<Range> ranges;
  for (std::uint32_t first = 0; first < pool.slots; first += pool.cell_nodes) {
    ranges.push_back({first, std::min(first + pool.cell_nodes, pool.slots)});
  }
  return ranges;
}

WishedRoom room_of(const WishedPool& pool, const NodeWish& wish, std::uint32_t slot) {
  return wish.excludes(slot) ? WishedRoom::none : pool.room_of(slot);
}

/// The row of neighbours with the fewest that must be asked for, all required ones among them; of equals the first.
bool choose_row(const WishedPool& pool, const WishedGang& gang, Range range, std::vector<std::uint32_t>& slots) {
  const NodeWish& wish = *gang.wish;
  std::uint32_t best = range.end;
  std::uint32_t fewest = gang.nodes + 1;
  for (std::uint32_t first = range.first; first + gang.nodes <= range.end; ++first) {
    const std::uint32_t end = first + gang.nodes;
    if (!wish.required.empty() && (wish.required.front() < first || wish.required.back() >= end)) continue;
    std::uint32_t absent = 0;
    bool is_free = true;
    for (std::uint32_t slot = first; slot < end && is_free; ++slot) {
      const WishedRoom room = room_of(pool, wish, slot);
      is_free = room != WishedRoom::none;
      absent += room == WishedRoom::absent ? 1 : 0;
    }
    if (!is_free || absent >= fewest) continue;
    best = first;
    fewest = absent;
  }
  if (best == range.end) return false;
  for (std::uint32_t slot = best; slot < best + gang.nodes; ++slot) slots.push_back(slot);
  return true;
}

/// Required nodes of this range and whatever else is best.
bool choose_in(const WishedPool& pool, const WishedGang& gang, Range range, std::vector<std::uint32_t>& slots) {
  const NodeWish& wish = *gang.wish;
  for (std::uint32_t slot : wish.required) {
    const bool is_here = slot >= range.first && slot < range.end;
    if (!is_here || room_of(pool, wish, slot) == WishedRoom::none) return false;
  }
  if (wish.required.size() > gang.nodes) return false;
  if (wish.contiguous) return choose_row(pool, gang, range, slots);
  struct Leaf {
    std::uint32_t required = 0;
    std::uint32_t room = 0;
  };
  std::map<std::uint32_t, Leaf> leaves;
  struct Candidate {
    std::uint32_t slot = 0;
    std::uint32_t leaf = 0;
    bool absent = false;
  };
  std::vector<Candidate> others;
  slots = wish.required;
  for (std::uint32_t slot = range.first; slot < range.end; ++slot) {
    const WishedRoom room = room_of(pool, wish, slot);
    if (room == WishedRoom::none) continue;
    Leaf& leaf = leaves[pool.leaf_of(slot)];
    ++leaf.room;
    if (wish.requires_slot(slot)) {
      ++leaf.required;
    } else {
      others.push_back({slot, pool.leaf_of(slot), room == WishedRoom::absent});
    }
  }
  const bool leaf_first = gang.leaves_max > 0;
  const auto rank = [&](const Candidate& c) {
    const Leaf& leaf = leaves.at(c.leaf);
    return std::tuple(!leaf_first && c.absent, leaf.required == 0, ~leaf.room, c.leaf, c.absent, c.slot);
  };
  std::sort(others.begin(), others.end(), [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); });
  for (const Candidate& candidate : others) {
    if (slots.size() == gang.nodes) break;
    slots.push_back(candidate.slot);
  }
  return slots.size() == gang.nodes;
}

std::uint32_t leaves_among(const WishedPool& pool, const std::vector<std::uint32_t>& slots) {
  std::vector<std::uint32_t> leaves;
  leaves.reserve(slots.size());
  for (std::uint32_t slot : slots) leaves.push_back(pool.leaf_of(slot));
  std::sort(leaves.begin(), leaves.end());
  return static_cast<std::uint32_t>(std::unique(leaves.begin(), leaves.end()) - leaves.begin());
}

}  // namespace

bool NodeWish::requires_slot(std::uint32_t slot) const {
  return std::binary_search(required.begin(), required.end(), slot);
}

bool NodeWish::excludes(std::uint32_t slot) const { return std::binary_search(excluded.begin(), excluded.end(), slot); }

bool choose_wished(const WishedPool& pool, const WishedGang& gang, std::vector<std::uint32_t>& slots) {
  std::vector<std::uint32_t> best;
  std::uint32_t fewest = gang.nodes + 1;
  for (const Range& range : ranges_of(pool, gang.one_cell)) {
    std::vector<std::uint32_t> here;
    if (!choose_in(pool, gang, range, here)) continue;
    if (gang.leaves_max > 0 && leaves_among(pool, here) > gang.leaves_max) continue;
    const auto absent = static_cast<std::uint32_t>(std::count_if(
        here.begin(), here.end(), [&](std::uint32_t slot) { return pool.room_of(slot) == WishedRoom::absent; }));
    if (absent >= fewest) continue;
    fewest = absent;
    best = std::move(here);
  }
  slots = std::move(best);
  std::sort(slots.begin(), slots.end());
  return !slots.empty();
}

std::uint32_t count_wished(const WishedPool& pool, const WishedGang& gang) {
  std::uint32_t most = 0;
  for (const Range& range : ranges_of(pool, gang.one_cell)) {
    std::uint32_t here = 0;
    for (std::uint32_t slot = range.first; slot < range.end; ++slot) {
      here += room_of(pool, *gang.wish, slot) != WishedRoom::none ? 1 : 0;
    }
    most = std::max(most, here);
  }
  return most;
}

}  // namespace virga
