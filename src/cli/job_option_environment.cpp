// The environment variables that sbatch, salloc and srun read: all that their man pages name.
#include "cli/job_options.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

constexpr auto ignored = Support::ignored;
constexpr const char* k_one_configuration = "Virga is configured by virga.toml";
constexpr const char* k_no_traces = "there is nothing to trace";
constexpr const char* k_no_pmi = "there is no PMI";

constexpr InputVariable k_sbatch_variables[] = {
    {"SBATCH_ACCOUNT", "account"},
    {"SBATCH_ACCTG_FREQ", "acctg-freq"},
    {"SBATCH_ARRAY_INX", "array"},
    {"SBATCH_BATCH", "batch"},
    {"SBATCH_CLUSTERS", "clusters"},
    {"SBATCH_CONSTRAINT", "constraint"},
    {"SBATCH_CONTAINER", "container"},
    {"SBATCH_CORE_SPEC", "core-spec"},
    {"SBATCH_CPUS_PER_GPU", "cpus-per-gpu"},
    {"SBATCH_DEBUG", "verbose"},
    {"SBATCH_DELAY_BOOT", "delay-boot"},
    {"SBATCH_DISTRIBUTION", "distribution"},
    {"SBATCH_ERROR", "error"},
    {"SBATCH_EXCLUSIVE", "exclusive"},
    {"SBATCH_EXPORT", "export"},
    {"SBATCH_GET_USER_ENV", "get-user-env"},
    {"SBATCH_GPUS", "gpus"},
    {"SBATCH_GPUS_PER_NODE", "gpus-per-node"},
    {"SBATCH_GPUS_PER_TASK", "gpus-per-task"},
    {"SBATCH_GPU_BIND", "gpu-bind"},
    {"SBATCH_GPU_FREQ", "gpu-freq"},
    {"SBATCH_GRES", "gres"},
    {"SBATCH_GRES_FLAGS", "gres-flags"},
    {"SBATCH_HINT", "hint"},
    {"SBATCH_IGNORE_PBS", "ignore-pbs"},
    {"SBATCH_INPUT", "input"},
    {"SBATCH_JOB_NAME", "job-name"},
    {"SBATCH_MEM_BIND", "mem-bind"},
    {"SBATCH_MEM_PER_CPU", "mem-per-cpu"},
    {"SBATCH_MEM_PER_GPU", "mem-per-gpu"},
    {"SBATCH_MEM_PER_NODE", "mem"},
    {"SBATCH_NETWORK", "network"},
    {"SBATCH_NO_KILL", "no-kill"},
    {"SBATCH_NO_REQUEUE", "no-requeue"},
    {"SBATCH_OPEN_MODE", "open-mode"},
    {"SBATCH_OUTPUT", "output"},
    {"SBATCH_OVERCOMMIT", "overcommit"},
    {"SBATCH_PARTITION", "partition"},
    {"SBATCH_POWER", "power"},
    {"SBATCH_PROFILE", "profile"},
    {"SBATCH_QOS", "qos"},
    {"SBATCH_REQUEUE", "requeue"},
    {"SBATCH_REQ_SWITCH", "switches"},
    {"SBATCH_RESERVATION", "reservation"},
    {"SBATCH_SIGNAL", "signal"},
    {"SBATCH_SPREAD_JOB", "spread-job"},
    {"SBATCH_THREADS_PER_CORE", "threads-per-core"},
    {"SBATCH_THREAD_SPEC", "thread-spec"},
    {"SBATCH_TIMELIMIT", "time"},
    {"SBATCH_USE_MIN_NODES", "use-min-nodes"},
    {"SBATCH_WAIT", "wait"},
    {"SBATCH_WAIT4SWITCH", "", Support::done, "how long --switches is waited for"},
    {"SBATCH_WAIT_ALL_NODES", "wait-all-nodes"},
    {"SBATCH_WCKEY", "wckey"},
    {"SLURM_CLUSTERS", "clusters"},
    {"SLURM_CONF", "", ignored, k_one_configuration},
    {"SLURM_DEBUG_FLAGS", "", ignored, k_no_traces},
    {"SLURM_EXIT_ERROR", "", Support::done, "exit code of every error"},
    {"SLURM_HINT", "hint"},
    {"SLURM_STEP_KILLED_MSG_NODE_ID", "", ignored, "every node tells"},
    {"SLURM_UMASK", "", Support::done, "file mode mask of the job"},
};

