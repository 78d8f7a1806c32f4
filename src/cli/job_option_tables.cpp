// The option tables of sbatch and srun: every option of Slurm 22.05, what Virga does with it, and if nothing, why.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "cli/command_registry.hpp"
#include "cli/job_options.hpp"
#include "cli/job_placement_options.hpp"
#include "cli/messages.hpp"
#include "cli/setters.hpp"
#include "cli/step_binding.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

using O = JobOptions;
using Row = Option<JobOptions>;
constexpr auto done = Support::done;
constexpr auto quiet = Support::quiet;
constexpr auto ignored = Support::ignored;
constexpr auto refused = Support::refused;
constexpr auto nothing = Takes::nothing;
constexpr auto value = Takes::value;
constexpr auto optional = Takes::optional;

Status set_nodes(O& o, std::string_view v, const OptionInfo&) {
  Result<std::uint32_t> nodes = parse_node_count(v);
  if (!nodes) return unexpected(nodes.error());
  o.nodes = *nodes;
  return {};
}

Status set_time(O& o, std::string_view v, const OptionInfo&) {
  Result<Duration> limit = parse_time_limit(v);
  if (!limit) return unexpected(limit.error());
  o.time_limit = *limit;
  return {};
}

/// --mem, --mem-per-cpu and --mem-per-gpu exclude each other: the last one given counts.
template <auto Member>
Status set_memory(O& o, std::string_view v, const OptionInfo& row) {
  Result<std::uint64_t> bytes = parse_memory(v);
  if (!bytes) return fail(Code::invalid, std::string("Invalid --") + row.name + " specification");
  o.memory_per_node.reset();
  o.memory_per_cpu.reset();
  o.memory_per_gpu.reset();
  o.*Member = *bytes;
  return {};
}

template <auto Member>
Status set_gpus(O& o, std::string_view v, const OptionInfo&) {
  Result<std::uint32_t> count = parse_gpu_count(v);
  if (!count) return unexpected(count.error());
  o.*Member = *count;
  return {};
}

Status set_gres(O& o, std::string_view v, const OptionInfo&) {
  Result<std::uint32_t> count = parse_gres(v);
  if (!count) return unexpected(count.error());
  o.gpus_per_node = *count;
  return {};
}

Status set_signal(O& o, std::string_view v, const OptionInfo&) {
  Result<WarningSignal> warning = parse_warning_signal(v);
  if (!warning) return unexpected(warning.error());
  o.warning = *warning;
  return {};
}

Status set_open_mode(O& o, std::string_view v, const OptionInfo&) {
  o.open_mode = v == "a" || v == "append" ? "append" : v == "t" || v == "truncate" ? "truncate" : "";
  if (o.open_mode.empty()) return fail(Code::invalid, "Invalid --open-mode specification");
  return {};
}

Status set_exclusive(O& o, std::string_view v, const OptionInfo&) {
  if (v != "" && v != "user" && v != "mcs") return fail(Code::invalid, "Invalid --exclusive specification");
  o.exclusive = true;
  return {};
}

Status set_kill_on_bad_exit(O& o, std::string_view v, const OptionInfo&) {
  o.kill_on_bad_exit = v != "0";
  o.no_kill_on_bad_exit = v == "0";
  return {};
}

Status set_relative(O& o, std::string_view v, const OptionInfo&) {
  Result<std::uint32_t> first = parse_count(v);
  if (!first) return fail(Code::invalid, "Invalid numeric value \"" + std::string(v) + "\" for --relative.");
  o.relative = *first;
  return {};
}

Status set_wait_seconds(O& o, std::string_view v, const OptionInfo&) {
  Result<std::uint32_t> seconds = parse_count(v);
  if (!seconds) return fail(Code::invalid, "Invalid numeric value \"" + std::string(v) + "\" for --wait.");
  o.wait_seconds = *seconds;
  return {};
}

Status set_immediate(O& o, std::string_view v, const OptionInfo&) {
  o.immediate = true;
  if (v.empty()) return {};
  Result<std::uint32_t> seconds = parse_count(v);
  if (!seconds) return fail(Code::invalid, "Invalid numeric value \"" + std::string(v) + "\" for --immediate.");
  o.immediate_seconds = *seconds;
  return {};
}

