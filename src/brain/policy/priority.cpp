#include "brain/policy/priority.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace virga {

namespace {

__extension__ using Int = __int128;

constexpr std::int64_t k_micro = 1'000'000;

}  // namespace

std::uint32_t share_ppm(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return 0;
  return static_cast<std::uint32_t>(Int{std::min(part, whole)} * k_micro / whole);
}

std::int64_t static_micropoints(const PriorityWeights& weights, const PriorityFactors& factors) {
  const auto term = [](std::uint32_t weight, std::uint32_t ppm) { return std::int64_t{weight} * ppm; };
  return term(weights.fair_share, factors.fair_share_ppm) + term(weights.size, factors.size_ppm) +
         term(weights.qos, factors.qos_ppm) + term(weights.partition, factors.partition_ppm) -
         std::int64_t{factors.nice} * k_micro;
}

std::int64_t priority_at(const PriorityWeights& weights, const PriorityFactors& factors, Time now) {
  const std::int64_t age = std::clamp<std::int64_t>((now - factors.eligible).ns, 0, weights.max_age.ns);
  const auto age_part = static_cast<std::int64_t>(Int{weights.age} * k_micro * age / weights.max_age.ns);
  const std::int64_t sum = static_micropoints(weights, factors) + age_part;
  return sum / k_micro - (sum % k_micro < 0 ? 1 : 0);
}

PriorityOrder::Place PriorityOrder::place_of(JobId job, const PriorityFactors& factors, bool is_full) const {
  const Int fixed = static_micropoints(weights_, factors);
  if (is_full) return {fixed, job};
  return {fixed * weights_.max_age.ns - Int{weights_.age} * k_micro * factors.eligible.ns, job};
}

void PriorityOrder::insert(JobId job, const PriorityFactors& factors) {
  erase(job);
  factors_.emplace(job, factors);
  if (full_at(factors) <= now_) {
    full_.insert(place_of(job, factors, true));
  } else {
    growing_.insert(place_of(job, factors, false));
    full_at_.emplace(full_at(factors), job);
  }
}

void PriorityOrder::erase(JobId job) {
  const auto known = factors_.find(job);
  if (known == factors_.end()) return;
  const PriorityFactors& factors = known->second;
  if (full_at_.erase({full_at(factors), job}) > 0) {
    growing_.erase(place_of(job, factors, false));
  } else {
    full_.erase(place_of(job, factors, true));
  }
  factors_.erase(known);
}

void PriorityOrder::advance(Time now) {
  VIRGA_ASSERT(now >= now_, "time never goes back");
  now_ = now;
  while (!full_at_.empty() && full_at_.begin()->first <= now) {
    const JobId job = full_at_.begin()->second;
    const PriorityFactors& factors = factors_.at(job);
    full_at_.erase(full_at_.begin());
    growing_.erase(place_of(job, factors, false));
    full_.insert(place_of(job, factors, true));
  }
}

Time PriorityOrder::next_full_age() const { return full_at_.empty() ? Time::never() : full_at_.begin()->first; }

/// Nobody changes lists here, so each set keeps its nodes: the k-th of them gets the k-th of the sorted places.
void PriorityOrder::rebuild() {
  std::vector<Place> growing;
  std::vector<Place> full;
  growing.reserve(growing_.size());
  full.reserve(full_.size());
  for (const auto& [job, factors] : factors_) {
    const bool is_full = full_at(factors) <= now_;
    (is_full ? full : growing).push_back(place_of(job, factors, is_full));
  }
  const auto overwrite = [](std::set<Place>& set, std::vector<Place>& places) {
    VIRGA_ASSERT(set.size() == places.size(), "a job is in the list that its age says");
    std::sort(places.begin(), places.end());
    std::size_t k = 0;
    for (const Place& place : set) {
      place.key = places[k].key;
      place.job = places[k++].job;
    }
  };
  overwrite(growing_, growing);
  overwrite(full_, full);
}

PriorityOrder::Cursor PriorityOrder::begin(Time now) const {
  Cursor at;
  at.growing_ = growing_.begin();
  at.growing_end_ = growing_.end();
  at.full_ = full_.begin();
  at.full_end_ = full_.end();
  // Both lists in micropoints times max_age: growing jobs gain with the time, full ones have the whole age weight.
  at.growing_add_ = Int{weights_.age} * k_micro * now.ns;
  at.full_factor_ = weights_.max_age.ns;
  at.full_add_ = Int{weights_.age} * k_micro * weights_.max_age.ns;
  at.choose();
  return at;
}

void PriorityOrder::Cursor::choose() {
  if (full_ == full_end_ || growing_ == growing_end_) {
    at_full_ = growing_ == growing_end_;
    return;
  }
  const Key growing = growing_->key + growing_add_;
  const Key full = full_->key * full_factor_ + full_add_;
  at_full_ = full != growing ? full > growing : full_->job < growing_->job;
}

void PriorityOrder::Cursor::next() {
  ++(at_full_ ? full_ : growing_);
  choose();
}

std::uint32_t PriorityOrder::jobs_ahead(JobId job, Time now) const {
  std::uint32_t ahead = 0;
  for (Cursor at = begin(now); at && at.job() != job; at.next()) ++ahead;
  return ahead;
}

}  // namespace virga