constexpr InputVariable k_salloc_variables[] = {
    {"SALLOC_ACCOUNT", "account"},
    {"SALLOC_ACCTG_FREQ", "acctg-freq"},
    {"SALLOC_BELL", "bell"},
    {"SALLOC_BURST_BUFFER", "bb"},
    {"SALLOC_CLUSTERS", "clusters"},
    {"SALLOC_CONSTRAINT", "constraint"},
    {"SALLOC_CONTAINER", "container"},
    {"SALLOC_CORE_SPEC", "core-spec"},
    {"SALLOC_CPUS_PER_GPU", "cpus-per-gpu"},
    {"SALLOC_DEBUG", "verbose"},
    {"SALLOC_DELAY_BOOT", "delay-boot"},
    {"SALLOC_EXCLUSIVE", "exclusive"},
    {"SALLOC_GPUS", "gpus"},
    {"SALLOC_GPUS_PER_NODE", "gpus-per-node"},
    {"SALLOC_GPUS_PER_TASK", "gpus-per-task"},
    {"SALLOC_GPU_BIND", "gpu-bind"},
    {"SALLOC_GPU_FREQ", "gpu-freq"},
    {"SALLOC_GRES", "gres"},
    {"SALLOC_GRES_FLAGS", "gres-flags"},
    {"SALLOC_HINT", "hint"},
    {"SALLOC_IMMEDIATE", "immediate"},
    {"SALLOC_KILL_CMD", "kill-command"},
    {"SALLOC_MEM_BIND", "mem-bind"},
    {"SALLOC_MEM_PER_CPU", "mem-per-cpu"},
    {"SALLOC_MEM_PER_GPU", "mem-per-gpu"},
    {"SALLOC_MEM_PER_NODE", "mem"},
    {"SALLOC_NETWORK", "network"},
    {"SALLOC_NO_BELL", "no-bell"},
    {"SALLOC_NO_KILL", "no-kill"},
    {"SALLOC_OVERCOMMIT", "overcommit"},
    {"SALLOC_PARTITION", "partition"},
    {"SALLOC_POWER", "power"},
    {"SALLOC_PROFILE", "profile"},
    {"SALLOC_QOS", "qos"},
    {"SALLOC_REQ_SWITCH", "switches"},
    {"SALLOC_RESERVATION", "reservation"},
    {"SALLOC_SIGNAL", "signal"},
    {"SALLOC_SPREAD_JOB", "spread-job"},
    {"SALLOC_THREADS_PER_CORE", "threads-per-core"},
    {"SALLOC_THREAD_SPEC", "thread-spec"},
    {"SALLOC_TIMELIMIT", "time"},
    {"SALLOC_USE_MIN_NODES", "use-min-nodes"},
    {"SALLOC_WAIT4SWITCH", "", Support::done, "how long --switches is waited for"},
    {"SALLOC_WAIT_ALL_NODES", "wait-all-nodes"},
    {"SALLOC_WCKEY", "wckey"},
    {"SLURM_CLUSTERS", "clusters"},
    {"SLURM_CONF", "", ignored, k_one_configuration},
    {"SLURM_DEBUG_FLAGS", "", ignored, k_no_traces},
    {"SLURM_EXIT_ERROR", "", Support::done, "exit code of every error"},
    {"SLURM_EXIT_IMMEDIATE", "", Support::done, "exit code where --immediate finds the nodes busy"},
    {"SLURM_HINT", "hint"},
};

