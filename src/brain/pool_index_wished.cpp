// PoolIndex for jobs that name single nodes: a walk over the pool (place/node_wish.hpp).
#include <algorithm>

#include "brain/pool_index.hpp"

namespace virga {

WishedPool PoolIndex::wished_pool(const GangRequest& request, bool ready_only, bool grow) const {
  const std::uint32_t leaves = cells_.front().fabric->leaves();  // the last cell may have fewer
  return {.slots = size(),
          .cell_nodes = cell_nodes_,
          .leaf_of =
              [this, leaves](std::uint32_t slot) {
                const Cell& cell = cells_[slot / cell_nodes_];
                return slot / cell_nodes_ * leaves + cell.fabric->leaf(slot - cell.first);
              },
          .room_of =
              [this, &request, ready_only, grow](std::uint32_t number) {
                const Slot& slot = slots_[number];
                if (is_absent(number)) return grow ? WishedRoom::absent : WishedRoom::none;
                if (!slot.usable || (ready_only && !slot.ready) || slot.exclusive) return WishedRoom::none;
                if (request.exclusive && slot.occupied) return WishedRoom::none;
                return request.per_node.fits_in(room_of(slot)) ? WishedRoom::present : WishedRoom::none;
              }};
}

WishedGang PoolIndex::wished_gang(const GangRequest& request) {
  return {
      .wish = &request.wish, .nodes = request.nodes, .one_cell = request.one_cell, .leaves_max = request.leaves_max};
}

bool PoolIndex::choose_by_wish(const GangRequest& request, bool ready_only, bool grow,
                               std::vector<std::uint32_t>& slots) const {
  if (!choose_wished(wished_pool(request, ready_only, grow), wished_gang(request), slots)) return false;
  const auto rank = [this](std::uint32_t slot) {
    const Cell& cell = cells_[slot / cell_nodes_];
    return std::pair(cell.first, cell.fabric->position(slot - cell.first));
  };
  std::sort(slots.begin(), slots.end(), [&](std::uint32_t a, std::uint32_t b) { return rank(a) < rank(b); });
  return true;
}

Shadow PoolIndex::wished_shadow(const GangRequest& request, bool may_grow, Time now) const {
  const WishedPool pool = wished_pool(request, false, may_grow);
  std::vector<Time> free_at;
  free_at.reserve(size());
  std::vector<Time> moments;
  for (std::uint32_t number = 0; number < size(); ++number) {
    const Slot& slot = slots_[number];
    const bool is_busy = slot.usable && slot.busy_until.is_set();
    const Time at = pool.room_of(number) != WishedRoom::none ? now
                    : is_busy                                ? std::max(slot.busy_until, now)
                                                             : Time::never();
    free_at.push_back(at);
    if (!request.wish.excludes(number) && !at.is_never()) moments.push_back(at);
  }
  std::sort(moments.begin(), moments.end());
  moments.erase(std::unique(moments.begin(), moments.end()), moments.end());
  const auto pool_at = [&](Time at) {
    WishedPool then = pool;
    then.room_of = [&free_at, at](std::uint32_t number) {
      return free_at[number] <= at ? WishedRoom::present : WishedRoom::none;
    };
    return then;
  };
  // Nodes that are free stay so in this look ahead: what is possible at one moment is at each later one.
  std::vector<std::uint32_t> slots;
  const auto first = std::partition_point(moments.begin(), moments.end(), [&](Time at) {
    return !choose_wished(pool_at(at), wished_gang(request), slots);
  });
  if (first == moments.end()) return {};
  return {*first, std::int64_t{count_wished(pool_at(*first), wished_gang(request))} - request.nodes};
}

}  // namespace virga