Status set_cpu_bind(O& o, std::string_view v, const OptionInfo&) {
  o.cpu_bind = std::string(v);  // srun reads it where it knows how many tasks there are
  return {};
}

Status set_gpu_bind(O& o, std::string_view v, const OptionInfo&) {
  TaskBinding checked;
  if (Status ok = parse_gpu_bind(v, checked); !ok) return ok;
  o.gpu_bind = std::string(v);
  return {};
}

Status set_kill_command(O& o, std::string_view v, const OptionInfo&) {
  o.kill_command_signal = 15;
  if (v.empty()) return {};
  const Result<std::uint32_t> signal = parse_signal(v);
  if (!signal) return fail(Code::invalid, "Invalid --kill-command specification");
  o.kill_command_signal = *signal;
  return {};
}

Status set_mpi(O&, std::string_view v, const OptionInfo&) {
  if (v == "none" || v == "list") return {};
  return fail(Code::invalid, "--mpi=" + std::string(v) +
                                 " is not supported: processes find each other by SLURM_* variables; use --mpi=none");
}

Status set_nice(O& o, std::string_view v, const OptionInfo&) {
  Result<std::int32_t> nice = parse_nice(v);
  if (!nice) return unexpected(nice.error());
  o.nice = *nice;
  return {};
}

/// As Slurm reads it: a word that is no number is 0, which asks for nothing.
Status set_priority(O& o, std::string_view v, const OptionInfo&) {
  constexpr long long k_end = 4'294'967'294;
  const std::string text(v);
  const long long number = same_word(v, "TOP") ? k_end - 1 : std::strtoll(text.c_str(), nullptr, 10);
  if (number < 0) return fail(Code::invalid, "Priority must be >= 0");
  if (number >= k_end) return fail(Code::invalid, fmt::format("Priority must be < {}", k_end));
  o.priority = static_cast<std::uint32_t>(number);
  return {};
}

Status set_mail_types(O& o, std::string_view v, const OptionInfo&) {
  const std::optional<std::uint32_t> types = parse_mail_types(v);
  if (!types) return fail(Code::invalid, "Invalid --mail-type specification");
  o.mail_types = *types;
  return {};
}

/// Options of plugins that are not there: what they say is checked as Slurm checks it, and asks for nothing.
Status check_profile(O&, std::string_view v, const OptionInfo&) {
  for (const std::string& word : split_list(v)) {
    if (same_word(word, "all") || same_word(word, "none") || same_word(word, "energy") || same_word(word, "task") ||
        same_word(word, "lustre") || same_word(word, "network")) {
      continue;
    }
    return fail(Code::invalid, fmt::format("invalid --profile={} option", v));
  }
  return {};
}

/// "high", "low-high", "1000-2000:Performance", "OnDemand"
Status check_cpu_freq(O&, std::string_view v, const OptionInfo&) {
  std::string_view rest = v;
  while (!rest.empty()) {
    const std::size_t end = rest.find_first_of("-:");
    const std::string_view word = rest.substr(0, end);
    rest = end == rest.npos ? "" : rest.substr(end + 1);
    const bool is_number = !word.empty() && word.find_first_not_of("0123456789") == word.npos;
    bool known = is_number;
    for (const char* name : {"low", "medium", "high", "highm1", "conservative", "ondemand", "performance", "powersave",
                             "schedutil", "userspace"}) {
      known = known || same_word(word, name);
    }
    if (known) continue;
    print_error(program_invocation_short_name, fmt::format("unrecognized --cpu-freq argument \"{}\"", word));
    return fail(Code::invalid, "Invalid --cpu-freq argument");
  }
  return {};
}

Status check_burst_file(O&, std::string_view v, const OptionInfo&) {
  if (::access(std::string(v).c_str(), R_OK) == 0) return {};
  return fail(Code::invalid, "Invalid --bbf specification");
}

