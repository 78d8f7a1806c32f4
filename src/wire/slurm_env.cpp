// Which SLURM_* variables a batch script and a step's tasks see; checked against Slurm 22.05's own.
#include "wire/slurm_env.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "core/array.hpp"
#include "wire/hostlist.hpp"
#include "wire/slurm_policy.hpp"

namespace virga {
namespace {

constexpr std::uint64_t k_bytes_per_mib = 1024 * 1024;

/// Variables that speak of one job, step or task. Those of an outer job must not reach an inner one.
constexpr std::string_view k_job_variables[] = {
    "ENVIRONMENT",           "SLURM_CPUS_PER_TASK",  "SLURM_NODE_ALIASES",    "SLURM_JOB_CPUS_PER_NODE_PACK_GROUP_0",
    "SLURM_GPUS_ON_NODE",    "SLURM_GPUS_PER_NODE",  "SLURM_JOB_ACCOUNT",     "SLURM_JOB_GPUS",
    "SLURM_JOB_START_TIME",  "SLURM_JOB_END_TIME",   "SLURM_MEM_PER_NODE",    "SLURM_NTASKS_PER_NODE",
    "SLURM_RESTART_COUNT",   "SLURM_ARRAY_JOB_ID",   "SLURM_ARRAY_TASK_ID",   "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_MIN",  "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP", "SLURM_JOB_QOS",
    "SLURM_JOB_RESERVATION",
};
constexpr std::string_view k_step_variables[] = {
    "SLURM_GTIDS",
    "SLURM_LABELIO",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_LAUNCH_NODE_IPADDR",
    "SLURM_PROCID",
    "SLURM_STEPID",
    "SLURM_STEP_GPUS",
    "SLURM_STEP_ID",
    "SLURM_STEP_NODELIST",
    "SLURM_STEP_NUM_NODES",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_STEP_TASKS_PER_NODE",
    "SLURM_TASK_PID",
    "SLURM_TOPOLOGY_ADDR",
    "SLURM_TOPOLOGY_ADDR_PATTERN",
    "SLURMD_NODENAME",
};

std::vector<std::string> node_names(const Job& job) {
  std::vector<std::string> names;
  for (const JobNode& node : job.nodes) names.push_back(node.name);
  return names;
}

std::string joined(const std::vector<std::uint32_t>& numbers) { return fmt::format("{}", fmt::join(numbers, ",")); }

void set_path(Environment& env, const std::string& bin_dir) {
  std::string path = env.value("PATH");
  if (path.empty()) path = "/usr/local/bin:/usr/bin:/bin";
  if (bin_dir.empty() || path == bin_dir || path.starts_with(bin_dir + ":")) {
    env.set("PATH", path);
  } else {
    env.set("PATH", bin_dir + ":" + path);
  }
}

void set_array(Environment& env, const Job& job) {
  const ArraySpec& array = job.spec->array;
  env.set("SLURM_ARRAY_JOB_ID", std::to_string(job.array_job.value));
  env.set("SLURM_ARRAY_TASK_ID", std::to_string(job.array_task));
  env.set("SLURM_ARRAY_TASK_COUNT", std::to_string(array_task_count(array)));
  if (array.tasks.empty()) return;
  env.set("SLURM_ARRAY_TASK_MIN", std::to_string(array.tasks.front().first));
  env.set("SLURM_ARRAY_TASK_MAX", std::to_string(array.tasks.back().last));
  env.set("SLURM_ARRAY_TASK_STEP", std::to_string(array.tasks.size() == 1 ? array.tasks.front().step : 1));
}

/// What every process of the job sees, whatever starts it.
void set_job(Environment& env, const Job& job, const EnvironmentSite& site) {
  const JobSpec& spec = job.spec;
  const auto nodes = static_cast<std::uint32_t>(job.nodes.size());
  const std::string id = std::to_string(job.id.value);
  const std::string list = compress_hostlist(node_names(job));
  for (std::string_view name : k_job_variables) env.erase(name);
  env.set("SLURM_JOB_ID", id);
  env.set("SLURM_JOBID", id);
  env.set("SLURM_JOB_NAME", spec.name);
  env.set("SLURM_JOB_NODELIST", list);
  env.set("SLURM_NODELIST", list);
  env.set("SLURM_JOB_NUM_NODES", std::to_string(nodes));
  env.set("SLURM_NNODES", std::to_string(nodes));
  // SLURM_NTASKS is there only where the submission said how many: sbatch sets it (cli/submission.hpp).
  if (spec.tasks_per_node != 0) env.set("SLURM_NTASKS_PER_NODE", std::to_string(spec.tasks_per_node));
  env.set("SLURM_TASKS_PER_NODE", compress_counts(layout_tasks(spec.tasks, nodes, spec.tasks_per_node)));
  env.set("SLURM_JOB_CPUS_PER_NODE", compress_counts(std::vector<std::uint32_t>(nodes, spec.per_node.cpus)));
  env.set("SLURM_CPUS_ON_NODE", std::to_string(spec.per_node.cpus));
  if (spec.cpus_per_task > 1) env.set("SLURM_CPUS_PER_TASK", std::to_string(spec.cpus_per_task));
  if (spec.per_node.memory_bytes != 0 && env.value("SLURM_MEM_PER_CPU").empty()) {
    env.set("SLURM_MEM_PER_NODE", std::to_string(spec.per_node.memory_bytes / k_bytes_per_mib));
  }
  env.set("SLURM_JOB_PARTITION", spec.partition);
  if (!spec.account.empty()) env.set("SLURM_JOB_ACCOUNT", spec.account);
  env.set("SLURM_JOB_QOS", shown_qos(spec));
  if (!spec.reservation.empty()) env.set("SLURM_JOB_RESERVATION", spec.reservation);
  if (job.array_job) set_array(env, job);
  env.set("SLURM_JOB_USER", job.owner.user);
  env.set("SLURM_JOB_UID", std::to_string(job.owner.uid));
  env.set("SLURM_JOB_GID", std::to_string(job.owner.gid));
  env.set("SLURM_CLUSTER_NAME", site.cluster_name);
  env.set_default("SLURM_SUBMIT_DIR", spec.work_dir);
  env.set_default("SLURM_SUBMIT_HOST", site.submit_host);
  env.set("SLURM_PRIO_PROCESS", "0");
  if (job.started.is_set()) env.set("SLURM_JOB_START_TIME", std::to_string(job.started.whole_seconds()));
  if (job.end_limit.is_set() && !job.end_limit.is_never()) {
    env.set("SLURM_JOB_END_TIME", std::to_string(job.end_limit.whole_seconds()));
  }
  if (job.incarnation > 0) env.set("SLURM_RESTART_COUNT", std::to_string(job.incarnation));
  env.set("VIRGA_HOME", site.home.path);
  env.set("VIRGA_JOB", job_marker(site.home, job.id, job.incarnation));
}

/// The GPUs that the job has on one node. `list_name` is SLURM_JOB_GPUS or SLURM_STEP_GPUS.
void set_gpus(Environment& env, const Job& job, const JobNode& node, std::string_view list_name) {
  if (job.spec->per_node.gpus == 0 && node.gpus.empty()) return;
  const std::string list = joined(node.gpus);
  env.set("SLURM_GPUS_PER_NODE", std::to_string(job.spec->per_node.gpus));
  env.set("SLURM_GPUS_ON_NODE", std::to_string(node.gpus.size()));
  env.set(list_name, list);
  env.set("CUDA_VISIBLE_DEVICES", list);
  env.set("GPU_DEVICE_ORDINAL", list);
}

void set_node(Environment& env, const std::string& name) {
  env.set("SLURMD_NODENAME", name);
  env.set("HOSTNAME", name);
  env.set("SLURM_TOPOLOGY_ADDR", name);
  env.set("SLURM_TOPOLOGY_ADDR_PATTERN", "node");
}

void set_user(Environment& env, const Job& job, const EnvironmentSite& site) {
  env.set_default("USER", job.owner.user);
  env.set_default("LOGNAME", job.owner.user);
  if (!site.home_dir.empty()) env.set_default("HOME", site.home_dir);
  if (!site.shell.empty()) env.set_default("SHELL", site.shell);
}

}  // namespace

Environment::Environment(std::vector<std::string> variables) {
  for (std::string& variable : variables) {
    std::size_t equal = variable.find('=');
    if (equal == 0 || equal == std::string::npos) continue;
    variables_.try_emplace(variable.substr(0, equal), variable, equal + 1);
  }
}
void Environment::set(std::string_view name, std::string_view value) {
  variables_.insert_or_assign(std::string(name), std::string(value));
}
void Environment::set_default(std::string_view name, std::string_view value) {
  variables_.try_emplace(std::string(name), value);
}
void Environment::erase(std::string_view name) {
  if (auto it = variables_.find(name); it != variables_.end()) variables_.erase(it);
}
std::string Environment::value(std::string_view name) const {
  auto it = variables_.find(name);
  return it == variables_.end() ? std::string() : it->second;
}
std::vector<std::string> Environment::take() {
  std::vector<std::string> out;
  out.reserve(variables_.size());
  for (const auto& [name, value] : variables_) out.push_back(name + "=" + value);
  return out;
}

std::vector<std::uint32_t> layout_tasks(std::uint32_t tasks, std::uint32_t nodes, std::uint32_t per_node) {
  std::vector<std::uint32_t> counts(nodes, 0);
  if (nodes == 0) return counts;
  if (per_node != 0 && tasks <= std::uint64_t{per_node} * nodes) {
    for (std::uint32_t& count : counts) {
      count = std::min(per_node, tasks);
      tasks -= count;
    }
    return counts;
  }
  for (std::uint32_t i = 0; i < nodes; ++i) counts[i] = tasks / nodes + (i < tasks % nodes ? 1 : 0);
  return counts;
}

std::vector<std::vector<std::uint32_t>> number_tasks(const std::vector<std::uint32_t>& counts,
                                                     TaskDistribution distribution) {
  std::vector<std::vector<std::uint32_t>> tasks(counts.size());
  std::uint32_t next = 0;
  if (distribution != TaskDistribution::cyclic) {
    for (std::size_t i = 0; i < counts.size(); ++i) {
      for (std::uint32_t k = 0; k < counts[i]; ++k) tasks[i].push_back(next++);
    }
    return tasks;
  }
  for (bool dealt = true; dealt;) {
    dealt = false;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (tasks[i].size() == counts[i]) continue;
      tasks[i].push_back(next++);
      dealt = true;
    }
  }
  return tasks;
}

