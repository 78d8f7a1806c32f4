#include "brain/sched/release_profile.hpp"

#include <algorithm>
#include <limits>

#include "base/assert.hpp"

namespace virga {

namespace {

/// Finds the job with whose end the missing units are there; counts what it has passed.
struct EnoughQuery {
  std::int64_t missing = 0;

  std::uint32_t next_slot(const ReleaseColumns& columns, std::uint32_t from, std::uint32_t count) {
    for (; from < count && columns.units(from) < missing; ++from) missing -= columns.units(from);
    return from;
  }
  bool hit(const ReleaseEntry& entry) {
    missing -= entry.units;
    return missing <= 0;
  }
};

}  // namespace

ReleaseColumns::Summary ReleaseColumns::all(std::uint32_t count) const {
  Summary summary;
  for (std::uint32_t slot = 0; slot < count; ++slot) summary.units += units_[slot];
  return summary;
}

void ReleaseProfile::add(const ReleaseKey& key, std::uint32_t units) {
  if (!tree_.change(key, [&](ReleaseEntry& entry) { entry.units += units; })) tree_.insert({key, units});
}

void ReleaseProfile::remove(const ReleaseKey& key, std::uint32_t units) {
  std::uint32_t left = 0;
  const bool known = tree_.change(key, [&](ReleaseEntry& entry) {
    VIRGA_ASSERT(entry.units >= units, "no more is given back than was expected");
    left = entry.units -= units;
  });
  VIRGA_ASSERT(known, "what is given back was expected");
  if (left == 0) tree_.erase(key);
}

std::int64_t ReleaseProfile::units_until(Time t) const {
  std::int64_t units = 0;
  tree_.fold_before(
      {t, JobId{std::numeric_limits<std::uint32_t>::max()}},
      [&](const ReleaseColumns& columns, std::uint32_t slot) { units += columns.units(slot); },
      [&](const ReleaseEntry& entry) { units += entry.units; });
  return units;
}

Shadow ReleaseProfile::shadow(const Wish& wish) const {
  Time at = wish.now;
  if (wish.free_units < wish.need) {
    const ReleaseEntry* last = tree_.first(EnoughQuery{wish.need - wish.free_units});
    if (last == nullptr) return {};
    at = std::max(at, last->key.end);
  }
  return {at, wish.free_units + units_until(at) - wish.need};
}

}  // namespace virga
