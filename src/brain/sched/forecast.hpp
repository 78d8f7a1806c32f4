// When a waiting job will start, and what each pool could do for it: offers made long, for explain.
//
//   Forecast f = forecast_of(state, job);
//   f.start, f.confidence
//
// A job for which a pool is held starts when that hold begins. For any other, the nodes that those before it in its
// partition ask for are counted as if all of them ran at once and to their limits, in as many rounds as the pool needs:
// an estimate that costs O(pools · log jobs), not a simulation.
#pragma once

#include "brain/explanation.hpp"
#include "brain/sched/supply.hpp"
#include "brain/state.hpp"

namespace virga {

struct Forecast {
  Time start = Time::never();
  Confidence confidence = Confidence::none;
  std::vector<ExplainedOption> options;
};

/// When the pool could have served all who are before the job, and the job. `offer` is what offer_of() says of it.
Time start_behind_others(const State& state, const Job& job, const Offer& offer, Time now);

Forecast forecast_of(const State& state, const Job& job);

}  // namespace virga