std::vector<std::vector<std::uint32_t>> number_planes(std::uint32_t tasks, std::uint32_t nodes, std::uint32_t size,
                                                      std::uint32_t room) {
  std::vector<std::vector<std::uint32_t>> out(nodes);
  if (nodes == 0 || size == 0) return out;
  if (room == 0 || std::uint64_t{room} * nodes < tasks) room = tasks;
  for (std::uint32_t next = 0; next < tasks;) {
    for (std::vector<std::uint32_t>& node : out) {
      for (std::uint32_t k = 0; k < size && next < tasks && node.size() < room; ++k) node.push_back(next++);
    }
  }
  return out;
}

std::string compress_counts(const std::vector<std::uint32_t>& counts) {
  std::string out;
  for (std::size_t i = 0; i < counts.size();) {
    std::size_t end = i;
    while (end < counts.size() && counts[end] == counts[i]) ++end;
    if (!out.empty()) out += ',';
    out += std::to_string(counts[i]);
    if (end - i > 1) out += fmt::format("(x{})", end - i);
    i = end;
  }
  return out;
}

std::string job_marker(const Home& home, JobId job, std::uint32_t incarnation) {
  return fmt::format("{:016x}:{}:{}", digest_of(home.path), job.value, incarnation);
}

std::string checkpoint_dir(const std::string& checkpoints, JobId job, const std::vector<std::string>& environment) {
  Environment env(environment);
  // A job that is submitted from inside a job inherits that one's folder by accident, not by choice.
  std::string inherited = checkpoints + "/" + env.value("SLURM_JOB_ID");
  std::string chosen = env.value("VIRGA_CHECKPOINT_DIR");
  return chosen.empty() || chosen == inherited ? checkpoints + "/" + std::to_string(job.value) : chosen;
}

