#include "brain/pool_index.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include "base/assert.hpp"

namespace virga {

namespace {

constexpr std::uint32_t k_room_levels = 16;
/// Once one of them is as fast as can be, more are looked at only to tell what was passed over.
constexpr std::size_t k_cells_compared = 8;

std::shared_ptr<const Fabric> fabric_of(const Pool& pool, std::uint32_t nodes) {
  const PoolFabric& shape = pool.fabric;
  Result<Fabric> fabric =
      Fabric::build(FabricShape{.nodes = nodes,
                                .nodes_per_leaf = shape.nodes_per_leaf > 0 ? shape.nodes_per_leaf : nodes,
                                .leaves_per_spine = shape.leaves_per_spine,
                                .spines_per_pod = shape.spines_per_pod,
                                .taper = {.leaf_permille = shape.leaf_taper_permille,
                                          .spine_permille = shape.spine_taper_permille,
                                          .pod_permille = shape.pod_taper_permille}});
  VIRGA_ASSERT(fabric, "a regular fabric can always be built");
  return std::make_shared<const Fabric>(*std::move(fabric));
}

std::uint32_t count_in(const NodeIndex& nodes, const GangRequest& request) {
  return nodes.fitting({.nodes = request.nodes, .per_node = request.per_node, .exclusive = request.exclusive});
}

}  // namespace

PoolIndex::PoolIndex(const Pool& pool)
    : total_(pool.sku.resources),
      collectives_(pool),
      shape_(pool.fabric),
      slots_(pool.max_nodes),
      absent_(pool.max_nodes) {
  const bool sets_matter = pool.set_nodes_max > 0 && !pool.ib_spans_sets;
  cell_nodes_ = sets_matter ? pool.set_nodes_max : pool.max_nodes;
  for (std::uint32_t first = 0; first < pool.max_nodes; first += cell_nodes_) {
    auto fabric = fabric_of(pool, std::min(cell_nodes_, pool.max_nodes - first));
    NodeIndex nodes(*fabric, total_);
    cells_.push_back({first, std::move(fabric), nodes, nodes});
  }
}

Resources PoolIndex::room_of(const Slot& slot) const {
  const Resources& used = slot.used;
  return {total_.cpus - used.cpus, total_.gpus - used.gpus, total_.memory_bytes - used.memory_bytes};
}

/// How many sixteenths of a node's scarcest thing, rounded down: who needs more than there is never has a lower level.
std::uint32_t PoolIndex::room_level(const Resources& room) const {
  const std::uint64_t all = total_.gpus > 0 ? total_.gpus : std::max<std::uint32_t>(total_.cpus, 1);
  return static_cast<std::uint32_t>((total_.gpus > 0 ? room.gpus : room.cpus) * k_room_levels / all);
}

bool PoolIndex::is_shared(const Slot& slot) const {
  if (!slot.usable || !slot.occupied || slot.exclusive || slot.used.cpus >= total_.cpus) return false;
  return total_.gpus == 0 || slot.used.gpus < total_.gpus;
}

/// Nodes of one cell that were alike but for their VMs, and will be.
void PoolIndex::replace(std::span<const std::uint32_t> numbers, const Slot& now) {
  const Slot before = slots_[numbers.front()];
  const auto count = static_cast<std::uint32_t>(numbers.size());
  Cell& cell = cells_[numbers.front() / cell_nodes_];
  in_cell_.clear();
  for (std::uint32_t number : numbers) in_cell_.push_back(number - cell.first);
  const auto state_in = [](const Slot& s, bool usable) {
    if (!s.vm && !s.drained) return SlotState::absent;
    return usable ? SlotState::usable : SlotState::unusable;
  };
  const bool same_room =
      before.occupied == now.occupied && before.exclusive == now.exclusive && before.used == now.used;
  for (NodeIndex* nodes : {&cell.present, &cell.ready}) {
    const bool all = nodes == &cell.present;
    const SlotState old_state = state_in(before, all ? before.usable : before.usable && before.ready);
    const SlotState new_state = state_in(now, all ? now.usable : now.usable && now.ready);
    const bool held = before.occupied && old_state != SlotState::absent;
    if (held && (!same_room || new_state == SlotState::absent)) nodes->vacate(in_cell_, before.used, before.exclusive);
    if (old_state != new_state) {
      for (std::uint32_t at : in_cell_) {
        if (new_state == SlotState::absent) nodes->set_absent(at);
        if (new_state == SlotState::usable) nodes->set_usable(at);
        if (new_state == SlotState::unusable) nodes->set_unusable(at);
      }
    }
    if (now.occupied && new_state != SlotState::absent && (!held || !same_room)) {
      nodes->occupy(in_cell_, now.used, now.exclusive);
    }
  }
  if (before.busy_until != now.busy_until || before.usable != now.usable) {
    if (before.usable && before.busy_until.is_set()) releases_.remove({before.busy_until, {}}, count);
    if (now.usable && now.busy_until.is_set()) releases_.add({now.busy_until, {}}, count);
  }
  for (std::uint32_t number : numbers) {
    if (is_shared(before)) shared_.erase({room_level(room_of(before)), before.busy_until, number});
    if (is_shared(now)) shared_.emplace(room_level(room_of(now)), now.busy_until, number);
  }
  const auto more = [&](bool is, bool was) {
    return (static_cast<std::uint32_t>(is) - static_cast<std::uint32_t>(was)) * count;
  };
  usable_ += more(now.usable, before.usable);
  drained_ += more(now.drained, before.drained);
  absent_ += more(!now.vm && !now.drained, !before.vm && !before.drained);
}

PoolIndex::Slot PoolIndex::slot_for(const Present& present) {
  const Vm& vm = *present.vm;
  Slot now;
  now.vm = vm.id;
  now.usable = vm.state != VmState::releasing && !vm.drained && !vm.doomed;
  now.ready = vm.state == VmState::ready;
  now.drained = vm.drained;
  now.occupied = !vm.jobs.empty();
  now.exclusive = vm.exclusive;
  now.used = vm.used;
  now.busy_until = present.busy_until;
  return now;
}

void PoolIndex::put(std::span<const Present> vms) {
  for (std::size_t i = 0; i < vms.size();) {
    const std::uint32_t first = vms[i].vm->slot;
    const Slot before = slots_[first];
    const Slot now = slot_for(vms[i]);
    run_.assign(1, first);
    for (++i; i < vms.size(); ++i) {
      const std::uint32_t slot = vms[i].vm->slot;
      const bool fits = slot / cell_nodes_ == first / cell_nodes_ && slots_[slot].same_but_vm(before);
      if (!fits || !slot_for(vms[i]).same_but_vm(now)) break;
      run_.push_back(slot);
    }
    replace(run_, now);
    for (std::size_t k = 0; k < run_.size(); ++k) {
      Slot& slot = slots_[run_[k]];
      slot = now;
      slot.vm = vms[i - run_.size() + k].vm->id;
    }
  }
}

void PoolIndex::clear(std::uint32_t slot, bool drained) {
  Slot now;
  now.drained = drained;
  replace({&slot, 1}, now);
  slots_[slot] = now;
}

std::uint32_t PoolIndex::free_now() const {
  std::uint32_t sum = absent_;
  for (const Cell& cell : cells_) sum += cell.present.whole();
  return sum;
}

/// `count` of the best cell where a gang must stay within one, else of all together.
template <class Count>
std::uint32_t PoolIndex::over_cells(const GangRequest& request, Count count) const {
  std::uint32_t sum = 0;
  std::uint32_t best = 0;
  for (const Cell& cell : cells_) {
    const std::uint32_t here = count(cell);
    sum += here;
    best = std::max(best, here);
  }
  return request.one_cell ? best : sum;
}

std::uint32_t PoolIndex::fitting(const GangRequest& request) const {
  if (!request.wish.is_empty()) return count_wished(wished_pool(request, false, false), wished_gang(request));
  return over_cells(request, [&](const Cell& cell) { return count_in(cell.present, request); });
}

std::uint32_t PoolIndex::fitting_ready(const GangRequest& request) const {
  if (!request.wish.is_empty()) return count_wished(wished_pool(request, true, false), wished_gang(request));
  return over_cells(request, [&](const Cell& cell) { return count_in(cell.ready, request); });
}

std::uint32_t PoolIndex::fitting_or_absent(const GangRequest& request) const {
  if (!request.wish.is_empty()) return count_wished(wished_pool(request, false, true), wished_gang(request));
  return over_cells(request, [&](const Cell& cell) { return count_in(cell.present, request) + cell.present.absent(); });
}

/// Who takes a node alone has all of its GPUs.
std::uint32_t PoolIndex::ranks_per_node(const GangRequest& request) const {
  return request.exclusive ? total_.gpus : request.per_node.gpus;
}

CollectiveWish PoolIndex::wish_of(const GangRequest& request) const {
  if (request.nodes < 2 || shape_.nodes_per_leaf == 0) return {};
  return {.time = &collectives_, .gpus = ranks_per_node(request), .bytes = request.reduce_bytes};
}

/// The cell that has the most of the gang already; of equals the one with the fastest collectives, the fullest, the
/// first.
const PoolIndex::Cell* PoolIndex::cell_to_choose(const GangRequest& request, const PlaceRequest& place, bool ready_only,
                                                 bool grow, PassedOver* passed_over) const {
  // What is missing comes first, at the end what would be left over: whole cells stay for those who need them.
  using Rank = std::pair<std::uint32_t, std::uint32_t>;
  const auto rank_of = [&](const Cell& cell) -> std::optional<Rank> {
    const std::uint32_t here = count_in(ready_only ? cell.ready : cell.present, request);
    const std::uint32_t room = here + (grow ? cell.present.absent() : 0);
    if (room < request.nodes) return std::nullopt;
    return Rank{request.nodes - std::min(here, request.nodes), room};
  };
  const Cell* best = nullptr;
  Rank best_rank;
  for (const Cell& cell : cells_) {
    const std::optional<Rank> rank = rank_of(cell);
    if (!rank || (best != nullptr && best_rank <= *rank)) continue;
    best = &cell;
    best_rank = *rank;
  }
  if (best == nullptr || cells_.size() == 1 || place.collective.time == nullptr) return best;
  std::vector<std::pair<std::uint32_t, const Cell*>> alike;
  for (const Cell& cell : cells_) {
    const std::optional<Rank> rank = rank_of(cell);
    if (rank && rank->first == best_rank.first) alike.emplace_back(rank->second, &cell);
  }
  if (alike.size() == 1) return best;
  std::sort(alike.begin(), alike.end());  // the cells lie one behind the other, so of equals the first is first
  return fastest_cell(alike, place, ready_only, grow, passed_over);
}

/// The least that the pool's fabric allows.
Duration PoolIndex::least_time(const PlaceRequest& place) const {
  const auto above = [](std::uint32_t count, std::uint32_t each) { return each == 0 ? 1 : (count + each - 1) / each; };
  const std::uint32_t leaves = above(place.nodes, shape_.nodes_per_leaf);
  const std::uint32_t spines = above(leaves, shape_.leaves_per_spine);
  return place.collective.of({place.nodes, leaves, spines, above(spines, shape_.spines_per_pod)});
}

/// The first of those that are equally fast, and of those where the fabric does not allow the gang.
const PoolIndex::Cell* PoolIndex::fastest_cell(std::span<const std::pair<std::uint32_t, const Cell*>> cells,
                                               const PlaceRequest& place, bool ready_only, bool grow,
                                               PassedOver* passed_over) const {
  const Duration least = least_time(place);
  const Cell* best = cells.front().second;
  Duration best_time = Duration::infinite();
  std::vector<std::pair<const Cell*, Duration>> all;
  std::vector<std::uint32_t> slots;
  for (const auto& [room, cell] : cells) {
    if (best_time <= least && all.size() >= k_cells_compared) break;
    if (!choose_in(*cell, place, ready_only, grow, slots)) continue;
    for (std::uint32_t& slot : slots) slot -= cell->first;
    all.emplace_back(cell, place.collective.of(spread_of(*cell->fabric, slots)));
    if (all.back().second >= best_time) continue;
    best = cell;
    best_time = all.back().second;
  }
  CollectiveWish note = place.collective;
  note.passed_over = passed_over;
  for (const auto& [cell, time] : all) {
    if (cell == best) continue;
    note.note(best_time, time,
              fmt::format("the scale set of nodes {} to {}", cell->first + 1, cell->first + cell->present.slots()));
  }
  return best;
}

bool PoolIndex::choose_in(const Cell& cell, PlaceRequest request, bool ready_only, bool grow,
                          std::vector<std::uint32_t>& slots) {
  const NodeIndex& nodes = ready_only ? cell.ready : cell.present;
  const std::uint32_t here = std::min(nodes.fitting(request), request.nodes);
  const std::uint32_t missing = request.nodes - here;
  if (missing > 0 && !grow) return false;
  request.nodes = here;
  slots.clear();
  if (here > 0 && !nodes.pick(request, slots)) return false;
  if (missing > 0) {
    std::vector<std::uint32_t> more;
    if (!nodes.pick_absent(missing, slots, {}, more, request.collective)) return false;
    if (slots.empty()) {
      slots = std::move(more);  // in rank order already
    } else {
      slots.insert(slots.end(), more.begin(), more.end());
      const Fabric& fabric = *cell.fabric;
      std::sort(slots.begin(), slots.end(),
                [&](std::uint32_t a, std::uint32_t b) { return fabric.position(a) < fabric.position(b); });
    }
  }
  for (std::uint32_t& slot : slots) slot += cell.first;
  return true;
}

/// A gang that needs no fabric takes the cells that have the most for it.
bool PoolIndex::choose_across(PlaceRequest request, bool ready_only, bool grow,
                              std::vector<std::uint32_t>& slots) const {
  const GangRequest all{.nodes = request.nodes, .per_node = request.per_node, .exclusive = request.exclusive};
  std::vector<std::size_t> order(cells_.size());
  std::iota(order.begin(), order.end(), 0);
  const auto room = [&](std::size_t i) { return count_in(ready_only ? cells_[i].ready : cells_[i].present, all); };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return room(a) > room(b); });
  std::uint32_t left = request.nodes;
  std::uint32_t present = 0;
  for (std::size_t i : order) present += room(i);
  std::uint32_t missing = left - std::min(left, present);
  slots.clear();
  for (std::size_t i : order) {
    const std::uint32_t here = std::min(room(i), left - missing);
    const std::uint32_t fresh = grow ? std::min(missing, cells_[i].present.absent()) : 0;
    if (here + fresh == 0) continue;
    std::vector<std::uint32_t> part;
    request.nodes = here + fresh;
    if (!choose_in(cells_[i], request, ready_only, fresh > 0, part)) return false;
    slots.insert(slots.end(), part.begin(), part.end());
    left -= here + fresh;
    missing -= fresh;
  }
  return left == 0;
}

