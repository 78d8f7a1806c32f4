#include "brain/sched/conservative.hpp"

#include <algorithm>

namespace virga {

Time ConservativePlan::submit(const WaitingEntry& entry, Time now) {
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
  for (auto& [key, promise] : waiting_) {
    const auto& entry = promise.entry;
    if (promise.start <= now) continue;
    profile_.give_back({promise.start, promise.start + entry.estimate}, entry.units);
    const Time start = std::min(promise.start, profile_.earliest_fit(now, {entry.units, entry.estimate}));
    profile_.take({start, start + entry.estimate}, entry.units);
    if (start == promise.start) continue;
    by_start_.erase({promise.start, key});
    by_start_.emplace(start, key);
    promise.start = start;
  }
}

}  // namespace virga
