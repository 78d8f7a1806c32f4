#include "cli/job_spec.hpp"

#include <algorithm>
#include <cstdint>

#include "wire/slurm_text.hpp"

namespace virga {
namespace {

std::uint32_t divided_up(std::uint32_t a, std::uint32_t b) { return b == 0 ? a : a / b + (a % b != 0 ? 1 : 0); }

/// The largest node of the job's partition; null without one.
const Pool* largest_pool(const Config& config, const std::string& partition_name) {
  const Pool* largest = nullptr;
  for (const Partition& partition : config.partitions) {
    if (partition_name.empty() ? !partition.is_default : partition.name != partition_name) continue;
    for (const Pool& pool : config.pools) {
      if (std::count(partition.pools.begin(), partition.pools.end(), pool.name) == 0) continue;
      if (largest == nullptr || pool.sku.resources.cpus > largest->sku.resources.cpus) largest = &pool;
    }
  }
  return largest;
}

/// How many nodes the tasks and GPUs need that were asked for without -N, as Slurm works it out.
std::uint32_t nodes_needed(const JobOptions& o, const Sku& sku, std::uint32_t cpus_per_task) {
  std::uint32_t nodes = 1;
  const std::uint32_t tasks = o.tasks.value_or(1);
  if (o.tasks_per_node) nodes = std::max(nodes, divided_up(tasks, *o.tasks_per_node));
  if (o.tasks_per_socket) nodes = std::max(nodes, divided_up(tasks, *o.tasks_per_socket));
  const std::uint32_t tasks_that_fit = std::max(1U, sku.resources.cpus / std::max(1U, cpus_per_task));
  nodes = std::max(nodes, divided_up(tasks, tasks_that_fit));
  const std::uint32_t gpus = o.gpus ? *o.gpus : o.gpus_per_task.value_or(0) * tasks;
  if (sku.resources.gpus != 0) nodes = std::max(nodes, divided_up(gpus, sku.resources.gpus));
  return nodes;
}

/// --ntasks-per-gpu: the tasks follow from the GPUs, or else the GPUs from the tasks.
Result<JobOptions> with_tasks_per_gpu(JobOptions o) {
  if (!o.tasks_per_gpu) return o;
  const std::uint32_t gpus = o.gpus ? *o.gpus : o.gpus_per_node.value_or(0) * o.nodes.value_or(1);
  if (gpus > 0) {
    if (!o.tasks) o.tasks = gpus * *o.tasks_per_gpu;
    if (!o.gpus && !o.nodes) o.nodes = 1;
    return o;
  }
  if (!o.tasks && !(o.nodes && o.tasks_per_node)) {
    return fail(Code::invalid,
                "gres_job_state_validate: --ntasks-per-tres needs either a GRES GPU specification or a node/ntask "
                "specification\nInvalid generic resource (gres) specification");
  }
  const std::uint32_t tasks = o.tasks ? *o.tasks : *o.nodes * *o.tasks_per_node;
  o.gpus = divided_up(tasks, *o.tasks_per_gpu);
  return o;
}

/// A node has one socket, all of whose cores have one thread.
Status check_sockets(const JobOptions& o, const Sku* sku) {
  const bool fits = o.sockets_per_node.value_or(1) <= 1 && o.threads_per_core.value_or(1) <= 1 &&
                    (sku == nullptr || o.cores_per_socket.value_or(1) <= sku->resources.cpus);
  if (fits) return {};
  return fail(Code::refused,
              "Requested node configuration is not available: Socket, core and/or thread specification can not be "
              "satisfied: a node has 1 socket with 1 thread on each core" +
                  (sku != nullptr ? ", and " + std::to_string(sku->resources.cpus) + " cores" : std::string()));
}

/// As many nodes as are named, unless more were asked for.
Result<JobOptions> with_named_nodes(JobOptions o) {
  const auto named = static_cast<std::uint32_t>(o.node_list.size());
  if (named == 0) return o;
  if (o.nodes && *o.nodes < named) {
    return fail(Code::invalid,
                "invalid number of nodes (-N " + std::to_string(named) + "-" + std::to_string(*o.nodes) + ")");
  }
  if (!o.nodes) o.nodes = named;
  return o;
}

void set_shape(JobSpec& spec, const JobOptions& o, const Pool* pool) {
  const Sku* sku = pool != nullptr ? &pool->sku : nullptr;
  spec.cpus_per_task = o.cpus_per_task.value_or(1);
  if (o.spread && pool != nullptr && !o.nodes) {
    spec.nodes = std::max(1U, std::min(o.tasks.value_or(1), pool->max_nodes));
  } else if (o.nodes) {
    spec.nodes = *o.nodes;
  } else if (sku != nullptr) {
    spec.nodes = nodes_needed(o, *sku, spec.cpus_per_task);
  } else if (o.tasks_per_node && o.tasks) {
    spec.nodes = divided_up(*o.tasks, *o.tasks_per_node);
  }
  spec.tasks_per_node = o.tasks_per_node.value_or(o.tasks_per_socket.value_or(0));
  spec.tasks = o.tasks.value_or(spec.nodes * std::max(1U, spec.tasks_per_node));
  // Slurm gives as few nodes as tasks when -N asks for more than -n.
  if (o.tasks && spec.tasks < spec.nodes) spec.nodes = spec.tasks;
}

Status set_resources(JobSpec& spec, const JobOptions& o, const Sku* sku) {
  const std::uint32_t tasks_on_node =
      spec.tasks_per_node != 0 ? spec.tasks_per_node : divided_up(spec.tasks, spec.nodes);
  if (o.gpus_per_node) {
    spec.per_node.gpus = *o.gpus_per_node;
  } else if (o.gpus) {
    if (*o.gpus % spec.nodes != 0) {
      return fail(Code::invalid, "Requested node configuration is not available: " + std::to_string(*o.gpus) +
                                     " GPUs cannot be spread evenly over " + std::to_string(spec.nodes) +
                                     " nodes; use --gpus-per-node");
    }
    spec.per_node.gpus = *o.gpus / spec.nodes;
  } else if (o.gpus_per_task) {
    spec.per_node.gpus = *o.gpus_per_task * tasks_on_node;
  }
  spec.per_node.cpus = std::max(tasks_on_node * spec.cpus_per_task, o.min_cpus.value_or(0));
  if (o.cpus_per_gpu) spec.per_node.cpus = std::max(spec.per_node.cpus, *o.cpus_per_gpu * spec.per_node.gpus);
  if (o.memory_per_node) spec.per_node.memory_bytes = *o.memory_per_node;
  if (o.memory_per_node == 0U && sku != nullptr) spec.per_node.memory_bytes = sku->resources.memory_bytes;
  if (o.memory_per_cpu) spec.per_node.memory_bytes = *o.memory_per_cpu * spec.per_node.cpus;
  if (o.memory_per_gpu) spec.per_node.memory_bytes = *o.memory_per_gpu * spec.per_node.gpus;
  return {};
}

/// A time of day that is over today means tomorrow's, as in Slurm; 09:00 or 09:00:00 has no date in it.
Result<Time> moment(const std::string& text, Time now) {
  Result<Time> time = parse_local_time(text, now);
  const bool is_word = text == "noon" || text == "fika" || text == "teatime";
  const bool of_day = is_word || (text.find(':') != text.npos && text.find_first_of("-/T") == text.npos);
  if (time && of_day && *time < now) return parse_local_time(text, now + Duration::minutes(24 * 60));
  return time;
}

Status set_times(JobSpec& spec, const JobOptions& o, Time now) {
  if (!o.begin.empty()) {
    Result<Time> begin = moment(o.begin, now);
    if (!begin) return unexpected(begin.error());
    if (*begin > now) spec.begin = *begin;
  }
  if (!o.deadline.empty()) {
    Result<Time> deadline = moment(o.deadline, now);
    if (!deadline) return unexpected(deadline.error());
    spec.deadline = *deadline;
  }
  return {};
}

}  // namespace

bool needs_config(const JobOptions& o) {
  if (o.memory_per_node == 0U || o.spread || o.cores_per_socket) return true;
  if (o.nodes) return false;
  return (o.tasks.value_or(1) > 1 && !o.tasks_per_node) || o.gpus || o.gpus_per_task || o.tasks_per_gpu;
}

Result<JobSpec> job_spec_from(const JobOptions& given, const JobContext& context, const Config* config) {
  const Pool* pool = config != nullptr && needs_config(given) ? largest_pool(*config, given.partition) : nullptr;
  const Sku* sku = pool != nullptr ? &pool->sku : nullptr;
  if (Status ok = check_sockets(given, sku); !ok) return unexpected(ok.error());
  const Result<JobOptions> with_tasks = with_tasks_per_gpu(given);
  if (!with_tasks) return unexpected(with_tasks.error());
  const Result<JobOptions> whole = with_named_nodes(*with_tasks);
  if (!whole) return unexpected(whole.error());
  const JobOptions& o = *whole;
  JobSpec spec;
  spec.kind = context.kind;
  spec.name = o.name.value_or(context.default_name);
  spec.partition = o.partition;
  spec.account = o.account;
  spec.comment = o.comment;
  spec.work_dir = absolute_path(o.work_dir, context.current_dir);
  spec.command = context.command;
  spec.std_in = o.std_in == "none" ? "" : o.std_in;
  spec.std_out = o.std_out == "none" ? "/dev/null" : o.std_out;
  spec.std_err = o.std_err == "none" ? "/dev/null" : o.std_err;
  spec.append_output = o.open_mode == "append";
  set_shape(spec, o, pool);
  if (Status ok = set_resources(spec, o, sku); !ok) return unexpected(ok.error());
  spec.exclusive = o.exclusive;
  if (o.time_limit) spec.time_limit = *o.time_limit;
  spec.warning = o.warning;
  spec.requeue = o.requeue.value_or(true);
  spec.held = o.held;
  spec.qos = o.qos;
  spec.nice = o.nice;
  spec.dependencies = o.dependencies;
  spec.any_dependency = o.any_dependency;
  spec.switches = o.switches;
  spec.switches_wait = o.switches_wait;
  spec.reservation = o.reservation;
  spec.array = o.array;
  spec.placement = {.features = o.constraint,
                    .prefer = o.prefer,
                    .batch_features = o.batch_features,
                    .nodes = o.node_list,
                    .exclude = o.exclude,
                    .contiguous = o.contiguous,
                    .tmp_bytes = o.tmp_bytes};
  spec.licenses = o.licenses;
  spec.time_min = o.time_min;
  spec.kill_on_invalid_dep = o.kill_on_invalid_dep;
  spec.wckey = o.wckey;
  if (o.priority != 0) spec.priority = o.priority;  // Slurm takes 0 for no wish, too
  spec.mail_types = o.mail_types;
  spec.mail_user = o.mail_user;
  spec.network = o.network;
  spec.reboot = o.reboot;
  if (Status ok = set_times(spec, o, context.now); !ok) return unexpected(ok.error());
  return spec;
}

std::vector<std::string> exported_environment(const std::string& exported, const std::vector<std::string>& ours) {
  std::vector<std::string> names;
  std::vector<std::string> settings;
  bool all = false;
  bool none = false;
  for (const std::string& word : split_list(exported)) {
    if (word == "ALL")
      all = true;
    else if (word == "NONE" || word == "NIL")
      none = true;
    else
      (word.find('=') == word.npos ? names : settings).push_back(word);
  }
  const auto name_of_variable = [](const std::string& variable) { return variable.substr(0, variable.find('=')); };
  std::vector<std::string> out = none ? std::vector<std::string>() : settings;
  for (const std::string& variable : ours) {
    const std::string name = name_of_variable(variable);
    const bool slurm_own = name.starts_with("SLURM_") || name == "VIRGA_HOME";
    const bool named = !none && std::count(names.begin(), names.end(), name) != 0;
    const bool replaced = !none && std::any_of(settings.begin(), settings.end(),
                                               [&](const std::string& s) { return name_of_variable(s) == name; });
    if (!replaced && ((all && !none) || slurm_own || named)) out.push_back(variable);
  }
  return out;
}

std::string absolute_path(const std::string& path, const std::string& base) {
  if (path.empty()) return base;
  if (path.front() == '/') return path;
  return base == "/" ? "/" + path : base + "/" + path;
}

}  // namespace virga
