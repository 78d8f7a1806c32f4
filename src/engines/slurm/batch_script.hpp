// What sbatch is given for a job: its options, and a batch script that becomes the user's own.
//
//   Submission s = submission_of(job, payload, site);
//   write(path, s.script);
//   run(sbatch + s.options + {path} + payload.arguments);
//
// The script is ours for three reasons: sbatch would obey the #SBATCH lines of the user's once more, though Virga has
// done what they ask; the environment must be the submitter's and not that of the controller; and an allocation of
// Slurm has no order, so the ranks' nodes must be told to srun (SLURM_HOSTFILE with the distribution "arbitrary"). It
// writes the user's script over its own file, which belongs to the user, and executes that: name, arguments and process
// are as if Slurm had started it, and Slurm removes it. The host file is open without a name, so nothing is left of it.
//
// The rank order of the nodes carries the batch script to the first of them by --batch, which picks among features.
#pragma once

#include <string>
#include <vector>

#include "core/job.hpp"
#include "wire/slurm_env.hpp"

namespace virga::slurm {

struct SubmissionSite {
  EnvironmentSite environment;  ///< its bin_dir is put last in PATH: inside the job srun and squeue are Slurm's own
  std::string partition;        ///< of Slurm
  std::string conf;             ///< slurm.conf for commands inside jobs, where the node sees it
  bool counts_gpus = false;     ///< the cluster knows the generic resource "gpu"
  bool as_user = false;         ///< the controller is not root, and all jobs are its own
};

struct Submission {
  std::vector<std::string> options;  ///< of sbatch; the script's path and its arguments follow
  std::string script;
};

Submission submission_of(const Job& job, const LaunchPayload& payload, const SubmissionSite& site,
                         const std::string& comment);

/// The variables that a job's script has beside Slurm's own. Those of its GPUs are for clusters that count none: where
/// Slurm hands them out, what it says holds (begin_script).
std::vector<std::string> script_environment(const Job& job, const std::vector<std::string>& submitted,
                                            const EnvironmentSite& site);

}  // namespace virga::slurm
