// The environment variables that stand for options of sbatch and srun.
#include <cstring>

#include "cli/job_options.hpp"

namespace virga {
namespace {

struct Variable {
  const char* name;
  const char* option;
};

constexpr Variable k_sbatch_variables[] = {
    {"SBATCH_ACCOUNT", "account"},
    {"SBATCH_ARRAY_INX", "array"},
    {"SBATCH_CLUSTERS", "clusters"},
    {"SBATCH_CONSTRAINT", "constraint"},
    {"SBATCH_CPUS_PER_GPU", "cpus-per-gpu"},
    {"SBATCH_DEBUG", "verbose"},
    {"SBATCH_DISTRIBUTION", "distribution"},
    {"SBATCH_EXCLUSIVE", "exclusive"},
    {"SBATCH_EXPORT", "export"},
    {"SBATCH_GET_USER_ENV", "get-user-env"},
    {"SBATCH_GPUS", "gpus"},
    {"SBATCH_GPUS_PER_NODE", "gpus-per-node"},
    {"SBATCH_GPUS_PER_TASK", "gpus-per-task"},
    {"SBATCH_GRES", "gres"},
    {"SBATCH_HINT", "hint"},
    {"SBATCH_JOB_NAME", "job-name"},
    {"SBATCH_MEM_PER_CPU", "mem-per-cpu"},
    {"SBATCH_MEM_PER_GPU", "mem-per-gpu"},
    {"SBATCH_MEM_PER_NODE", "mem"},
    {"SBATCH_NO_REQUEUE", "no-requeue"},
    {"SBATCH_OPEN_MODE", "open-mode"},
    {"SBATCH_OVERCOMMIT", "overcommit"},
    {"SBATCH_PARTITION", "partition"},
    {"SBATCH_QOS", "qos"},
    {"SBATCH_REQUEUE", "requeue"},
    {"SBATCH_RESERVATION", "reservation"},
    {"SBATCH_SIGNAL", "signal"},
    {"SBATCH_TIMELIMIT", "time"},
    {"SBATCH_WAIT", "wait"},
    {"SBATCH_WCKEY", "wckey"},
};

// Inside a job SLURM_NNODES and the like describe the job, so that a step takes all of it unless told otherwise.
constexpr Variable k_srun_variables[] = {
    {"SLURM_JOB_ID", "jobid"},        {"SLURM_ACCOUNT", "account"},
    {"SLURM_CPU_BIND", "cpu-bind"},   {"SRUN_CPUS_PER_TASK", "cpus-per-task"},
    {"SLURM_DEBUG", "verbose"},       {"SLURM_DISTRIBUTION", "distribution"},
    {"SLURM_EXACT", "exact"},         {"SLURM_EXCLUSIVE", "exclusive"},
    {"SLURM_EXPORT_ENV", "export"},   {"SRUN_EXPORT_ENV", "export"},
    {"SLURM_GRES", "gres"},           {"SLURM_GPUS", "gpus"},
    {"SLURM_IMMEDIATE", "immediate"}, {"SLURM_JOB_NUM_NODES", "nodes"},
    {"SLURM_NNODES", "nodes"},        {"SLURM_KILL_BAD_EXIT", "kill-on-bad-exit"},
    {"SLURM_LABELIO", "label"},       {"SLURM_MPI_TYPE", "mpi"},
    {"SLURM_NTASKS", "ntasks"},       {"SLURM_NTASKS_PER_NODE", "ntasks-per-node"},
    {"SLURM_OPEN_MODE", "open-mode"}, {"SLURM_OVERLAP", "overlap"},
    {"SLURM_PARTITION", "partition"}, {"SLURM_STDERRMODE", "error"},
    {"SLURM_STDINMODE", "input"},     {"SLURM_STDOUTMODE", "output"},
    {"SLURM_TIMELIMIT", "time"},      {"SLURM_UNBUFFEREDIO", "unbuffered"},
    {"SLURM_WAIT", "wait"},           {"SLURM_WORKING_DIR", "chdir"},
};

bool says_no(std::string_view value) { return value == "0" || value == "no" || value == "NO" || value == "false"; }

}  // namespace

Status apply_environment(const CommandInfo& command, const JobOptionTable& table, const char* (*value_of)(const char*),
                         JobOptions& options) {
  const bool is_sbatch = std::strcmp(command.name, "sbatch") == 0;
  const auto variables =
      is_sbatch ? std::span<const Variable>(k_sbatch_variables) : std::span<const Variable>(k_srun_variables);
  for (const Variable& variable : variables) {
    const char* value = value_of(variable.name);
    if (value == nullptr) continue;
    for (const Option<JobOptions>& row : table) {
      if (std::strcmp(row.info.name, variable.option) != 0) continue;
      if (row.info.takes == Takes::nothing && says_no(value)) continue;
      if (row.info.takes == Takes::value && *value == '\0') continue;
      if (Status ok = admit(command, row.info, false); !ok) {
        return fail(ok.error().code, std::string(variable.name) + ": " + ok.error().message);
      }
      if (row.apply == nullptr) continue;
      if (Status ok = row.apply(options, value, row.info); !ok) {
        return fail(ok.error().code, std::string(variable.name) + "=" + value + ": " + ok.error().message);
      }
    }
  }
  return {};
}

}  // namespace virga
