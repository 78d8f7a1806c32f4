// The jobs of a scenario, made from its [workload] section and seed alone.
//
//   std::vector<SimJob> jobs = make_workload(scenario.workload);
//
// Integers only, so that a seed gives the same jobs on every machine. Arrivals: uniform draws over the span, each kept
// with the chance that its hour and weekday have (thinning, Lewis and Shedler 1979), until there are enough; time 0 is
// a Monday's midnight. Durations: half of them lie evenly below the median; the others double with the chance
// tail_percent again and again, which is a Pareto tail of exponent -log2(tail_percent / 100), and are cut at the
// longest. User numbers are skewed, the first ones submit most. O(n log n) in jobs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "sim/scenario/scenario.hpp"

namespace virga {

struct SimJob {
  Time submit;
  std::string user;
  std::string tenant;
  std::string partition;  ///< empty: the default one
  std::uint32_t nodes = 1;
  std::uint32_t gpus_per_node = 1;  ///< 0: whole nodes
  Duration duration;                ///< without interruptions
  Duration limit;                   ///< at least the duration
  Duration checkpoint;              ///< zero: it starts from the beginning after an interruption
  Duration least_leaves_for;        ///< it waits so long for nodes on as few leaves as can be (--switches)
  bool requeue = true;
};

/// In order of submission.
std::vector<SimJob> make_workload(const WorkloadSpec& spec);

}  // namespace virga
