#include "brain/sched/availability_profile.hpp"

#include <algorithm>

namespace virga {

std::size_t AvailabilityProfile::index_of(Time t) const {
  const auto after =
      std::upper_bound(steps_.begin(), steps_.end(), t, [](Time at, const Step& step) { return at < step.from; });
  return static_cast<std::size_t>(after - steps_.begin()) - 1;
}

Time AvailabilityProfile::earliest_fit(Time from, const Wish& wish) const {
  Time start = from;
  bool open = false;  // enough is free since `start`
  for (std::size_t i = index_of(from); i < steps_.size(); ++i) {
    const Time begins = std::max(from, steps_[i].from);
    if (open && begins >= start + wish.lasts) return start;
    if (steps_[i].free < wish.units) {
      open = false;
    } else if (!open) {
      open = true;
      start = begins;
    }
  }
  return open ? start : Time::never();
}

std::size_t AvailabilityProfile::cut(Time t) {
  const std::size_t i = index_of(t);
  if (steps_[i].from == t) return i;
  steps_.insert(steps_.begin() + static_cast<std::ptrdiff_t>(i) + 1, Step{t, steps_[i].free});
  return i + 1;
}

void AvailabilityProfile::join_equal(std::size_t at) {
  if (at > 0 && at < steps_.size() && steps_[at].free == steps_[at - 1].free) {
    steps_.erase(steps_.begin() + static_cast<std::ptrdiff_t>(at));
  }
}

void AvailabilityProfile::change(const Span& span, std::int64_t units) {
  if (span.from >= span.until) return;
  const std::size_t first = cut(span.from);
  const std::size_t last = cut(span.until);
  for (std::size_t i = first; i < last; ++i) steps_[i].free += units;
  join_equal(last);
  join_equal(first);
}

void AvailabilityProfile::forget_before(Time t) {
  const std::size_t i = index_of(t);
  if (i == 0) return;
  steps_.erase(steps_.begin(), steps_.begin() + static_cast<std::ptrdiff_t>(i));
  steps_.front().from = Time{INT64_MIN};
}

}  // namespace virga
