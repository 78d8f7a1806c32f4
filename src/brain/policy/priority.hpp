// Multifactor priority as in Slurm, and places in a queue that the passing time does not change.
//
//   Place place = place_of(config.priority, factors, now);       // when the job comes to the queue
//   place.rank                                                    // the lower, the earlier, among equals of `full_age`
//   rank_shift(config.priority, now)                              // what a full-age rank is behind a growing one
//
//   priority(t) = age · min(t - eligible, max_age) / max_age  +  fair_share · F + size · S + qos · Q + partition · P  -
//   nice
//
// with the weights of [priority] in points and the factors F S Q P from 0 to 1 in millionths. Time must not reorder the
// queue job by job: among jobs whose age is not full the term age · t / max_age is the same for all, so they are kept
// by the rest, static - age · eligible / max_age. A job whose age is full is kept by its static part alone. Two such
// lists are compared by shifting the second one by age · t / max_age. A job changes lists once, when its age is full.
//
// Differences from Slurm's priority/multifactor: ages are right at every moment instead of every PriorityCalcPeriod;
// priorities are cut to millionths of a point, and equal ones are served in the order of job ids; a priority below 0 is
// kept for the order (Slurm cuts it to 1); there are no factors for associations, TRES and sites; size is the share of
// nodes, the larger first, instead of the mean of nodes and CPUs.
// Source: Slurm's priority_multifactor.html; the split into two static lists is ours.
#pragma once

#include <cstdint>

#include "base/time.hpp"
#include "core/policy.hpp"

namespace virga {

/// What a job's priority is made of, besides the weights and the time. Factors are in millionths.
struct PriorityFactors {
  Time eligible;  ///< its age counts from here
  std::int32_t nice = 0;
  std::uint32_t fair_share_ppm = 0;
  std::uint32_t size_ppm = 0;
  std::uint32_t qos_ppm = 0;
  std::uint32_t partition_ppm = 0;
};

/// `part` of `whole` in millionths: 0 of 0, at most a million.
std::uint32_t share_ppm(std::uint64_t part, std::uint64_t whole);

/// In whole points, rounded down: what squeue and sprio show.
std::int64_t priority_at(const PriorityWeights& weights, const PriorityFactors& factors, Time now);

struct Place {
  std::int64_t rank = 0;  ///< in millionths of a point, the sign turned
  bool full_age = false;
  Time full_at = Time::never();  ///< when to ask anew

  friend bool operator==(const Place&, const Place&) = default;
};
Place place_of(const PriorityWeights& weights, const PriorityFactors& factors, Time now);
/// Added to the rank of a full-age job it can be compared with the ranks of growing ones at that time.
std::int64_t rank_shift(const PriorityWeights& weights, Time now);

}  // namespace virga
