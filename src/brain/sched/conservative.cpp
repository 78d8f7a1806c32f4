#include "brain/sched/conservative.hpp"

#include <algorithm>
#include <limits>
#include <vector>

namespace virga {

namespace {

constexpr OrderKey k_last_key{std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::uint64_t>::max()};

}  // namespace

Time ConservativePlan::submit(const WaitingEntry& entry, Time now) {
  move_forward(now);
  profile_.forget_before(now);
  const Time start = profile_.earliest_fit(now, {entry.units, entry.estimate});
  if (start.is_never()) return start;
  profile_.take({start, start + entry.estimate}, entry.units);
  waiting_.emplace(entry.key, Promise{entry, start});
  by_start_.emplace(start, entry.key);
  return start;
}

void ConservativePlan::cancel(const OrderKey& key) {
  const auto found = waiting_.find(key);
  if (found == waiting_.end()) return;
  const auto& [entry, start] = found->second;
  profile_.give_back({start, start + entry.estimate}, entry.units);
  by_start_.erase({start, key});
  waiting_.erase(found);
  has_hole_ = true;
}

void ConservativePlan::ended(const AvailabilityProfile::Span& held, std::int64_t units, Time now) {
  if (held.until <= now) return;
  profile_.give_back({now, held.until}, units);
  has_hole_ = true;
}

Time ConservativePlan::start_of(const OrderKey& key) const {
  const auto found = waiting_.find(key);
  return found == waiting_.end() ? Time::never() : found->second.start;
}

void ConservativePlan::move_forward(Time now) {
  if (!has_hole_) return;
  has_hole_ = false;
  profile_.forget_before(now);
  const std::vector<std::pair<Time, OrderKey>> in_order(by_start_.upper_bound({now, k_last_key}), by_start_.end());
  for (const auto& [old_start, key] : in_order) {
    Promise& promise = waiting_.at(key);
    const WaitingEntry& entry = promise.entry;
    profile_.give_back({old_start, old_start + entry.estimate}, entry.units);
    promise.start = std::min(old_start, profile_.earliest_fit(now, {entry.units, entry.estimate}));
    profile_.take({promise.start, promise.start + entry.estimate}, entry.units);
    if (promise.start == old_start) continue;
    by_start_.erase({old_start, key});
    by_start_.emplace(promise.start, key);
  }
}

}  // namespace virga
