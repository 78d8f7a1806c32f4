#include "fabric/fabric.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>

namespace virga {

namespace {

using Ids = std::vector<std::uint32_t>;

std::string text(std::uint64_t number) { return std::to_string(number); }

/// 0 … count-1, ordered by `key` and then by number.
template <class Key>
Ids ordered(std::size_t count, Key key) {
  Ids order(count);
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return std::tuple(key(a), a) < std::tuple(key(b), b); });
  return order;
}

/// The inverse of an order: where each id went.
Ids places(const Ids& order) {
  Ids place(order.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
  return place;
}

/// first[p] … first[p + 1]: the children of p, where `parents` ascends.
Ids firsts(const Ids& parents, std::size_t parent_count) {
  Ids first(parent_count + 1, 0);
  for (std::uint32_t parent : parents) ++first[parent + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());
  return first;
}

std::optional<Error> unknown_parent(const Ids& parents, std::size_t known, const char* child, const char* parent) {
  for (std::size_t i = 0; i < parents.size(); ++i) {
    if (parents[i] < known) continue;
    return Error{Code::invalid, std::string("fabric: ") + child + " " + text(i) + " hangs on " + parent + " " +
                                    text(parents[i]) + ", which is unknown: there are " + text(known)};
  }
  return std::nullopt;
}

std::optional<Error> bad_nvlink(const FabricIds& ids) {
  if (ids.nvlink_of_slot.empty()) return std::nullopt;
  if (ids.nvlink_of_slot.size() != ids.leaf_of_slot.size()) {
    return Error{Code::invalid, "fabric: " + text(ids.nvlink_of_slot.size()) + " NVLink domains are given for " +
                                    text(ids.leaf_of_slot.size()) + " slots; give one for each slot, or none"};
  }
  const Ids by_domain = ordered(ids.leaf_of_slot.size(), [&](std::uint32_t slot) { return ids.nvlink_of_slot[slot]; });
  for (std::size_t i = 1; i < by_domain.size(); ++i) {
    const std::uint32_t a = by_domain[i - 1];
    const std::uint32_t b = by_domain[i];
    if (ids.nvlink_of_slot[a] == ids.nvlink_of_slot[b] && ids.leaf_of_slot[a] != ids.leaf_of_slot[b]) {
      return Error{Code::invalid, "fabric: slots " + text(a) + " and " + text(b) + " share NVLink domain " +
                                      text(ids.nvlink_of_slot[a]) + ", but hang on leaves " +
                                      text(ids.leaf_of_slot[a]) + " and " + text(ids.leaf_of_slot[b]) +
                                      "; a domain lies below one leaf"};
    }
  }
  return std::nullopt;
}

std::optional<Error> bad_size(std::uint64_t slots) {
  if (slots == 0) return Error{Code::invalid, "fabric: it has no node; give at least 1"};
  if (slots > k_fabric_slots_max) {
    return Error{Code::invalid, "fabric: " + text(slots) + " nodes; at most " + text(k_fabric_slots_max)};
  }
  return std::nullopt;
}

std::optional<Error> bad_rails_or_taper(std::uint32_t rails, const Taper& taper) {
  if (rails == 0 || rails > 64) return Error{Code::invalid, "fabric: " + text(rails) + " rails; give 1 to 64"};
  for (std::uint32_t permille : {taper.leaf_permille, taper.spine_permille, taper.pod_permille}) {
    if (permille >= 1000 && permille <= 1'000'000) continue;
    return Error{Code::invalid,
                 "fabric: an oversubscription of " + text(permille) + " permille; give 1000 (non-blocking) to 1000000"};
  }
  return std::nullopt;
}

std::optional<Error> first_fault(const FabricIds& ids) {
  if (auto fault = bad_size(ids.leaf_of_slot.size())) return fault;
  if (auto fault = bad_rails_or_taper(ids.rails, ids.taper)) return fault;
  if (auto fault = unknown_parent(ids.leaf_of_slot, ids.spine_of_leaf.size(), "slot", "leaf")) return fault;
  if (auto fault = unknown_parent(ids.spine_of_leaf, ids.pod_of_spine.size(), "leaf", "spine")) return fault;
  // Pods are named by their spines only, so that a number beyond the spines' cannot be a pod of this fabric.
  if (auto fault = unknown_parent(ids.pod_of_spine, ids.pod_of_spine.size(), "spine", "pod")) return fault;
  if (auto fault = bad_nvlink(ids)) return fault;
  const auto in_sets = std::accumulate(ids.scale_set_sizes.begin(), ids.scale_set_sizes.end(), std::uint64_t{0});
  if (!ids.scale_set_sizes.empty() && in_sets != ids.leaf_of_slot.size()) {
    return Error{Code::invalid, "fabric: the scale sets hold " + text(in_sets) + " slots, but there are " +
                                    text(ids.leaf_of_slot.size()) + "; each slot belongs to one"};
  }
  return std::nullopt;
}

}  // namespace

