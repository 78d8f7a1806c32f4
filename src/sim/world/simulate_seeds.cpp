#include "sim/world/simulate_seeds.hpp"

#include <fmt/format.h>

namespace virga {

int simulate_seeds(const SimulateOptions& options, const std::function<void(const std::string&)>& say,
                   SeedHooks hooks) {
  if (options.verbose) hooks.trace = say;
  std::uint64_t red = 0;
  std::uint64_t events = 0;
  std::uint64_t jobs = 0;
  std::uint64_t lives = 0;
  for (std::uint64_t seed = options.first; seed < options.first + options.count; ++seed) {
    const SeedOutcome outcome = run_seed(seed, options.limits, hooks);
    events += outcome.events;
    jobs += outcome.jobs;
    lives += outcome.lives;
    if (outcome.ok()) continue;
    ++red;
    say(fmt::format("seed {} is red at step {}, {} s after its start: invariant {}: {}", seed, outcome.step,
                    outcome.at.whole_seconds() - k_seed_start.whole_seconds(), outcome.broken, outcome.what));
    say(fmt::format("  again: virga simulate --seed {} --verbose", seed));
  }
  say(fmt::format("{} seeds, {} red: {} jobs, {} events, {} lives of the controller", options.count, red, jobs, events,
                  lives));
  return red == 0 ? 0 : 1;
}

}  // namespace virga
