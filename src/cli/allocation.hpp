// What srun outside of a job and salloc have in common: waiting for the nodes that they asked for.
#pragma once

#include <functional>
#include <string>

#include "cli/client.hpp"
#include "cli/job_options.hpp"
#include "core/job.hpp"

namespace virga {

/// Waits until the job has its nodes or has ended; tells that it waits only if it does not start at once. With
/// --immediate it is given up after that time: Code::refused, and the job is cancelled.
Result<Job> wait_for_allocation(Client& client, JobId id, const JobOptions& options,
                                const std::function<void(const std::string&)>& say);
/// The exit code where --immediate was in vain: $SLURM_EXIT_IMMEDIATE, or 1.
int immediate_exit_code();

}  // namespace virga
