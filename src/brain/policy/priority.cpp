#include "brain/policy/priority.hpp"

#include <algorithm>

namespace virga {

namespace {

__extension__ using Int = __int128;

constexpr std::int64_t k_micro = 1'000'000;
/// Far beyond any sensible weights; ranks that would not fit are equal, and ids decide.
constexpr Int k_rank_max = Int{1} << 61;

/// All but the age, in millionths of a point.
std::int64_t static_micropoints(const PriorityWeights& weights, const PriorityFactors& factors) {
  const auto term = [](std::uint32_t weight, std::uint32_t ppm) { return std::int64_t{weight} * ppm; };
  return term(weights.fair_share, factors.fair_share_ppm) + term(weights.size, factors.size_ppm) +
         term(weights.qos, factors.qos_ppm) + term(weights.partition, factors.partition_ppm) -
         std::int64_t{factors.nice} * k_micro;
}

/// What an age of `t` is worth if it grew for ever, in millionths of a point, rounded down.
Int age_micropoints(const PriorityWeights& weights, std::int64_t ns) {
  const Int product = Int{weights.age} * k_micro * ns;
  const Int quotient = product / weights.max_age.ns;
  return quotient - (product % weights.max_age.ns < 0 ? 1 : 0);
}

std::int64_t as_rank(Int value) { return static_cast<std::int64_t>(std::clamp(value, -k_rank_max, k_rank_max)); }

}  // namespace

std::uint32_t share_ppm(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return 0;
  return static_cast<std::uint32_t>(Int{std::min(part, whole)} * k_micro / whole);
}

std::int64_t priority_at(const PriorityWeights& weights, const PriorityFactors& factors, Time now) {
  const std::int64_t age = std::clamp<std::int64_t>((now - factors.eligible).ns, 0, weights.max_age.ns);
  const auto sum = static_cast<std::int64_t>(static_micropoints(weights, factors) + age_micropoints(weights, age));
  return sum / k_micro - (sum % k_micro < 0 ? 1 : 0);
}

Place place_of(const PriorityWeights& weights, const PriorityFactors& factors, Time now) {
  const Int fixed = static_micropoints(weights, factors);
  Place place;
  place.full_age = weights.age == 0 || factors.eligible + weights.max_age <= now;
  if (place.full_age) {
    place.rank = as_rank(-fixed - Int{weights.age} * k_micro);
  } else {
    place.rank = as_rank(age_micropoints(weights, factors.eligible.ns) - fixed);
    place.full_at = factors.eligible + weights.max_age;
  }
  return place;
}

std::int64_t rank_shift(const PriorityWeights& weights, Time now) { return as_rank(age_micropoints(weights, now.ns)); }

}  // namespace virga
