// What Slurm's own srun needs to know of one of Virga's jobs that it starts steps in.
#pragma once

#include <string>

#include "core/job.hpp"

namespace virga {

/// SLURM_HOSTFILE, for the distribution "arbitrary", as an allocation of Slurm has no order: one line for each task of
/// the job, in rank order, and more, so that a step may have more tasks.
std::string host_file(const Job& job);

/// PATH with Virga's commands last, and no other Virga's at all: srun and squeue are Slurm's own then.
std::string path_with_slurm_first(const std::string& path, const std::string& bin_dir);

/// Whether the folder has Virga's commands, of whatever installation: its srun is the program virga.
bool has_virgas_commands(const std::string& folder);

}  // namespace virga
