// Processes and devices of jobs kept together by control groups, in a cluster that Virga raises: what makes itself a
// daemon ends with its job, and a GPU that a job was not given cannot be opened.
//
//   if (can_confine()) conf.confines = true;       // proctrack/cgroup, task/cgroup
//   prepare_confinement(folder, conf.confines);      // cgroup.conf
//
// The nodes share this machine's kernel, and slurmd 22.05 names its groups after the node alone. So each node has
// groups of its own, in which its slurmd makes what it likes: its bootstrap binds them to places below the folder
// `cgroup`, in the node's own view of the files, which cgroup.conf names as where control groups are. That works with
// control groups of version 1. With version 2 it was not tried; there, and where no groups can be made, a job's
// processes are followed by their parents, and devices are open to all.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"

namespace virga::slurm {

/// Or why not.
Status can_confine();

/// Writes cgroup.conf beside slurm.conf, or removes it.
Status prepare_confinement(const std::string& folder, bool confines);

/// For a node's bootstrap: nothing where there is no cgroup.conf.
std::string confinement_lines(const std::string& folder, const std::string& node);

/// The groups of all nodes, which are gone.
void remove_confinement(const std::string& folder);

}  // namespace virga::slurm