// Inside a job SLURM_NNODES and the like describe the job, so that a step takes all of it unless told otherwise.
constexpr InputVariable k_srun_variables[] = {
    {"PMI_FANOUT", "", ignored, k_no_pmi},
    {"PMI_FANOUT_OFF_HOST", "", ignored, k_no_pmi},
    {"PMI_TIME", "", ignored, k_no_pmi},
    {"SLURMD_DEBUG", "", ignored, "there is no slurmd"},
    {"SLURM_ACCOUNT", "account"},
    {"SLURM_ACCTG_FREQ", "acctg-freq"},
    {"SLURM_BCAST", "bcast"},
    {"SLURM_BCAST_EXCLUDE", "bcast-exclude"},
    {"SLURM_BURST_BUFFER", "bb"},
    {"SLURM_CLUSTERS", "clusters"},
    {"SLURM_COMPRESS", "compress"},
    {"SLURM_CONF", "", ignored, k_one_configuration},
    {"SLURM_CONSTRAINT", "constraint"},
    {"SLURM_CORE_SPEC", "core-spec"},
    {"SLURM_CPUS_PER_GPU", "cpus-per-gpu"},
    {"SLURM_CPU_BIND", "cpu-bind"},
    {"SLURM_CPU_FREQ_REQ", "cpu-freq"},
    {"SLURM_DEBUG", "verbose"},
    {"SLURM_DEBUG_FLAGS", "", ignored, k_no_traces},
    {"SLURM_DELAY_BOOT", "delay-boot"},
    {"SLURM_DEPENDENCY", "dependency"},
    {"SLURM_DISABLE_STATUS", "disable-status"},
    {"SLURM_DISTRIBUTION", "distribution"},
    {"SLURM_DIST_PLANESIZE", "", Support::done, "size of the planes of --distribution=plane"},
    {"SLURM_EPILOG", "epilog"},
    {"SLURM_EXACT", "exact"},
    {"SLURM_EXCLUSIVE", "exclusive"},
    {"SLURM_EXIT_ERROR", "", Support::done, "exit code of every error"},
    {"SLURM_EXIT_IMMEDIATE", "", Support::done, "exit code where --immediate finds the nodes busy"},
    {"SLURM_EXPORT_ENV", "export"},
    {"SLURM_GPUS", "gpus"},
    {"SLURM_GPUS_PER_NODE", "gpus-per-node"},
    {"SLURM_GPUS_PER_TASK", "gpus-per-task"},
    {"SLURM_GPU_BIND", "gpu-bind"},
    {"SLURM_GPU_FREQ", "gpu-freq"},
    {"SLURM_GRES", "gres"},
    {"SLURM_GRES_FLAGS", "gres-flags"},
    {"SLURM_HINT", "hint"},
    {"SLURM_IMMEDIATE", "immediate"},
    {"SLURM_JOB_ID", "jobid"},
    {"SLURM_JOB_NAME", "job-name"},
    {"SLURM_JOB_NUM_NODES", "nodes"},
    {"SLURM_KILL_BAD_EXIT", "kill-on-bad-exit"},
    {"SLURM_LABELIO", "label"},
    {"SLURM_MEM_BIND", "mem-bind"},
    {"SLURM_MEM_PER_CPU", "mem-per-cpu"},
    {"SLURM_MEM_PER_GPU", "mem-per-gpu"},
    {"SLURM_MEM_PER_NODE", "mem"},
    {"SLURM_MPI_TYPE", "mpi"},
    {"SLURM_NETWORK", "network"},
    {"SLURM_NNODES", "nodes"},
    {"SLURM_NO_KILL", "no-kill"},
    {"SLURM_NPROCS", "ntasks"},
    {"SLURM_NTASKS", "ntasks"},
    {"SLURM_NTASKS_PER_CORE", "ntasks-per-core"},
    {"SLURM_NTASKS_PER_GPU", "ntasks-per-gpu"},
    {"SLURM_NTASKS_PER_NODE", "ntasks-per-node"},
    {"SLURM_NTASKS_PER_SOCKET", "ntasks-per-socket"},
    {"SLURM_OPEN_MODE", "open-mode"},
    {"SLURM_OVERCOMMIT", "overcommit"},
    {"SLURM_OVERLAP", "overlap"},
    {"SLURM_PARTITION", "partition"},
    {"SLURM_PMI_KVS_NO_DUP_KEYS", "", ignored, k_no_pmi},
    {"SLURM_POWER", "power"},
    {"SLURM_PROFILE", "profile"},
    {"SLURM_PROLOG", "prolog"},
    {"SLURM_QOS", "qos"},
    {"SLURM_REMOTE_CWD", "chdir"},
    {"SLURM_REQ_SWITCH", "switches"},
    {"SLURM_RESERVATION", "reservation"},
    {"SLURM_RESV_PORTS", "resv-ports"},
    {"SLURM_SEND_LIBS", "send-libs"},
    {"SLURM_SIGNAL", "signal"},
    {"SLURM_SPREAD_JOB", "spread-job"},
    {"SLURM_SRUN_REDUCE_TASK_EXIT_MSG", "", ignored, "messages are few"},
    {"SLURM_STDERRMODE", "error"},
    {"SLURM_STDINMODE", "input"},
    {"SLURM_STDOUTMODE", "output"},
    {"SLURM_STEP_GRES", "gres"},
    {"SLURM_STEP_KILLED_MSG_NODE_ID", "", ignored, "every node tells"},
    {"SLURM_TASK_EPILOG", "task-epilog"},
    {"SLURM_TASK_PROLOG", "task-prolog"},
    {"SLURM_TEST_EXEC", "", ignored, "a program that is not there is told of by its node"},
    {"SLURM_THREADS", "threads"},
    {"SLURM_THREADS_PER_CORE", "threads-per-core"},
    {"SLURM_THREAD_SPEC", "thread-spec"},
    {"SLURM_TIMELIMIT", "time"},
    {"SLURM_UMASK", "", Support::done, "file mode mask of the job"},
    {"SLURM_UNBUFFEREDIO", "unbuffered"},
    {"SLURM_USE_MIN_NODES", "use-min-nodes"},
    {"SLURM_WAIT", "wait"},
    {"SLURM_WAIT4SWITCH", "", Support::done, "how long --switches is waited for"},
    {"SLURM_WCKEY", "wckey"},
    {"SLURM_WORKING_DIR", "chdir"},
    {"SRUN_CONTAINER", "container"},
    {"SRUN_CPUS_PER_TASK", "cpus-per-task"},
    {"SRUN_EXPORT_ENV", "export"},
};

}  // namespace

