#include "brain/sched/waiting_list.hpp"

#include <algorithm>
#include <bit>

namespace virga {

namespace {

constexpr int k_coarse_bits = 23;
constexpr std::int32_t k_coarse_max = 0x7ffffffe;  // "so long or longer"

struct AnyQuery {
  std::uint32_t next_slot(const WaitingColumns&, std::uint32_t from, std::uint32_t) const { return from; }
  bool hit(const WaitingEntry&) const { return true; }
};

}  // namespace

/// 1, 2, 3, 4-5, 6-7, 8-11, 12-15, 16-23 … units: class 0, 2, 3, 4, 5 …; the last one has no end.
std::uint32_t WaitingColumns::class_of(std::int64_t units) {
  if (units < 2) return 0;
  const auto width = static_cast<std::uint32_t>(std::bit_width(static_cast<std::uint64_t>(units)));
  const auto upper_half = static_cast<std::uint32_t>(units >> (width - 2)) & 1;
  return std::min(2 * (width - 1) + upper_half, k_classes - 1);
}

std::int32_t WaitingColumns::coarse(Duration estimate) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(estimate.ns >> k_coarse_bits, -1, k_coarse_max));
}

void WaitingColumns::Summary::add(const WaitingEntry& entry) {
  std::int32_t& known = shortest[class_of(entry.units)];
  known = std::min(known, coarse(entry.estimate));
  fewest_units = std::min(fewest_units, entry.units);
  ++jobs;
  units += entry.units;
}

void WaitingColumns::Summary::finish() {
  for (std::uint32_t c = 1; c < k_classes; ++c) shortest[c] = std::min(shortest[c], shortest[c - 1]);
}

void WaitingColumns::put(std::uint32_t slot, const Summary& summary) {
  for (std::uint32_t c = 0; c < k_classes; ++c) shortest_[c][slot] = summary.shortest[c];
  fewest_units_[slot] = summary.fewest_units;
  jobs_[slot] = summary.jobs;
  units_[slot] = summary.units;
}

WaitingColumns::Summary WaitingColumns::all(std::uint32_t count) const {
  Summary summary;
  for (std::uint32_t c = 0; c < k_classes; ++c) {
    const auto& column = shortest_[c];
    summary.shortest[c] = *std::min_element(column.begin(), column.begin() + count);
  }
  for (std::uint32_t slot = 0; slot < count; ++slot) {
    summary.fewest_units = std::min(summary.fewest_units, fewest_units_[slot]);
    summary.jobs += jobs_[slot];
    summary.units += units_[slot];
  }
  return summary;
}

void WaitingColumns::copy(const WaitingColumns& from, std::uint32_t i, std::uint32_t j) {
  for (std::uint32_t c = 0; c < k_classes; ++c) shortest_[c][j] = from.shortest_[c][i];
  fewest_units_[j] = from.fewest_units_[i];
  jobs_[j] = from.jobs_[i];
  units_[j] = from.units_[i];
}

void WaitingColumns::add(std::uint32_t slot, const WaitingEntry& entry) {
  const std::int32_t estimate = coarse(entry.estimate);
  for (std::uint32_t c = class_of(entry.units); c < k_classes && estimate < shortest_[c][slot]; ++c) {
    shortest_[c][slot] = estimate;
  }
  fewest_units_[slot] = std::min(fewest_units_[slot], entry.units);
  ++jobs_[slot];
  units_[slot] += entry.units;
}

/// The job counted for a minimum exactly if it equals that of its own class: wider classes only have smaller ones.
bool WaitingColumns::remove(std::uint32_t slot, const WaitingEntry& entry) {
  if (entry.units == fewest_units_[slot]) return false;
  if (coarse(entry.estimate) == shortest_[class_of(entry.units)][slot]) return false;
  --jobs_[slot];
  units_[slot] -= entry.units;
  return true;
}

void WaitingList::insert(const WaitingEntry& entry) {
  VIRGA_ASSERT(entry.units > 0, "a waiting job needs nothing");
  tree_.insert(entry);
  units_ += entry.units;
}

bool WaitingList::erase(const OrderKey& key) {
  const WaitingEntry* entry = tree_.find(key);
  if (entry == nullptr) return false;
  units_ -= entry->units;
  return tree_.erase(key);
}

const WaitingEntry* WaitingList::next(const OrderKey& after) const { return tree_.first_after(after, AnyQuery{}); }

const WaitingEntry* WaitingList::first_fit(const Gap& gap) const {
  return gap.free_units > 0 ? tree_.first(WaitingColumns::FitQuery{gap}) : nullptr;
}

const WaitingEntry* WaitingList::next_fit(const OrderKey& after, const Gap& gap) const {
  return gap.free_units > 0 ? tree_.first_after(after, WaitingColumns::FitQuery{gap}) : nullptr;
}

WaitingList::Ahead WaitingList::ahead_of(const OrderKey& key) const {
  Ahead ahead;
  tree_.fold_before(
      key,
      [&](const WaitingColumns& columns, std::uint32_t slot) {
        ahead.jobs += columns.jobs(slot);
        ahead.units += columns.units(slot);
      },
      [&](const WaitingEntry& entry) {
        ++ahead.jobs;
        ahead.units += entry.units;
      });
  return ahead;
}

}  // namespace virga
