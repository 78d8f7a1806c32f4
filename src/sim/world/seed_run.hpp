// Deterministic simulation testing: a seed is a whole world and a week in it, under the real control code.
//
//   SeedOutcome outcome = run_seed(42, {});
//   if (!outcome.ok()) say(outcome.broken, outcome.what, outcome.at);
//
// The same seed gives the same outcome on every machine. Arrivals end after a week, and so does everything that goes
// wrong; then all jobs must come to their end, all machines but the warm ones go, and a replay of the journal must give
// the state that was running. The controller is killed at random crash points and comes back over the same journal,
// machines and processes. See "Simulation testing" by the makers of FoundationDB
// (https://apple.github.io/foundationdb/testing.html) for the method.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/money.hpp"
#include "ports/cloud.hpp"
#include "ports/engine.hpp"
#include "ports/event_sink.hpp"
#include "ports/journal.hpp"
#include "sim/world/seed_plan.hpp"

namespace virga {

struct SeedOutcome {
  std::uint64_t seed = 0;
  std::string broken;      ///< the invariant's name, one of sim/world/seed_checks.hpp; empty: none
  std::string what;        ///< one line that says how
  Time at;                 ///< simulated time of the end, or of the breach
  std::uint64_t step = 0;  ///< steps of the controller until then
  std::uint64_t events = 0;
  std::uint32_t jobs = 0;
  std::uint32_t lives = 0;   ///< of the controller
  std::uint64_t digest = 0;  ///< of the journal: equal runs have equal ones
  Money billed;              ///< what the lender's meters come to, at list prices

  bool ok() const { return broken.empty(); }
};

/// Ways to put something between the controller and its ports: what a test plants must turn the seed red. Each gets the
/// adapter of one controller's life and gives back what is used instead.
struct SeedHooks {
  std::function<std::unique_ptr<Cloud>(std::unique_ptr<Cloud>, EventSink&)> cloud;
  std::function<std::unique_ptr<Engine>(std::unique_ptr<Engine>, EventSink&)> engine;
  std::function<std::unique_ptr<Journal>(std::unique_ptr<Journal>)> journal;
  /// Changes what a user wants before the controller hears of it, as a front door would that misreads him.
  std::function<void(JobSpec&)> wish;
  /// Sees one line for whatever happens.
  std::function<void(const std::string&)> trace;
};

SeedOutcome run_seed(std::uint64_t seed, const SeedLimits& limits, const SeedHooks& hooks = {});

}  // namespace virga