std::vector<std::string> allocation_environment(const Job& job, std::vector<std::string> submitted,
                                                const EnvironmentSite& site) {
  std::string checkpoints = checkpoint_dir(site.checkpoints, job.id, submitted);
  Environment env(std::move(submitted));
  for (std::string_view name : k_step_variables) env.erase(name);
  set_job(env, job, site);
  set_user(env, job, site);
  env.set("VIRGA_CHECKPOINT_DIR", checkpoints);
  set_path(env, site.bin_dir);
  return env.take();
}

std::vector<std::string> batch_environment(const Job& job, std::vector<std::string> submitted,
                                           const EnvironmentSite& site) {
  Environment env(allocation_environment(job, std::move(submitted), site));
  env.set("ENVIRONMENT", "BATCH");
  env.set("SLURM_PROCID", "0");
  env.set("SLURM_LOCALID", "0");
  env.set("SLURM_NODEID", "0");
  env.set("SLURM_GTIDS", "0");
  env.set("SLURM_NODE_ALIASES", "(null)");
  env.set_default("TMPDIR", "/tmp");
  if (!job.nodes.empty()) {
    set_node(env, job.nodes[0].name);
    set_gpus(env, job, job.nodes[0], "SLURM_JOB_GPUS");
  }
  return env.take();
}

