// What a seed means: a supercomputer, a week of users, and all that goes wrong in it.
//
//   SeedPlan plan = draw_plan(42, limits);
//
// Everything is drawn here, before the run; the run itself draws only what the simulated lender and network do. Small
// worlds are more frequent than large ones, so that many seeds can be run: the mean is about a fifth of the limits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/event.hpp"
#include "sim/world/courier.hpp"
#include "sim/world/machines.hpp"
#include "sim/world/processes.hpp"

namespace virga {

/// When each seed's week begins.
inline constexpr Time k_seed_start = Time::from_seconds(1'800'000'000);

/// How large a seed's world may become.
struct SeedLimits {
  std::uint32_t jobs_max = 300;
  std::uint32_t nodes_max = 64;
  Duration arrivals = Duration::minutes(7 * 24 * 60);  ///< the time in which jobs arrive and things go wrong
  bool faults = true;                                  ///< false: nothing goes wrong and nobody crashes
};

struct PlannedJob {
  Time at;
  JobSpec spec;
  RunPlan run;
  bool fits = true;  ///< some pool can hold it, drained nodes aside
};

enum class Trouble : std::uint8_t {
  act,            ///< a user or an operator does something to a job
  drain,          ///< an operator drains a node
  resume,         ///< and lets it take jobs again
  stock_out,      ///< a pool's capacity falls
  restock,        ///< and comes back
  crash_node,     ///< a machine dies
  evict_node,     ///< the lender takes a machine, with notice or without
  crash_leaf,     ///< all machines of a leaf die
  disk_full,      ///< the journal cannot be written
  disk_free,      ///< and can again
  kill_control,   ///< the controller dies between two steps
  crash_control,  ///< the controller dies at one of its next crash points
};

struct PlannedTrouble {
  Time at;
  Trouble kind = Trouble::act;
  JobAction action = JobAction::cancel;  ///< with act
  bool as_operator = false;              ///< with act
  std::uint64_t pick = 0;                ///< which job, node or pool: modulo how many there are then
  Duration notice = {};                  ///< with evict_node
  std::uint32_t countdown = 0;           ///< with crash_control: crash points until then
};

struct SeedPlan {
  Time start;
  Time calm;  ///< no job arrives any more, and nothing goes wrong
  Config config;
  std::vector<PoolTraits> traits;  ///< as config.pools
  std::vector<PlannedJob> jobs;    ///< by time
  std::vector<PlannedTrouble> troubles;
  LenderFaults lender;
  DeliveryFaults delivery;
  std::uint64_t snapshot_every = 1'000;
};

SeedPlan draw_plan(std::uint64_t seed, const SeedLimits& limits);

/// Whether the job can ever be placed in this configuration: one gang in one pool of its partition.
bool can_fit(const Config& config, const JobSpec& spec, const Pool& pool);

}  // namespace virga
