#include "brain/place/leaf_cover.hpp"

#include <algorithm>
#include <tuple>

#include "base/assert.hpp"

namespace virga {

LeafCover::LeafCover(const Fabric& fabric)
    : fabric_(fabric),
      leaves_with_room_(fabric.leaf_slots_max() + 1, 0),
      room_of_spine_(fabric.spines(), 0),
      edge_of_spine_(fabric.spines(), 0),
      share_of_spine_(fabric.spines(), 0),
      spine_used_(fabric.spines(), 0),
      pod_used_(fabric.pods(), 0) {}

bool LeafCover::choose(std::span<const std::uint32_t> room, std::uint32_t nodes, std::uint32_t leaves_max,
                       std::vector<LeafTake>& takes, const CollectiveWish& wish) {
  takes.clear();
  if (nodes == 0) return false;
  const Scope scope = choose_scope(room, nodes, leaves_max);
  if (scope.leaves == 0 || (leaves_max != 0 && scope.leaves > leaves_max)) return false;
  take(room, scope, split(room, nodes, scope), takes);
  if (wish.time != nullptr && scopes_.size() > 1) prefer_faster(room, nodes, leaves_max, wish, takes);
  return true;
}

Spread LeafCover::spread_of(std::span<const LeafTake> takes) const {
  Spread spread{.nodes = 0, .leaves = static_cast<std::uint32_t>(takes.size()), .spines = 0, .pods = 0};
  std::uint32_t spine = fabric_.spines();
  std::uint32_t pod = fabric_.pods();
  for (const LeafTake& take : takes) {
    spread.nodes += take.nodes;
    if (fabric_.spine_of(take.leaf) == spine) continue;
    spine = fabric_.spine_of(take.leaf);
    ++spread.spines;
    if (fabric_.pod_of(spine) == pod) continue;
    pod = fabric_.pod_of(spine);
    ++spread.pods;
  }
  return spread;
}

/// `takes` is what the rule without the twin chose: it stays where no other scope is faster.
void LeafCover::prefer_faster(std::span<const std::uint32_t> room, std::uint32_t nodes, std::uint32_t leaves_max,
                              const CollectiveWish& wish, std::vector<LeafTake>& takes) {
  const Spread by_rule = spread_of(takes);
  Spread best = by_rule;
  Duration best_time;
  std::vector<std::pair<Spread, Duration>> all;  // each spread once: a prediction costs about 0.5 us
  for (const Scope& scope : scopes_) {
    if (leaves_max != 0 && scope.leaves > leaves_max) continue;
    others_.clear();
    take(room, scope, split(room, nodes, scope), others_);
    const Spread spread = spread_of(others_);
    const auto is_it = [&](const auto& known) { return known.first == spread; };
    if (spread == by_rule || std::any_of(all.begin(), all.end(), is_it)) continue;
    if (all.empty()) {
      best_time = wish.of(by_rule);
      all.emplace_back(by_rule, best_time);
    }
    const Duration time = wish.of(spread);
    all.emplace_back(spread, time);
    if (time >= best_time) continue;
    best = spread;
    best_time = time;
    takes.swap(others_);
  }
  if (wish.passed_over == nullptr) return;
  for (const auto& [spread, time] : all) {
    if (spread != best) wish.note(best_time, time, words_of(spread));
  }
}

void LeafCover::count_rooms(std::span<const std::uint32_t> room, const Scope& scope) {
  std::fill_n(leaves_with_room_.begin(), room_max_ + 1, 0U);  // the counts of the scope before
  room_max_ = 0;
  for (std::uint32_t leaf = scope.first_leaf; leaf < scope.end_leaf; ++leaf) {
    ++leaves_with_room_[room[leaf]];
    room_max_ = std::max(room_max_, room[leaf]);
  }
}

std::uint32_t LeafCover::leaves_needed(std::span<const std::uint32_t> room, std::uint32_t nodes, const Scope& scope) {
  count_rooms(room, scope);
  std::uint32_t leaves = 0;
  for (std::uint32_t k = room_max_; k > 0; --k) {
    const std::uint32_t enough = (nodes + k - 1) / k;
    if (enough <= leaves_with_room_[k]) return leaves + enough;
    leaves += leaves_with_room_[k];
    nodes -= leaves_with_room_[k] * k;
  }
  return 0;
}

LeafCover::Scope LeafCover::pod_scope(std::uint32_t pod) const {
  Scope scope;
  scope.first_leaf = fabric_.first_leaf(fabric_.first_spine(pod));
  scope.end_leaf = fabric_.first_leaf(fabric_.first_spine(pod + 1));
  for (std::uint32_t s = fabric_.first_spine(pod); s < fabric_.first_spine(pod + 1); ++s) {
    scope.room += room_of_spine_[s];
  }
  return scope;
}

/// The spine or pod that needs the fewest leaves; of those the one with the least room. `least`: no scope needs fewer.
LeafCover::Scope LeafCover::best_of(std::span<const std::uint32_t> room, std::uint32_t nodes, std::uint32_t least,
                                    bool of_pods) {
  Scope best;
  for (std::uint32_t i = 0; i < (of_pods ? fabric_.pods() : fabric_.spines()); ++i) {
    Scope scope{fabric_.first_leaf(of_pods ? 0 : i), fabric_.first_leaf(of_pods ? 0 : i + 1), room_of_spine_[i], 0};
    if (of_pods) scope = pod_scope(i);
    if (scope.room < nodes) continue;
    if (best.leaves == least && scope.room >= best.room) continue;
    scope.leaves = leaves_needed(room, nodes, scope);
    if (best.leaves == 0 || std::tuple(scope.leaves, scope.room) < std::tuple(best.leaves, best.room)) best = scope;
  }
  return best;
}

LeafCover::Scope LeafCover::choose_scope(std::span<const std::uint32_t> room, std::uint32_t nodes,
                                         std::uint32_t leaves_max) {
  Scope all{0, fabric_.leaves(), 0, 0};
  std::uint32_t most = 0;
  for (std::uint32_t s = 0; s < fabric_.spines(); ++s) {
    room_of_spine_[s] = 0;
    for (std::uint32_t leaf = fabric_.first_leaf(s); leaf < fabric_.first_leaf(s + 1); ++leaf) {
      room_of_spine_[s] += room[leaf];
      most = std::max(most, room[leaf]);
    }
    all.room += room_of_spine_[s];
  }
  scopes_.clear();
  if (all.room < nodes) return {};
  all.leaves = leaves_needed(room, nodes, all);
  if (fabric_.spines() == 1) return all;

  Scope chosen = best_of(room, nodes, all.leaves, false);
  if (chosen.leaves == all.leaves) return chosen;
  auto crossing_is_dearer = [&](Reach from, Reach to) {
    return fabric_.contention_permille(to) > fabric_.contention_permille(from);
  };
  const Scope pod = fabric_.pods() == 1 ? all : best_of(room, nodes, all.leaves, true);
  for (const Scope& scope : {chosen, pod, all}) {
    const bool has_fewer = scopes_.empty() || scope.leaves < scopes_.back().leaves;
    if (scope.leaves != 0 && has_fewer) scopes_.push_back(scope);
  }
  if (chosen.leaves == 0 || (pod.leaves < chosen.leaves && !crossing_is_dearer(Reach::spine, Reach::pod))) {
    if (pod.leaves != 0) chosen = pod;
  }
  if (chosen.leaves == 0 || (all.leaves < chosen.leaves && !crossing_is_dearer(Reach::spine, Reach::core))) {
    chosen = all;
  }
  if (leaves_max != 0 && chosen.leaves > leaves_max) return pod.leaves != 0 && pod.leaves <= leaves_max ? pod : all;
  return chosen;
}

LeafCover::Split LeafCover::split(std::span<const std::uint32_t> room, std::uint32_t nodes, const Scope& scope) {
  count_rooms(room, scope);
  Split split;
  split.remainder = nodes;
  std::uint32_t k = room_max_;
  for (; k > 0; --k) {
    // As many as leave something for the last leaf.
    split.edge_leaves = std::min(leaves_with_room_[k], (split.remainder - 1) / k);
    split.remainder -= split.edge_leaves * k;
    if (split.edge_leaves < leaves_with_room_[k]) break;
  }
  split.edge = k;
  for (split.last = split.remainder; leaves_with_room_[split.last] == 0;) ++split.last;
  return split;
}

void LeafCover::use_spine(std::uint32_t spine) {
  spine_used_[spine] = 1;
  pod_used_[fabric_.pod_of(spine)] = 1;
}

/// The spine that the next leaves of the edge's room come from: in a pod that is used anyway, if one is; the one with
/// the fewest such leaves that still has all that are wanted; else the one with the most.
std::uint32_t LeafCover::next_spine(const Scope& scope, std::uint32_t wanted) const {
  std::uint32_t best = fabric_.spines();
  auto rank = [&](std::uint32_t spine) {
    const std::uint32_t has = edge_of_spine_[spine];
    const bool enough = has >= wanted;
    return std::tuple(pod_used_[fabric_.pod_of(spine)] == 0, !enough, enough ? has : 0xffffffffU - has);
  };
  for (std::uint32_t s = fabric_.spine_of(scope.first_leaf); s <= fabric_.spine_of(scope.end_leaf - 1); ++s) {
    if (edge_of_spine_[s] == 0 || share_of_spine_[s] != 0) continue;
    if (best == fabric_.spines() || rank(s) < rank(best)) best = s;
  }
  return best;
}

void LeafCover::share_edge_among_spines(std::span<const std::uint32_t> room, const Scope& scope, const Split& split) {
  std::fill(edge_of_spine_.begin(), edge_of_spine_.end(), 0U);
  std::fill(share_of_spine_.begin(), share_of_spine_.end(), 0U);
  std::fill(spine_used_.begin(), spine_used_.end(), std::uint8_t{0});
  std::fill(pod_used_.begin(), pod_used_.end(), std::uint8_t{0});
  for (std::uint32_t leaf = scope.first_leaf; leaf < scope.end_leaf; ++leaf) {
    if (room[leaf] == split.edge) ++edge_of_spine_[fabric_.spine_of(leaf)];
    if (room[leaf] > split.edge) use_spine(fabric_.spine_of(leaf));
  }
  std::uint32_t wanted = split.edge_leaves;
  for (std::uint32_t s = 0; s < fabric_.spines() && wanted > 0; ++s) {
    if (spine_used_[s] == 0) continue;
    share_of_spine_[s] = std::min(wanted, edge_of_spine_[s]);
    wanted -= share_of_spine_[s];
  }
  while (wanted > 0) {
    const std::uint32_t s = next_spine(scope, wanted);
    VIRGA_ASSERT(s < fabric_.spines(), "the spines have as many leaves as were counted");
    share_of_spine_[s] = std::min(wanted, edge_of_spine_[s]);
    wanted -= share_of_spine_[s];
    use_spine(s);
  }
}

void LeafCover::take(std::span<const std::uint32_t> room, const Scope& scope, const Split& split,
                     std::vector<LeafTake>& takes) {
  share_edge_among_spines(room, scope, split);
  for (std::uint32_t leaf = scope.first_leaf; leaf < scope.end_leaf; ++leaf) {
    if (room[leaf] < split.edge || room[leaf] == 0) continue;
    std::uint32_t& share = share_of_spine_[fabric_.spine_of(leaf)];
    if (room[leaf] == split.edge && share == 0) continue;
    if (room[leaf] == split.edge) --share;
    takes.push_back({leaf, room[leaf]});
  }
  take_last(room, scope, split, takes);
}

/// The remainder goes to the lowest leaf of the right room that is not taken yet, below a spine or pod in use if
/// possible.
void LeafCover::take_last(std::span<const std::uint32_t> room, const Scope& scope, const Split& split,
                          std::vector<LeafTake>& takes) const {
  std::uint32_t best = scope.end_leaf;
  auto rank = [&](std::uint32_t leaf) {
    const std::uint32_t spine = fabric_.spine_of(leaf);
    return std::tuple(spine_used_[spine] == 0, pod_used_[fabric_.pod_of(spine)] == 0);
  };
  std::size_t next_taken = 0;
  for (std::uint32_t leaf = scope.first_leaf; leaf < scope.end_leaf; ++leaf) {
    if (next_taken < takes.size() && takes[next_taken].leaf == leaf) {
      ++next_taken;
      continue;
    }
    if (room[leaf] != split.last) continue;
    if (best == scope.end_leaf || rank(leaf) < rank(best)) best = leaf;
  }
  VIRGA_ASSERT(best < scope.end_leaf, "a leaf for the remainder was counted");
  const auto place = std::lower_bound(takes.begin(), takes.end(), best,
                                      [](const LeafTake& take, std::uint32_t leaf) { return take.leaf < leaf; });
  takes.insert(place, {best, split.remainder});
}

}  // namespace virga
