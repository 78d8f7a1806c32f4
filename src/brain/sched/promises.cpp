#include "brain/sched/promises.hpp"

#include "brain/sched/supply.hpp"

namespace virga {

AvailabilityProfile& Promises::profile(std::uint32_t number) {
  std::optional<AvailabilityProfile>& profile = profiles_[number];
  if (profile) return *profile;
  const Pool& pool = state_.config.pools[number];
  const PoolIndex& index = state_.index.pools[number];
  const Growth growth = growth_of(state_, pool, 1);
  const std::uint32_t present = index.free_now() - index.absent();
  profile.emplace(present + growth.nodes);
  for (const auto& [when, nodes] : index.releases())
    profile->give_back({std::max(when, state_.now), Time::never()}, nodes);
  if (growth.nodes < index.absent() && !growth.until.is_never()) {
    profile->give_back({growth.until + boot_time_of(state_, pool), Time::never()}, index.absent() - growth.nodes);
  }
  return *profile;
}

Time Promises::earliest(std::uint32_t pool, std::uint32_t nodes, Duration lasts) {
  return profile(pool).earliest_fit(state_.now, {.units = nodes, .lasts = lasts});
}

void Promises::keep(std::uint32_t pool, const AvailabilityProfile::Span& span, std::uint32_t nodes) {
  profile(pool).take(span, nodes);
}

}  // namespace virga
