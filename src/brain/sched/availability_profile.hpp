// How many units are free from which time on, when every running and every promised job is counted in.
//
//   AvailabilityProfile free(100);
//   Time start = free.earliest_fit(now, {.units = 60, .lasts = Duration::minutes(30)});
//   free.take({start, start + Duration::minutes(30)}, 60);
//   free.give_back({actual_end, estimated_end}, 60);       // it ended early
//   free.forget_before(now);
//
// Less than nothing is free where a job that was late takes units promised to others; nobody fits there.
// A step function in a sorted vector. Each call is O(steps); there are at most two steps a job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace virga {

class AvailabilityProfile {
 public:
  struct Span {
    Time from;
    Time until;  ///< exclusive
  };
  struct Wish {
    std::int64_t units = 0;
    Duration lasts;
  };

  explicit AvailabilityProfile(std::int64_t units) : steps_{{Time{INT64_MIN}, units}} {}

  /// Units free at `t`.
  std::int64_t free_at(Time t) const { return steps_[index_of(t)].free; }
  /// The earliest time, `from` or later, from which on the wish can be met without a break; never, if it is too large.
  Time earliest_fit(Time from, const Wish& wish) const;
  void take(const Span& span, std::int64_t units) { change(span, -units); }
  void give_back(const Span& span, std::int64_t units) { change(span, units); }
  /// Drops what lies in the past.
  void forget_before(Time t);
  std::size_t steps() const { return steps_.size(); }

 private:
  struct Step {
    Time from;
    std::int64_t free = 0;
  };

  std::size_t index_of(Time t) const;
  /// The step that begins at `t`, made if need be.
  std::size_t cut(Time t);
  void join_equal(std::size_t at);
  void change(const Span& span, std::int64_t units);

  std::vector<Step> steps_;  ///< the first begins before all time
};

}  // namespace virga