/// Checked here, worked out at submission: "now+1hour" counts from then.
template <auto Member>
Status set_moment(O& o, std::string_view v, const OptionInfo& row) {
  if (Result<Time> time = parse_local_time(v, Time::from_seconds(86'400)); !time) {
    return fail(Code::invalid, std::string("Invalid --") + row.name + " specification: \"" + std::string(v) +
                                   "\"; write a time such as 16:00, now+1hour, tomorrow or 2026-01-31T12:00");
  }
  o.*Member = std::string(v);
  return {};
}

Status set_dependency(O& o, std::string_view v, const OptionInfo&) {
  Result<DependencyList> list = parse_dependencies(v);
  if (!list) return unexpected(list.error());
  o.dependencies = std::move(list->all);
  o.any_dependency = list->any;
  return {};
}

Status set_array(O& o, std::string_view v, const OptionInfo&) {
  Result<ArraySpec> array = parse_array(v);
  if (!array) return unexpected(array.error());
  o.array = std::move(*array);
  return {};
}

Status set_switches(O& o, std::string_view v, const OptionInfo&) {
  Result<SwitchLimit> limit = parse_switches(v);
  if (!limit) return unexpected(limit.error());
  o.switches = limit->count;
  o.switches_wait = limit->wait;
  return {};
}

/// What sbatch and srun have in common.
constexpr Row k_common[] = {
    {{"account", 'A', value, done, "name", "account to charge"}, set_text<&O::account>},
    {{"acctg-freq", 0, value, quiet, "spec", "usage is counted by the kernel: exact, however often it is asked"}},
    {{"bb", 0, value, quiet, "spec", "without a burst buffer plugin it stages nothing; nor is it shown"}},
    {{"bbf", 0, value, quiet, "file", "the same; the file must be there"}, check_burst_file},
    {{"begin", 'b', value, done, "time", "not before: 16:00, now+1hour, tomorrow"}, set_moment<&O::begin>},
    {{"chdir", 'D', value, done, "directory", "working directory of the job"}, set_text<&O::work_dir>},
    {{"cluster", 0, value, done, "name", "the same as --clusters"}, set_clusters},
    {{"cluster-constraint", 0, value, quiet, "list", "only a federation has use for it, in Slurm, too"}},
    {{"clusters", 'M', value, done, "names", "this cluster, or all"}, set_clusters},
    {{"comment", 0, value, done, "text", "arbitrary comment"}, set_text<&O::comment>},
    {{"constraint", 'C', value, done, "list", "features of its nodes: a&b, a|b, [a|b], a*2"}, set_text<&O::constraint>},
    {{"container", 0, value, refused, "path", "jobs run without OCI containers"}},
    {{"context", 0, value, quiet, "label", "without SELinux's plugin it does nothing, in Slurm as here"}},
    {{"contiguous", 0, nothing, done, "", "nodes with numbers that follow each other"}, set_flag<&O::contiguous>},
    {{"core-spec", 'S', value, done, "cores", "told of, as where AllowSpecResourcesUsage = No"}, ignore_spec_resources},
    {{"cores-per-socket", 0, value, done, "n", "nodes whose sockets have so many"}, set_count<&O::cores_per_socket>},
    {{"cpu-freq", 0, value, quiet, "spec", "nobody may set those of a virtual machine; nor is it shown"},
     check_cpu_freq},
    {{"cpus-per-gpu", 0, value, done, "n", "processors for each GPU"}, set_count<&O::cpus_per_gpu>},
    {{"cpus-per-task", 'c', value, done, "n", "processors for each task"}, set_count<&O::cpus_per_task>},
    {{"deadline", 0, value, done, "time", "ended by then, or not begun"}, set_moment<&O::deadline>},
    {{"delay-boot", 0, value, quiet, "minutes", "no node is rebooted for the features of a job"}},
    {{"dependency", 'd', value, done, "type:job", "wait for other jobs: afterok:12:13"}, set_dependency},
    {{"distribution", 'm', value, done, "block|cyclic|plane=n|arbitrary", "which node gets which task"},
     check_distribution},
    {{"error", 'e', value, done, "file", "standard error"}, set_text<&O::std_err>},
    {{"exclude", 'x', value, done, "hosts", "none of these nodes"}, set_exclude},
    {{"exclusive", 0, optional, done, "user", "nobody else on its nodes"}, set_exclusive},
    {{"export", 0, value, done, "ALL|NONE|names", "environment that the job gets"}, set_text<&O::exported>},
    {{"extra-node-info", 'B', value, done, "s[:c[:t]]", "sockets, cores and threads of its nodes"}, set_extra_info},
    {{"gid", 0, value, done, "group", "as this group: root only"}, set_group},
    {{"gpu-bind", 0, value, done, "spec", "none, closest, single:n, per_task:n, map_gpu:list, mask_gpu:list"},
     set_gpu_bind},
    {{"gpu-freq", 0, value, ignored, "spec", "frequencies are the GPU's own"}},
    {{"gpus", 'G', value, done, "[type:]n", "GPUs of the whole job"}, set_gpus<&O::gpus>},
    {{"gpus-per-node", 0, value, done, "[type:]n", "GPUs of each node"}, set_gpus<&O::gpus_per_node>},
    {{"gpus-per-socket", 0, value, done, "[type:]n", "GPUs of each socket; a node has one"},
     set_gpus<&O::gpus_per_node>},
    {{"gpus-per-task", 0, value, done, "[type:]n", "GPUs for each task"}, set_gpus<&O::gpus_per_task>},
    {{"gres", 0, value, done, "gpu[:type]:n", "GPUs of each node"}, set_gres},
    {{"gres-flags", 0, value, quiet, "flags", "GPUs and processors of a node are of one socket"}, check_gres_flags},
    {{"help", 'h', nothing, done, "", "this text"}, set_flag<&O::help>},
    {{"hint", 0, value, done, "type", "compute_bound, memory_bound, [no]multithread"}, set_hint},
    {{"hold", 'H', nothing, done, "", "submit it held"}, set_flag<&O::held>},
    {{"input", 'i', value, done, "file", "standard input"}, set_text<&O::std_in>},
    {{"job-name", 'J', value, done, "name", "name of the job"}, set_text<&O::name>},
    {{"licenses", 'L', value, done, "names", "licences, held as long as it has nodes: a:2,b"}, set_licenses},
    {{"mail-type", 0, value, done, "types", "tell the user of BEGIN, END, FAIL …; needs mail_program"}, set_mail_types},
    {{"mail-user", 0, value, done, "user", "whom to tell; else the job's owner"}, set_text<&O::mail_user>},
    {{"mcs-label", 0, value, quiet, "label", "without an MCS plugin it hides nothing; nor is it shown"}},
    {{"mem", 0, value, done, "size[K|M|G|T]", "memory of each node; 0: all"}, set_memory<&O::memory_per_node>},
    {{"mem-bind", 0, value, quiet, "spec", "a node is one memory domain, so all memory is local"}, check_mem_bind},
    {{"mem-per-cpu", 0, value, done, "size", "memory for each processor"}, set_memory<&O::memory_per_cpu>},
    {{"mem-per-gpu", 0, value, done, "size", "memory for each GPU"}, set_memory<&O::memory_per_gpu>},
    {{"mincpus", 0, value, done, "n", "processors of each node, at least"}, set_count<&O::min_cpus>},
    {{"network", 0, value, done, "type", "told of by scontrol; without a plugin it does nothing else"},
     set_text<&O::network>},
    {{"nice", 0, optional, done, "n", "taken off the priority; 100 without a number"}, set_nice},
    {{"no-kill", 'k', optional, refused, "off", "a gang that lost a node is no gang"}},
    {{"nodefile", 'F', value, done, "file", "the same as --nodelist, from a file"}, set_node_file},
    {{"nodes", 'N', value, done, "n[-m]", "number of nodes; of a range, the smaller"}, set_nodes},
    {{"ntasks", 'n', value, done, "n", "number of tasks"}, set_count<&O::tasks>},
    {{"ntasks-per-core", 0, value, quiet, "n", "each task has cores of its own"}},
    {{"ntasks-per-gpu", 0, value, done, "n", "tasks for each GPU; one of the two gives the other"},
     set_count<&O::tasks_per_gpu>},
    {{"ntasks-per-node", 0, value, done, "n", "tasks on each node"}, set_count<&O::tasks_per_node>},
    {{"ntasks-per-socket", 0, value, done, "n", "tasks on each socket, at most; a node has one"},
     set_count<&O::tasks_per_socket>},
    {{"ntasks-per-tres", 0, value, done, "gpu:n", "the same as --ntasks-per-gpu"}, set_tasks_per_tres},
    {{"open-mode", 0, value, done, "append|truncate", "how output files are opened"}, set_open_mode},
    {{"output", 'o', value, done, "file", "standard output; %j is the job's id"}, set_text<&O::std_out>},
    {{"overcommit", 'O', nothing, done, "", "a step may start more tasks than it has processors"},
     set_flag<&O::overcommit>},
    {{"oversubscribe", 's', nothing, quiet, "", "nodes are shared unless --exclusive"}},
    {{"partition", 'p', value, done, "name", "partition"}, set_text<&O::partition>},
    {{"power", 0, value, quiet, "flags", "without a power plugin it does nothing; nor is it shown"}},
    {{"prefer", 0, value, done, "features", "such nodes where there are any, else others"}, set_text<&O::prefer>},
    {{"priority", 0, value, done, "n", "this priority, which stays; operators only"}, set_priority},
    {{"profile", 0, value, quiet, "what", "without a profile plugin it does nothing, in Slurm as here"}, check_profile},
    {{"propagate", 0, optional, done, "limits", "limits of this process that are the job's: ALL, NONE, NOFILE"},
     set_propagate},
    {{"qos", 'q', value, done, "name", "quality of service"}, set_text<&O::qos>},
    {{"quiet", 'Q', nothing, done, "", "no informational messages"}, set_flag<&O::quiet>},
    {{"reboot", 0, nothing, done, "", "told of by scontrol; nodes boot for their first job anyway"},
     set_flag<&O::reboot>},
    {{"reservation", 0, value, done, "name", "nodes of this reservation"}, set_text<&O::reservation>},
    {{"signal", 0, value, done, "[B:]signal[@s]", "signal before the time limit ends it"}, set_signal},
    {{"sockets-per-node", 0, value, done, "n", "nodes that have so many"}, set_count<&O::sockets_per_node>},
    {{"spread-job", 0, nothing, done, "", "over as many nodes as it has tasks"}, set_flag<&O::spread>},
    {{"switches", 0, value, done, "n[@time]", "at most so many switches, for so long"}, set_switches},
    {{"tasks-per-node", 0, value, done, "n", "the same as --ntasks-per-node"}, set_count<&O::tasks_per_node>},
    {{"thread-spec", 0, value, done, "n", "told of, as where AllowSpecResourcesUsage = No"}, ignore_spec_resources},
    {{"threads-per-core", 0, value, done, "n", "nodes whose cores have so many"}, set_count<&O::threads_per_core>},
    {{"time", 't', value, done, "time", "limit: minutes, h:m:s or d-h:m:s"}, set_time},
    {{"time-min", 0, value, done, "time", "lower the limit to this if it begins earlier then"}, set_time_min},
    {{"tmp", 0, value, done, "size", "room for temporary files on each node"}, set_tmp},
    {{"uid", 0, value, done, "user", "as this user: root only"}, set_user},
    {{"usage", 0, nothing, done, "", "one line about each option"}, set_flag<&O::usage>},
    {{"use-min-nodes", 0, nothing, quiet, "", "of a range of nodes, the smaller number"}},
    {{"verbose", 'v', nothing, done, "", "say more"}, set_flag<&O::verbose>},
    {{"version", 'V', nothing, done, "", "print the version"}, set_flag<&O::version>},
    {{"wckey", 0, value, done, "key", "a word for the accounts"}, set_text<&O::wckey>},
};

constexpr Row k_sbatch_only[] = {
    {{"array", 'a', value, done, "indexes", "one job for each index: 0-9, 1,5,8 or 0-100:10%4"}, set_array},
    {{"batch", 0, value, done, "list", "features of the first node, out of --constraint"},
     set_text<&O::batch_features>},
    {{"export-file", 0, value, done, "file|fd", "the environment of the job: NAME=value, each ended by NUL"},
     set_text<&O::export_file>},
    {{"get-user-env", 0, optional, done, "timeout", "the environment of a login"}, set_login_env},
    {{"ignore-pbs", 0, nothing, quiet, "", "#PBS lines are never read"}},
    {{"kill-on-invalid-dep", 0, value, done, "yes|no", "end it where a dependency cannot come true"}, set_kill_invalid},
    {{"no-requeue", 0, nothing, done, "", "a lost node ends the job"},
     [](O& o, std::string_view, const OptionInfo&) -> Status {
       o.requeue = false;
       return {};
     }},
    {{"parsable", 0, nothing, done, "", "print the job's id alone"}, set_flag<&O::parsable>},
    {{"requeue", 0, nothing, done, "", "a lost node puts the job back in the queue"},
     [](O& o, std::string_view, const OptionInfo&) -> Status {
       o.requeue = true;
       return {};
     }},
    {{"test-only", 0, nothing, done, "", "check the job and submit nothing"}, set_flag<&O::test_only>},
    {{"wait", 'W', nothing, done, "", "wait for its end; its exit code is ours"}, set_flag<&O::wait>},
    {{"wait-all-nodes", 0, value, quiet, "1|0", "a job starts when all nodes are ready"}},
    {{"wrap", 0, value, done, "command", "a shell script of this one command"}, set_text<&O::wrap>},
};

constexpr Row k_srun_only[] = {
    {{"accel-bind", 0, value, ignored, "spec", "which GPU is near to a processor is not known"}},
    {{"bcast", 0, optional, refused, "path", "nodes share this machine's files"}},
    {{"bcast-exclude", 0, value, ignored, "paths", "nodes share this machine's files"}},
    {{"compress", 0, optional, ignored, "library", "nodes share this machine's files"}},
    {{"cpu-bind", 0, value, done, "spec", "none, rank, map_cpu:list, mask_cpu:list, cores, threads, sockets; verbose"},
     set_cpu_bind},
    {{"cpu_bind", 0, value, done, "spec", "the same as --cpu-bind"}, set_cpu_bind},
    {{"debugger-test", 0, nothing, ignored, "", "there is no debugger interface"}},
    {{"disable-status", 'X', nothing, done, "", "one ^C ends the tasks"}, set_flag<&O::disable_status>},
    {{"epilog", 0, value, done, "program", "run by srun after the tasks"}, set_text<&O::srun_epilog>},
    {{"exact", 0, nothing, quiet, "", "steps share their job's nodes"}},
    {{"het-group", 0, value, refused, "n", "there are no heterogeneous jobs"}},
    {{"immediate", 'I', optional, done, "seconds", "give up if it does not start at once"}, set_immediate},
    {{"interactive", 0, nothing, quiet, "", "a step like any other"}},
    {{"jobid", 0, value, done, "id", "run a step of this job"}, set_count<&O::job_id>},
    {{"kill-on-bad-exit", 'K', optional, done, "0|1", "one failed task ends all"}, set_kill_on_bad_exit},
    {{"label", 'l', nothing, done, "", "task number before each line"}, set_flag<&O::label>},
    {{"mpi", 0, value, done, "none", "kind of MPI start"}, set_mpi},
    {{"msg-timeout", 0, value, ignored, "seconds", "waits are as long as they need to be"}},
    {{"multi-prog", 0, nothing, done, "", "the operand is a file that tells which task runs which program"},
     set_flag<&O::multi_prog>},
    {{"no-allocate", 'Z', nothing, refused, "", "needs Slurm's privileges"}},
    {{"overlap", 0, optional, quiet, "force", "steps share their job's nodes"}},
    {{"pack-group", 0, value, refused, "n", "there are no heterogeneous jobs"}},
    {{"preserve-env", 'E', nothing, ignored, "", "options win over the environment"}},
    {{"prolog", 0, value, done, "program", "run by srun before the tasks"}, set_text<&O::srun_prolog>},
    {{"pty", 0, nothing, done, "", "task 0 has a pseudo terminal, and our terminal's keys"}, set_flag<&O::pty>},
    {{"quit-on-interrupt", 0, nothing, done, "", "one ^C ends the tasks"}, set_flag<&O::disable_status>},
    {{"relative", 'r', value, done, "n", "first node of the step, counted from 0"}, set_relative},
    {{"resv-ports", 0, optional, ignored, "n", "ports are the program's own choice"}},
    {{"send-libs", 0, optional, ignored, "yes|no", "nodes share this machine's files"}},
    {{"slurmd-debug", 0, value, ignored, "level", "there is no slurmd"}},
    {{"task-epilog", 0, value, done, "program", "run after each task"}, set_text<&O::task_epilog>},
    {{"task-prolog", 0, value, done, "program", "run before each task: its output can change its environment"},
     set_text<&O::task_prolog>},
    {{"test-only", 0, nothing, done, "", "check the job and submit nothing"}, set_flag<&O::test_only>},
    {{"threads", 'T', value, quiet, "n", "all nodes are started at once"}},
    {{"unbuffered", 'u', nothing, done, "", "pass output on as it comes"}, set_flag<&O::unbuffered>},
    {{"wait", 'W', value, done, "seconds", "time left to others after the first task ended"}, set_wait_seconds},
    {{"whole", 0, nothing, quiet, "", "a step may use all that its job has on a node"}},
    {{"x11", 0, optional, refused, "what", "there is no X11 forwarding"}},
};

constexpr Row k_node_list = {{"nodelist", 'w', value, done, "hosts", "these nodes; a step's are of its job's"},
                             set_node_list};

constexpr Row k_salloc_only[] = {
    {{"bell", 0, nothing, done, "", "ring when the nodes are there"}, set_flag<&O::bell>},
    {{"get-user-env", 0, optional, ignored, "timeout", "the command has the environment of salloc"}},
    {{"immediate", 'I', optional, done, "seconds", "give up if it does not start at once"}, set_immediate},
    {{"kill-command", 'K', optional, done, "signal", "sent to the command when the nodes are taken away"},
     set_kill_command},
    {{"no-bell", 0, nothing, done, "", "never ring"}, set_flag<&O::no_bell>},
    {{"no-shell", 0, nothing, done, "", "keep the nodes, run nothing, come back"}, set_flag<&O::no_shell>},
    {{"wait-all-nodes", 0, value, quiet, "1|0", "a job starts when all nodes are ready"}},
    {{"x11", 0, optional, refused, "what", "there is no X11 forwarding"}},
};
/// Of what sbatch and srun have in common, what salloc has not.
constexpr std::string_view k_not_of_salloc[] = {"error", "export", "input", "open-mode", "output", "propagate"};

}  // namespace

const CommandInfo k_sbatch = {"sbatch", "[OPTIONS...] script [args...]", 255};
const CommandInfo k_salloc = {"salloc", "[OPTIONS...] [command [args...]]", 1};
const CommandInfo k_srun = {"srun", "[OPTIONS...] executable [args...]", 255};

const JobOptionTable& sbatch_table() {
  static const JobOptionTable table = [] {
    JobOptionTable rows(std::begin(k_common), std::end(k_common));
    rows.insert(rows.end(), std::begin(k_sbatch_only), std::end(k_sbatch_only));
    rows.push_back(k_node_list);
    return rows;
  }();
  return table;
}

const JobOptionTable& srun_table() {
  static const JobOptionTable table = [] {
    JobOptionTable rows(std::begin(k_common), std::end(k_common));
    rows.insert(rows.end(), std::begin(k_srun_only), std::end(k_srun_only));
    rows.push_back(k_node_list);
    return rows;
  }();
  return table;
}

const JobOptionTable& salloc_table() {
  static const JobOptionTable table = [] {
    JobOptionTable rows;
    for (const Row& row : k_common) {
      if (std::count(std::begin(k_not_of_salloc), std::end(k_not_of_salloc), row.info.name) == 0) rows.push_back(row);
    }
    rows.insert(rows.end(), std::begin(k_salloc_only), std::end(k_salloc_only));
    rows.push_back(k_node_list);
    return rows;
  }();
  return table;
}

CommandTable salloc_command() {
  const std::span<const InputVariable> variables = salloc_variables();
  return {k_salloc,
          "allocate nodes, and run a command with them",
          rows_of(std::span<const Row>(salloc_table())),
          {variables.begin(), variables.end()}};
}

CommandTable sbatch_command() {
  const std::span<const InputVariable> variables = sbatch_variables();
  return {k_sbatch,
          "submit a batch script",
          rows_of(std::span<const Row>(sbatch_table())),
          {variables.begin(), variables.end()}};
}

CommandTable srun_command() {
  const std::span<const InputVariable> variables = srun_variables();
  return {k_srun,
          "run tasks on the nodes of a job, or of one of its own",
          rows_of(std::span<const Row>(srun_table())),
          {variables.begin(), variables.end()}};
}

}  // namespace virga
