// Who is served first where short jobs should not wait for long ones, and nobody for ever: the job that is due first.
//
//   queue.insert({{.rank = due_of(submitted, estimate).ns, .sequence = id}, job, units, estimate});
//   backfill_pass(queue, &queue, machine);             // heads and the walk, both in that order
//   if (done.blocked) …give it k_promised_rank…         // so that nobody submitted later comes before it
//
// A job is due when it has waited for five times its estimate, and 18 hours after its submission at the latest. So
// among jobs of one age the shorter goes first, a short job overtakes a long one for at most 18 hours, and jobs of more
// than 3.6 hours are served as they came. Only heads have a shadow time; who has been told one keeps its place until it
// starts, hence never starts later than that.
// The two constants are a choice by measurement: longer ones shorten the mean wait and lengthen the longest one. The
// curve is in docs/benchmarks.md. Source of the idea: earliest due date first (Jackson 1955), with due times as
// multiples of the run time ("total work content", Baker 1984).
#pragma once

#include <cstdint>
#include <limits>

#include "base/time.hpp"

namespace virga {

inline constexpr std::int64_t k_due_multiple = 5;
inline constexpr Duration k_due_latest = Duration::minutes(18 * 60);

/// Before all due times.
inline constexpr std::int64_t k_promised_rank = std::numeric_limits<std::int64_t>::min();

constexpr Time due_of(Time submitted, Duration estimate) {
  const bool is_long = estimate.ns >= k_due_latest.ns / k_due_multiple;
  return submitted + (is_long ? k_due_latest : estimate * k_due_multiple);
}

}  // namespace virga
