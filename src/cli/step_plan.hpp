// Which nodes and how many tasks a step has: Slurm's rules, as pure functions.
//
//   Result<StepPlan> plan = plan_step(job, options);      // {nodes nd1 nd2, tasks 4}
#pragma once

#include <string>
#include <vector>

#include "cli/job_options.hpp"
#include "core/job.hpp"

namespace virga {

struct StepPlan {
  std::vector<std::string> nodes;
  std::uint32_t tasks = 1;
  std::uint32_t tasks_per_node = 0;  ///< 0: no wish, or one that the other numbers do not allow
  std::string warning;               ///< one line for stderr, if any
};

Result<StepPlan> plan_step(const Job& job, const JobOptions& options);

}  // namespace virga
