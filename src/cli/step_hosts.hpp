// The distribution "arbitrary": which node runs which task, as --nodelist or $SLURM_HOSTFILE names one for each.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/job_options.hpp"

namespace virga {

/// The node of each task; empty: the distribution is another one. `tasks_given` on the command line. Where the
/// distribution is "arbitrary", `options` are made to ask for just these nodes and tasks.
Result<std::vector<std::string>> take_task_nodes(JobOptions& options, std::optional<std::uint32_t> tasks_given,
                                                 const char* host_file);

}  // namespace virga
