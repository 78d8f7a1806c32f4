// Conservative backfilling over many pools: every waiting job that a pass has looked at has nodes from some time on.
//
//   Promises promises(state);
//   Time start = promises.earliest(pool, job.spec->nodes, expected_time(job.spec));
//   promises.keep(pool, {start, start + expected}, nodes);       // for the ones behind it
//
// Made anew by each pass in the order of the queue, as Slurm does: a job that ends early moves jobs forward in that
// order. A node that several jobs share counts as taken until the last of them ends.
// The first question about a pool costs O(nodes log nodes), each other one O(running and promised jobs).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "brain/sched/availability_profile.hpp"
#include "brain/state.hpp"

namespace virga {

class Promises {
 public:
  explicit Promises(const State& state) : state_(state), profiles_(state.config.pools.size()) {}

  Time earliest(std::uint32_t pool, std::uint32_t nodes, Duration lasts);
  void keep(std::uint32_t pool, const AvailabilityProfile::Span& span, std::uint32_t nodes);

 private:
  AvailabilityProfile& profile(std::uint32_t pool);

  const State& state_;
  std::vector<std::optional<AvailabilityProfile>> profiles_;
};

}  // namespace virga
