#include "brain/place/collective_time.hpp"

#include <fmt/format.h>

#include <limits>
#include <string_view>
#include <utility>

namespace virga {

namespace {

std::string counted(std::uint32_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

}  // namespace

Spread spread_of(const Fabric& fabric, std::span<const std::uint32_t> slots) {
  Spread spread{.nodes = static_cast<std::uint32_t>(slots.size()), .leaves = 0, .spines = 0, .pods = 0};
  constexpr std::uint32_t k_no = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t leaf = k_no;
  std::uint32_t spine = k_no;
  std::uint32_t pod = k_no;
  for (const std::uint32_t slot : slots) {
    if (fabric.leaf(slot) == leaf) continue;
    leaf = fabric.leaf(slot);
    ++spread.leaves;
    if (fabric.spine_of(leaf) == spine) continue;
    spine = fabric.spine_of(leaf);
    ++spread.spines;
    if (fabric.pod_of(spine) == pod) continue;
    pod = fabric.pod_of(spine);
    ++spread.pods;
  }
  return spread;
}

std::string words_of(const Spread& spread) {
  std::string words = counted(spread.leaves, "leaf", "leaves");
  if (spread.leaves > 1) words += " below " + counted(spread.spines, "spine", "spines");
  if (spread.pods > 1) words += " of " + counted(spread.pods, "pod", "pods");
  return words;
}

const twin::System* system_of(const Sku& sku) {
  if (const twin::System* system = twin::find_system(sku.name)) return system;
  const twin::Gpu* gpu = sku.gpu_model.empty() ? nullptr : twin::find_gpu(sku.gpu_model);
  return gpu == nullptr ? nullptr : twin::find_system_of(*gpu);
}

CollectiveTime::CollectiveTime(const Pool& pool)
    : knows_sku_(system_of(pool.sku) != nullptr),
      time_(system_of(pool.sku), {.leaf_permille = pool.fabric.leaf_taper_permille,
                                  .spine_permille = pool.fabric.spine_taper_permille,
                                  .pod_permille = pool.fabric.pod_taper_permille}) {}

void CollectiveWish::note(Duration chosen, Duration other, std::string what) const {
  if (passed_over == nullptr || other == chosen) return;
  if (!passed_over->what.empty() && passed_over->other <= other) return;
  *passed_over = {std::move(what), bytes, chosen, other};
}

}  // namespace virga
