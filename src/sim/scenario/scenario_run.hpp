// A scenario's jobs on its supercomputer, under the real control code and brain, with all that goes wrong.
//
//   Result<RunRecord> run = run_scenario({.name = "eagle", .config = config, .faults = faults, .jobs = jobs});
//   std::string page = html_report({*run});
//
// The clouds, machines and agents are those of sim/world; time jumps from event to event. The run ends with the last
// job; machines that are kept then are paid for until that moment. It ends before if all jobs that are left are held,
// and at the latest after three times the arrivals' span and 60 days more: what is left then is told. Equal inputs give
// equal records.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/config.hpp"
#include "sim/report/run_record.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/scenario/workload.hpp"

namespace virga {

struct ScenarioInput {
  std::string name;
  Config config;
  FaultSpec faults;
  Duration billing_minimum = {};
  std::vector<SimJob> jobs;  ///< by submission; their time 0 is the start
  std::uint64_t seed = 0;    ///< of the workload, for the report
  std::vector<std::string> traces = {};
  std::vector<SkippedInput> skipped = {};
};

/// What the report does not show.
struct ScenarioStats {
  std::uint64_t events = 0;
  std::uint64_t refusals = 0;  ///< of reservations, by the cloud
};

Result<RunRecord> run_scenario(const ScenarioInput& input, ScenarioStats* stats = nullptr);

/// The spec that a job is submitted with: CPUs and memory by its share of a node's GPUs, limits as the partition
/// allows.
JobSpec spec_of(const Config& config, const SimJob& job);

}  // namespace virga
