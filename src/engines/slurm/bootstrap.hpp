// The bootstrap of a node: a shell script that makes any Linux machine a node of a cluster of ours, and runs slurmd
// until it ends. As cloud-init takes it; on a virtual node of this machine it uses the files that the two share.
// A node's GPUs are Slurm's generic resource "gpu" (gres.conf(5)): its devices /dev/nvidia0 and so on or, where the
// machine has not all that its size promises, as a virtual node, empty files in their place. Slurm hands them out.
//
//   std::string script = bootstrap_script({"/var/lib/virga/slurm", "main", "nd-1", VmId{7}, {96, 8, …}});
#pragma once

#include <string>

#include "core/job.hpp"

namespace virga::slurm {

struct BootstrapSettings {
  std::string folder;   ///< of the cluster, seen by the node as by this machine
  std::string cluster;  ///< Virga's name of it
  std::string node;
  VmId vm;
  Resources resources;  ///< without GPUs where the cluster has no gres of that name (Cluster::counts_gpus())
};

std::string bootstrap_script(const BootstrapSettings& settings);

}  // namespace virga::slurm
