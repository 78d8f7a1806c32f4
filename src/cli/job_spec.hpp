// From options to a job: pure functions.
//
//   Result<JobSpec> spec = job_spec_from(options, {.kind = JobKind::batch, .work_dir = cwd, .command =
//   "train.sbatch"});
#pragma once

#include <string>
#include <vector>

#include "cli/job_options.hpp"
#include "core/config.hpp"
#include "core/job.hpp"

namespace virga {

struct JobContext {
  JobKind kind = JobKind::batch;
  std::string current_dir;   ///< absolute
  std::string command;       ///< script or program, as given; empty: none
  std::string default_name;  ///< of the job
  Time now = {};             ///< what --begin=now+1hour counts from
};

/// `config` is only needed where needs_config() says so: to know how much fits on a node.
Result<JobSpec> job_spec_from(const JobOptions& options, const JobContext& context, const Config* config);

/// The number of nodes (or memory of a whole node) follows from what a node has.
bool needs_config(const JobOptions& options);

/// The environment that --export asks for, out of ours.
std::vector<std::string> exported_environment(const std::string& exported, const std::vector<std::string>& ours);

/// "dir/x" below `base`; absolute paths stay.
std::string absolute_path(const std::string& path, const std::string& base);

}  // namespace virga