bool PoolIndex::choose_anywhere(const GangRequest& request, bool ready_only, bool grow,
                                std::vector<std::uint32_t>& slots, PassedOver* passed_over) const {
  PlaceRequest place{.nodes = request.nodes,
                     .per_node = request.per_node,
                     .exclusive = request.exclusive,
                     .switches_max = grow ? 0 : request.leaves_max,
                     .collective = wish_of(request)};
  if (const Cell* cell = cell_to_choose(request, place, ready_only, grow, passed_over)) {
    place.collective.passed_over = passed_over;
    return choose_in(*cell, place, ready_only, grow, slots);
  }
  place.collective = {};
  if (request.one_cell || cells_.size() == 1) return false;
  return choose_across(place, ready_only, grow, slots);
}

/// Nodes that are busy for longer anyhow cost nothing more: the one that is done first leaves the others to longer
/// jobs. Of the rest, the last to be done is put off least. Of equals the fullest, then the first.
bool PoolIndex::choose_by_end(const GangRequest& request, bool ready_only, std::vector<std::uint32_t>& slots) const {
  std::optional<SharedKey> covers;
  std::optional<SharedKey> put_off;
  const auto fits = [&](const SharedKey& key) {
    const Slot& slot = slots_[std::get<2>(key)];
    return (slot.ready || !ready_only) && request.per_node.fits_in(room_of(slot));
  };
  for (std::uint32_t level = room_level(request.per_node); level <= k_room_levels; ++level) {
    const auto from = shared_.lower_bound({level, request.ends, 0});
    auto it = from;
    while (it != shared_.end() && std::get<0>(*it) == level && !fits(*it)) ++it;
    if (it != shared_.end() && std::get<0>(*it) == level && (!covers || std::get<1>(*it) < std::get<1>(*covers))) {
      covers = *it;
    }
    if (covers) continue;
    for (it = from; it != shared_.begin() && std::get<0>(*std::prev(it)) == level;) {
      if (!fits(*--it)) continue;
      if (!put_off || std::get<1>(*it) > std::get<1>(*put_off)) put_off = *it;
      break;
    }
  }
  if (!covers && !put_off) return false;
  slots.assign(1, std::get<2>(covers ? *covers : *put_off));
  return true;
}