std::span<const InputVariable> sbatch_variables() { return k_sbatch_variables; }
std::span<const InputVariable> salloc_variables() { return k_salloc_variables; }
std::span<const InputVariable> srun_variables() { return k_srun_variables; }

Status apply_environment(const CommandInfo& command, const JobOptionTable& table, const char* (*value_of)(const char*),
                         JobOptions& options) {
  const std::string_view name = command.name;
  const std::span<const InputVariable> all = name == "sbatch"   ? sbatch_variables()
                                             : name == "salloc" ? salloc_variables()
                                                                : srun_variables();
  std::vector<InputVariable> variables(all.begin(), all.end());
  // Inside a job SLURM_JOB_NAME is the job's, not a step's.
  if (value_of("SLURM_JOB_ID") != nullptr) {
    std::erase_if(variables, [](const InputVariable& v) { return std::string_view(v.name) == "SLURM_JOB_NAME"; });
  }
  const std::span<const Option<JobOptions>> rows(table);
  if (Status ok = apply_variables(command, rows, std::span<const InputVariable>(variables), value_of, options); !ok) {
    return ok;
  }
  for (const InputVariable& variable : variables) {
    const char* value = std::string_view(variable.name).ends_with("_WAIT4SWITCH") ? value_of(variable.name) : nullptr;
    if (value == nullptr) continue;
    const Result<Duration> wait = parse_time_limit(value);
    if (!wait) return fail(Code::invalid, std::string("Invalid ") + variable.name + "=" + value);
    if (options.switches_wait.is_infinite()) options.switches_wait = *wait;
  }
  return {};
}

}  // namespace virga