Result<Fabric> Fabric::build(const FabricShape& shape) {
  if (auto fault = bad_size(shape.nodes)) return unexpected(*fault);
  if (shape.nodes_per_leaf == 0) return fail(Code::invalid, "fabric: 0 nodes per leaf; give at least 1");
  const std::uint32_t per_domain = shape.nodes_per_nvlink_domain;
  if (per_domain == 0 || shape.nodes_per_leaf % per_domain != 0) {
    return fail(Code::invalid, "fabric: " + text(per_domain) + " nodes per NVLink domain do not divide the " +
                                   text(shape.nodes_per_leaf) + " nodes of a leaf");
  }
  auto grouped = [](std::uint64_t count, std::uint32_t group) {
    Ids parents(count);
    for (std::uint32_t i = 0; i < count; ++i) parents[i] = group == 0 ? 0 : i / group;
    return parents;
  };
  FabricIds ids;
  ids.rails = shape.rails;
  ids.taper = shape.taper;
  ids.leaf_of_slot = grouped(shape.nodes, shape.nodes_per_leaf);
  ids.spine_of_leaf = grouped(ids.leaf_of_slot.back() + 1, shape.leaves_per_spine);
  ids.pod_of_spine = grouped(ids.spine_of_leaf.back() + 1, shape.spines_per_pod);
  if (per_domain > 1) ids.nvlink_of_slot = grouped(shape.nodes, per_domain);
  for (std::uint32_t left = shape.nodes; left > 0 && shape.nodes_per_scale_set > 0;) {
    ids.scale_set_sizes.push_back(std::min(left, shape.nodes_per_scale_set));
    left -= ids.scale_set_sizes.back();
  }
  return build(ids);
}

Result<Fabric> Fabric::build(const FabricIds& ids) {
  if (auto fault = first_fault(ids)) return unexpected(*fault);
  Fabric fabric;
  fabric.rails_ = ids.rails;
  fabric.taper_ = ids.taper;
  fabric.put_in_tree_order(ids);
  fabric.first_of_scale_set_.assign(1, 0);
  for (std::uint32_t size : ids.scale_set_sizes) {
    fabric.first_of_scale_set_.push_back(fabric.first_of_scale_set_.back() + size);
  }
  if (ids.scale_set_sizes.empty()) fabric.first_of_scale_set_.push_back(fabric.slots());
  return fabric;
}

void Fabric::put_in_tree_order(const FabricIds& ids) {
  // Pods that no spine names are left out, so that the numbers stay dense.
  pod_ids_ = ids.pod_of_spine;
  std::sort(pod_ids_.begin(), pod_ids_.end());
  pod_ids_.erase(std::unique(pod_ids_.begin(), pod_ids_.end()), pod_ids_.end());
  auto pod_rank = [&](std::uint32_t pod) {
    return static_cast<std::uint32_t>(std::lower_bound(pod_ids_.begin(), pod_ids_.end(), pod) - pod_ids_.begin());
  };
  spine_ids_ = ordered(ids.pod_of_spine.size(), [&](std::uint32_t spine) { return ids.pod_of_spine[spine]; });
  const Ids new_spine = places(spine_ids_);
  for (std::uint32_t spine : spine_ids_) pod_of_spine_.push_back(pod_rank(ids.pod_of_spine[spine]));
  first_spine_ = firsts(pod_of_spine_, pod_ids_.size());

  leaf_ids_ = ordered(ids.spine_of_leaf.size(), [&](std::uint32_t leaf) { return new_spine[ids.spine_of_leaf[leaf]]; });
  for (std::uint32_t leaf : leaf_ids_) spine_of_leaf_.push_back(new_spine[ids.spine_of_leaf[leaf]]);
  first_leaf_ = firsts(spine_of_leaf_, spine_ids_.size());
  index_positions(ids, places(leaf_ids_));
}

