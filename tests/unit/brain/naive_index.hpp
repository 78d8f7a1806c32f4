// The same answers as NodeIndex's by looking at everything: every node, every subset of leaves. For small fabrics.
#pragma once

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "base/prng.hpp"
#include "brain/place/node_index.hpp"

namespace virga::test {

struct Random : Prng {
  using Prng::Prng;
  std::uint32_t below(std::uint64_t limit) { return static_cast<std::uint32_t>(Prng::below(limit)); }
};

struct NaiveNode {
  SlotState state = SlotState::absent;
  Resources free;
  std::uint32_t jobs = 0;
  bool exclusive = false;
};

struct NaiveIndex {
  NaiveIndex(const Fabric& fabric, const Resources& total) : fabric(fabric), total(total), nodes(fabric.slots()) {
    for (NaiveNode& node : nodes) node.free = total;
  }

  void change(const std::vector<std::uint32_t>& slots, const Resources& demand, bool exclusive, bool occupy) {
    for (std::uint32_t slot : slots) {
      NaiveNode& node = nodes[slot];
      node.free.cpus = occupy ? node.free.cpus - demand.cpus : node.free.cpus + demand.cpus;
      node.free.gpus = occupy ? node.free.gpus - demand.gpus : node.free.gpus + demand.gpus;
      node.free.memory_bytes =
          occupy ? node.free.memory_bytes - demand.memory_bytes : node.free.memory_bytes + demand.memory_bytes;
      node.jobs = occupy ? node.jobs + 1 : node.jobs - 1;
      node.exclusive = occupy && exclusive;
    }
  }

  bool is_whole(std::uint32_t slot) const { return nodes[slot].state == SlotState::usable && nodes[slot].jobs == 0; }
  bool fits(std::uint32_t slot, const PlaceRequest& r) const {
    const NaiveNode& node = nodes[slot];
    if (node.state != SlotState::usable || node.exclusive || (r.exclusive && node.jobs != 0)) return false;
    return r.per_node.fits_in(node.free);
  }
  template <class Which>
  std::uint32_t count(Which which) const {
    std::uint32_t found = 0;
    for (std::uint32_t slot = 0; slot < nodes.size(); ++slot) found += which(slot) ? 1 : 0;
    return found;
  }
  std::vector<std::uint32_t> room(const PlaceRequest& r) const {
    std::vector<std::uint32_t> room(fabric.leaves(), 0);
    for (std::uint32_t slot = 0; slot < nodes.size(); ++slot) room[fabric.leaf(slot)] += fits(slot, r) ? 1 : 0;
    return room;
  }
  std::uint32_t whole_below(std::uint32_t slot, bool spine) const {
    return count([&](std::uint32_t other) {
      const std::uint32_t a = fabric.leaf(slot);
      const std::uint32_t b = fabric.leaf(other);
      return is_whole(other) && (spine ? fabric.spine_of(a) == fabric.spine_of(b) : a == b);
    });
  }

  /// The fullest node that fits, as the header of NodeIndex says; slots() if there is none.
  std::uint32_t best_node(const PlaceRequest& r) const {
    std::uint32_t best = fabric.slots();
    auto fullness = [&](std::uint32_t slot) -> std::uint64_t {
      if (is_whole(slot)) return 100;
      if (nodes[slot].free.cpus == 0) return 0;
      if (total.gpus != 0) return 1 + std::uint64_t{16} * nodes[slot].free.gpus / total.gpus;
      return 1 + std::uint64_t{16} * nodes[slot].free.cpus / total.cpus;
    };
    auto rank = [&](std::uint32_t slot) {
      return std::tuple(fullness(slot), whole_below(slot, false), is_whole(slot) ? whole_below(slot, true) : 0,
                        fabric.position(slot));
    };
    for (std::uint32_t slot = 0; slot < nodes.size(); ++slot) {
      if (fits(slot, r) && (best == fabric.slots() || rank(slot) < rank(best))) best = slot;
    }
    return best;
  }

  /// (fewest leaves, fewest spines with so few leaves) that hold the gang, over all subsets of leaves; 0: none does.
  std::tuple<std::uint32_t, std::uint32_t> fewest(const PlaceRequest& r) const {
    const std::vector<std::uint32_t> has = room(r);
    std::tuple<std::uint32_t, std::uint32_t> best{0, 0};
    for (std::uint32_t subset = 1; subset < (1U << has.size()); ++subset) {
      std::uint32_t nodes_held = 0;
      std::uint32_t leaves = 0;
      std::uint32_t spines = 0;
      std::uint32_t last_spine = fabric.spines();
      for (std::uint32_t leaf = 0; leaf < has.size(); ++leaf) {
        if ((subset >> leaf & 1) == 0) continue;
        nodes_held += has[leaf];
        ++leaves;
        if (fabric.spine_of(leaf) != last_spine) ++spines;
        last_spine = fabric.spine_of(leaf);
      }
      const std::tuple here{leaves, spines};
      if (nodes_held >= r.nodes && (std::get<0>(best) == 0 || here < best)) best = here;
    }
    return best;
  }

  const Fabric& fabric;
  Resources total;
  std::vector<NaiveNode> nodes;
};

template <class Of>
std::uint32_t distinct(const std::vector<std::uint32_t>& slots, Of of) {
  std::vector<std::uint32_t> values;
  for (std::uint32_t slot : slots) values.push_back(of(slot));
  std::sort(values.begin(), values.end());
  return static_cast<std::uint32_t>(std::unique(values.begin(), values.end()) - values.begin());
}

inline bool in_rank_order(const Fabric& fabric, const std::vector<std::uint32_t>& slots) {
  return std::is_sorted(slots.begin(), slots.end(),
                        [&](std::uint32_t a, std::uint32_t b) { return fabric.position(a) < fabric.position(b); }) &&
         distinct(slots, [](std::uint32_t slot) { return slot; }) == slots.size();
}

}  // namespace virga::test
