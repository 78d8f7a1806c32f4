// Setters of sbatch's, salloc's and srun's options about nodes, processors and licences: what their values mean.
#pragma once

#include "cli/job_options.hpp"

namespace virga {

/// "n[1-3],n7", or with a "/" in it the file that lists them. `separators` of the file: Slurm's commas and blanks.
Result<std::vector<std::string>> parse_node_names(std::string_view text);
Result<std::vector<std::string>> read_node_file(const std::string& path);
/// "matlab:2,ansys"; of a name that occurs twice the counts are added.
Result<std::vector<License>> parse_licenses(std::string_view text);

using JobOptionSetter = Status(JobOptions& o, std::string_view v, const OptionInfo& row);

JobOptionSetter set_node_list;       ///< --nodelist
JobOptionSetter set_node_file;       ///< --nodefile
JobOptionSetter set_exclude;         ///< --exclude
JobOptionSetter set_licenses;        ///< --licenses
JobOptionSetter set_tmp;             ///< --tmp
JobOptionSetter set_time_min;        ///< --time-min
JobOptionSetter set_kill_invalid;    ///< --kill-on-invalid-dep
JobOptionSetter set_extra_info;      ///< --extra-node-info sockets[:cores[:threads]]
JobOptionSetter set_hint;            ///< --hint
JobOptionSetter set_tasks_per_tres;  ///< --ntasks-per-tres=gpu:n
JobOptionSetter set_propagate;       ///< --propagate
JobOptionSetter set_user;            ///< --uid
JobOptionSetter set_group;           ///< --gid
JobOptionSetter set_login_env;       ///< --get-user-env
JobOptionSetter set_clusters;        ///< --clusters, --cluster

// Accepted where they ask for what nodes are like: one socket, one thread a core, one memory domain.
JobOptionSetter check_mem_bind;
JobOptionSetter check_gres_flags;
JobOptionSetter check_distribution;  ///< also notes it
/// As Slurm does where the site does not allow it (AllowSpecResourcesUsage = No).
JobOptionSetter ignore_spec_resources;

}  // namespace virga