void Fabric::index_positions(const FabricIds& ids, const Ids& new_leaf) {
  const auto count = static_cast<std::uint32_t>(ids.leaf_of_slot.size());
  for (std::uint32_t leaf : ids.leaf_of_slot) leaf_of_slot_.push_back(new_leaf[leaf]);
  auto domain_id = [&](std::uint32_t slot) { return ids.nvlink_of_slot.empty() ? slot : ids.nvlink_of_slot[slot]; };
  slot_at_ = ordered(count, [&](std::uint32_t slot) { return std::tuple(leaf_of_slot_[slot], domain_id(slot)); });
  position_of_slot_ = places(slot_at_);

  Ids leaf_at;
  domain_of_slot_.resize(count);
  for (std::uint32_t p = 0; p < count; ++p) {
    const std::uint32_t slot = slot_at_[p];
    leaf_at.push_back(leaf_of_slot_[slot]);
    if (p == 0 || domain_id(slot) != domain_id(slot_at_[p - 1])) first_in_domain_.push_back(p);
    domain_of_slot_[slot] = static_cast<std::uint32_t>(first_in_domain_.size() - 1);
  }
  first_in_domain_.push_back(count);
  first_in_leaf_ = firsts(leaf_at, leaf_ids_.size());
  auto widest = [](const Ids& first) {
    std::uint32_t most = 0;
    for (std::size_t i = 1; i < first.size(); ++i) most = std::max(most, first[i] - first[i - 1]);
    return most;
  };
  leaf_slots_max_ = widest(first_in_leaf_);
  nvlink_slots_max_ = widest(first_in_domain_);
}

std::uint32_t Fabric::scale_set(std::uint32_t slot) const {
  const auto after = std::upper_bound(first_of_scale_set_.begin(), first_of_scale_set_.end(), slot);
  return static_cast<std::uint32_t>(after - first_of_scale_set_.begin() - 1);
}

std::span<const std::uint32_t> Fabric::slots_between(std::uint32_t first_leaf, std::uint32_t end_leaf) const {
  const std::uint32_t first = first_in_leaf_[first_leaf];
  return std::span(slot_at_).subspan(first, first_in_leaf_[end_leaf] - first);
}

std::span<const std::uint32_t> Fabric::slots_of_leaf(std::uint32_t leaf) const { return slots_between(leaf, leaf + 1); }

std::span<const std::uint32_t> Fabric::slots_of_spine(std::uint32_t spine) const {
  return slots_between(first_leaf_[spine], first_leaf_[spine + 1]);
}

std::span<const std::uint32_t> Fabric::slots_of_pod(std::uint32_t pod) const {
  return slots_between(first_leaf_[first_spine_[pod]], first_leaf_[first_spine_[pod + 1]]);
}

Reach Fabric::reach(std::uint32_t a, std::uint32_t b) const {
  if (a == b) return Reach::same_node;
  if (domain_of_slot_[a] == domain_of_slot_[b]) return Reach::nvlink;
  const std::uint32_t leaf_a = leaf_of_slot_[a];
  const std::uint32_t leaf_b = leaf_of_slot_[b];
  if (leaf_a == leaf_b) return Reach::leaf;
  const std::uint32_t spine_a = spine_of_leaf_[leaf_a];
  const std::uint32_t spine_b = spine_of_leaf_[leaf_b];
  if (spine_a == spine_b) return Reach::spine;
  return pod_of_spine_[spine_a] == pod_of_spine_[spine_b] ? Reach::pod : Reach::core;
}

std::uint32_t Fabric::distance(std::uint32_t a, std::uint32_t b) const {
  static constexpr std::uint32_t k_links[] = {0, 1, 2, 4, 6, 8};
  return k_links[static_cast<std::size_t>(reach(a, b))];
}

std::uint32_t Fabric::distance(std::uint32_t a, std::uint32_t rail_a, std::uint32_t b, std::uint32_t rail_b) const {
  const std::uint32_t links = distance(a, b);
  if (rail_a == rail_b) return links;
  if (links < 2) return 1;
  return std::max(links, 4U);
}

std::uint64_t Fabric::contention_permille(Reach reach) const {
  std::uint64_t product = 1000;
  if (reach >= Reach::spine) product = product * taper_.leaf_permille / 1000;
  if (reach >= Reach::pod) product = product * taper_.spine_permille / 1000;
  if (reach >= Reach::core) product = product * taper_.pod_permille / 1000;
  return product;
}

}  // namespace virga
