// `virga simulate --seed N [--seeds COUNT] [--verbose]`: runs seeds and says which are red.
//
//   simulate_seeds({.first = 1, .count = 2'000}, say)   // 0: all green; 1: a seed is red
//
// A red seed prints itself, the step, the simulated time and the invariant that broke, and how to see it again.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/world/seed_run.hpp"

namespace virga {

struct SimulateOptions {
  std::uint64_t first = 1;
  std::uint64_t count = 1;
  bool verbose = false;  ///< one line for whatever happens
  SeedLimits limits = {};
};

int simulate_seeds(const SimulateOptions& options, const std::function<void(const std::string&)>& say,
                   SeedHooks hooks = {});

}  // namespace virga
