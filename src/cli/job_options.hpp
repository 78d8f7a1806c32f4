// What sbatch and srun are asked for: from #SBATCH lines, the environment and the command line, in this order, so that
// the later ones win. job_spec.hpp turns it into a job.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "core/job.hpp"

namespace virga {

struct JobOptions {
  // The job
  std::optional<std::string> name;
  std::string partition;
  std::string account;
  std::string comment;
  std::string work_dir;
  std::string std_in;
  std::string std_out;
  std::string std_err;
  std::string open_mode;  ///< "append", "truncate"
  std::optional<std::uint32_t> nodes;
  std::optional<std::uint32_t> tasks;
  std::optional<std::uint32_t> tasks_per_node;
  std::optional<std::uint32_t> cpus_per_task;
  std::optional<std::uint32_t> cpus_per_gpu;
  std::optional<std::uint32_t> min_cpus;  ///< --mincpus: of each node
  std::optional<std::uint32_t> gpus;      ///< of the whole job
  std::optional<std::uint32_t> gpus_per_node;
  std::optional<std::uint32_t> gpus_per_task;
  std::optional<std::uint64_t> memory_per_node;  ///< 0: all that the node has
  std::optional<std::uint64_t> memory_per_cpu;
  std::optional<std::uint64_t> memory_per_gpu;
  std::optional<Duration> time_limit;
  WarningSignal warning;
  bool exclusive = false;
  bool overcommit = false;
  bool held = false;
  std::optional<bool> requeue;
  std::string qos;
  std::int32_t nice = 0;
  std::string begin;  ///< Slurm's words for a time; they mean what they mean when the job is submitted
  std::string deadline;
  std::vector<Dependency> dependencies;
  bool any_dependency = false;
  std::uint32_t switches = 0;
  Duration switches_wait = Duration::infinite();
  std::string reservation;
  ArraySpec array;
  std::string exported = "ALL";
  std::string propagate = "ALL";  ///< limits of this process that are the job's
  std::string constraint;
  std::string prefer;
  std::string batch_features;
  std::vector<std::string> exclude;
  bool contiguous = false;
  bool spread = false;
  std::uint64_t tmp_bytes = 0;
  std::vector<License> licenses;
  Duration time_min;
  bool kill_on_invalid_dep = false;
  std::string wckey;
  std::uint32_t priority = k_no_priority;
  std::uint32_t mail_types = 0;  ///< MailType bits
  std::string mail_user;
  std::string network;
  bool reboot = false;
  std::optional<std::uint32_t> sockets_per_node;
  std::optional<std::uint32_t> cores_per_socket;
  std::optional<std::uint32_t> threads_per_core;
  std::optional<std::uint32_t> tasks_per_socket;
  std::optional<std::uint32_t> tasks_per_gpu;
  std::vector<std::string> clusters;
  std::optional<std::uint32_t> run_as_uid;  ///< only root may
  std::optional<std::uint32_t> run_as_gid;
  bool login_environment = false;  ///< --get-user-env
  std::uint32_t login_environment_seconds = 120;
  std::string export_file;

  // salloc's own
  bool no_shell = false;
  bool bell = false;
  bool no_bell = false;
  std::uint32_t kill_command_signal = 0;  ///< sent to the command where the allocation is taken away

  // sbatch's own
  std::optional<std::string> wrap;
  bool wait = false;
  bool parsable = false;
  bool test_only = false;

  // srun's own
  bool label = false;
  bool unbuffered = false;
  bool kill_on_bad_exit = false;
  bool no_kill_on_bad_exit = false;  ///< --kill-on-bad-exit=0
  bool disable_status = false;
  std::vector<std::string> node_list;
  std::uint32_t relative = 0;
  std::uint32_t wait_seconds = 0;
  std::uint32_t immediate_seconds = 0;
  bool immediate = false;
  std::string distribution;  ///< checked
  bool multi_prog = false;   ///< the operand is a file that says which task runs what
  std::string task_prolog;
  std::string task_epilog;
  std::string srun_prolog;  ///< run by srun itself
  std::string srun_epilog;
  std::optional<std::string> cpu_bind;
  std::string gpu_bind;
  bool pty = false;
  std::optional<std::uint32_t> job_id;

  // Both
  bool quiet = false;
  bool verbose = false;
  bool help = false;
  bool usage = false;
  bool version = false;
};

/// "4", "2-4", "2k": at least so many nodes. Virga gives exactly the smallest number.
Result<std::uint32_t> parse_node_count(std::string_view text);
/// "8", "h100:8", "h100:4,a100:4"
Result<std::uint32_t> parse_gpu_count(std::string_view text);
/// "gpu:8", "gpu:h100:8", "gpu", "none"; the number of GPUs.
Result<std::uint32_t> parse_gres(std::string_view text);
/// "USR1", "B:TERM@120", "R:10"
Result<WarningSignal> parse_warning_signal(std::string_view text);

/// "", "100", "-100": what --nice takes; without a number 100.
Result<std::int32_t> parse_nice(std::string_view text);

using JobOptionTable = std::vector<Option<JobOptions>>;
/// The tables that parsing, --help and --usage come from.
const JobOptionTable& sbatch_table();
const JobOptionTable& srun_table();
const JobOptionTable& salloc_table();
extern const CommandInfo k_sbatch;
extern const CommandInfo k_salloc;
extern const CommandInfo k_srun;

std::span<const InputVariable> sbatch_variables();
std::span<const InputVariable> salloc_variables();
std::span<const InputVariable> srun_variables();

/// The environment variables that stand for options ("SBATCH_PARTITION"), applied to `options`.
/// `value_of` is getenv.
Status apply_environment(const CommandInfo& command, const JobOptionTable& table, const char* (*value_of)(const char*),
                         JobOptions& options);

}  // namespace virga