std::vector<std::string> step_environment(const Job& job, std::vector<std::string> clients, const StepLayout& layout,
                                          std::uint32_t node_index, const EnvironmentSite& site) {
  const bool inside_batch = job.spec->kind == JobKind::batch;
  Environment env(allocation_environment(job, std::move(clients), site));
  std::vector<std::uint32_t> counts;
  std::uint32_t tasks = 0;
  for (const auto& numbers : layout.tasks) {
    counts.push_back(static_cast<std::uint32_t>(numbers.size()));
    tasks += counts.back();
  }
  const std::string step = std::to_string(layout.step);
  const std::string nodes = std::to_string(layout.nodes.size());
  const std::string per_node = compress_counts(counts);
  if (inside_batch) {
    env.set("SLURM_NODE_ALIASES", "(null)");
    env.set("SLURM_JOB_CPUS_PER_NODE_PACK_GROUP_0", env.value("SLURM_JOB_CPUS_PER_NODE"));
  }
  env.set("SLURM_STEP_ID", step);
  env.set("SLURM_STEPID", step);
  env.set("SLURM_STEP_NODELIST", compress_hostlist(layout.nodes));
  env.set("SLURM_STEP_NUM_NODES", nodes);
  env.set("SLURM_STEP_NUM_TASKS", std::to_string(tasks));
  env.set("SLURM_STEP_TASKS_PER_NODE", per_node);
  env.set("SLURM_NNODES", nodes);
  env.set("SLURM_NTASKS", std::to_string(tasks));
  env.set("SLURM_NPROCS", std::to_string(tasks));
  env.set("SLURM_TASKS_PER_NODE", per_node);
  if (layout.cpus_per_task != 0) env.set("SLURM_CPUS_PER_TASK", std::to_string(layout.cpus_per_task));
  // Slurm deals in turn where there is at most one task for each node, which comes to the same.
  const bool in_turn = layout.distribution == TaskDistribution::cyclic || tasks <= layout.nodes.size();
  if (!layout.distribution_text.empty()) {
    env.set("SLURM_DISTRIBUTION", layout.distribution_text);
  } else if (inside_batch) {
    env.set("SLURM_DISTRIBUTION", in_turn ? "cyclic" : "block");
  }
  env.erase("SLURM_DIST_PLANESIZE");
  if (layout.plane_size != 0) env.set("SLURM_DIST_PLANESIZE", std::to_string(layout.plane_size));
  env.set("SLURM_LAUNCH_NODE_IPADDR", layout.launch_address);
  env.set("SLURM_NODEID", std::to_string(node_index));
  env.set("SLURM_GTIDS", joined(layout.tasks.at(node_index)));
  if (layout.label) env.set("SLURM_LABELIO", "1");
  set_node(env, layout.nodes.at(node_index));
  for (const JobNode& node : job.nodes) {
    if (node.name != layout.nodes[node_index]) continue;
    set_gpus(env, job, node, "SLURM_STEP_GPUS");
    if (job.spec->per_node.gpus != 0) env.set("SLURM_JOB_GPUS", joined(node.gpus));
  }
  return env.take();
}

std::vector<std::string> task_variables(std::uint32_t task, std::uint32_t local_index) {
  return {fmt::format("SLURM_PROCID={}", task), fmt::format("SLURM_LOCALID={}", local_index)};
}

}  // namespace virga