bool PoolIndex::choose(const GangRequest& request, bool ready_only, bool grow, std::vector<std::uint32_t>& slots,
                       PassedOver* passed_over) const {
  if (!request.wish.is_empty()) return choose_by_wish(request, ready_only, grow, slots);
  const bool by_end = request.nodes == 1 && !request.exclusive && !request.ends.is_never();
  if (by_end && choose_by_end(request, ready_only, slots)) return true;
  if (!choose_anywhere(request, ready_only, grow, slots, passed_over)) return false;
  return request.leaves_max == 0 || leaves_of(slots) <= request.leaves_max;
}

std::uint32_t PoolIndex::leaves_of(const std::vector<std::uint32_t>& slots) const {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> leaves;
  for (std::uint32_t slot : slots) {
    const std::uint32_t cell = slot / cell_nodes_;
    leaves.emplace_back(cell, cells_[cell].fabric->leaf(slot - cells_[cell].first));
  }
  std::sort(leaves.begin(), leaves.end());
  return static_cast<std::uint32_t>(std::unique(leaves.begin(), leaves.end()) - leaves.begin());
}

std::optional<Spread> PoolIndex::spread(std::span<const std::uint32_t> slots) const {
  if (slots.empty()) return std::nullopt;
  const Cell& cell = cells_[slots.front() / cell_nodes_];
  std::vector<std::uint32_t> inside(slots.begin(), slots.end());
  for (std::uint32_t& slot : inside) {
    if (slot / cell_nodes_ != slots.front() / cell_nodes_) return std::nullopt;
    slot -= cell.first;
  }
  return spread_of(*cell.fabric, inside);
}

std::optional<Duration> PoolIndex::collective_time(const GangRequest& request,
                                                   std::span<const std::uint32_t> slots) const {
  const std::optional<Spread> there = spread(slots);
  if (!there) return std::nullopt;
  return collectives_.all_reduce(*there, ranks_per_node(request), request.reduce_bytes);
}

std::vector<std::pair<Time, std::uint32_t>> PoolIndex::releases() const {
  std::vector<Time> times;
  for (const Slot& slot : slots_) {
    if (slot.usable && slot.busy_until.is_set()) times.push_back(slot.busy_until);
  }
  std::sort(times.begin(), times.end());
  std::vector<std::pair<Time, std::uint32_t>> counted;
  for (Time t : times) {
    if (counted.empty() || counted.back().first != t) counted.emplace_back(t, 0);
    ++counted.back().second;
  }
  return counted;
}

}  // namespace virga
