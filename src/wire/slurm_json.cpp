#include "wire/slurm_json.hpp"

#include <algorithm>

#include "wire/group_name.hpp"
#include "wire/hostlist.hpp"
#include "wire/json_codec.hpp"
#include "wire/output_pattern.hpp"
#include "wire/slurm_document.hpp"
#include "wire/slurm_nodes.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_reasons.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

std::int64_t seconds_or_zero(Time t) { return t.is_never() ? 0 : t.whole_seconds(); }

void put_node_share(JsonWriter& w, const JobNode& node, const Resources& share) {
  w.begin_object();
  w.key("sockets");  // a virtual node has one socket, and its cores are not told apart
  w.begin_object();
  w.key("0");
  w.begin_object();
  w.key("cores");
  w.begin_object();
  for (std::uint32_t core = 0; core < share.cpus; ++core) w(std::to_string(core), "allocated");
  w.end_object();
  w.end_object();
  w.end_object();
  w("nodename", node.name);
  w("cpus_used", 0);
  w("memory_used", 0);
  w("memory_allocated", share.memory_bytes >> 20);
  w.end_object();
}

/// Of a job that has nodes; others have no such member.
void put_job_resources(JsonWriter& w, const Job& job) {
  if (job.nodes.empty()) return;
  w.key("job_resources");
  w.begin_object();
  w("nodes", job_node_list(job));
  w("allocated_cores", job.spec->per_node.cpus * job.nodes.size());
  w("allocated_hosts", job.nodes.size());
  w.key("allocated_nodes");
  w.begin_array();
  for (const JobNode& node : job.nodes) put_node_share(w, node, job.spec->per_node);
  w.end_array();
  w.end_object();
}

std::string gpus_text(const Job& job) {
  return job.spec->per_node.gpus == 0 ? "" : "gres:gpu:" + std::to_string(job.spec->per_node.gpus);
}

/// The first half of Slurm's 110 members, in its order.
void put_job_until_state(JsonWriter& w, const Job& job, const SlurmSite& site) {
  const JobSpec& spec = job.spec;
  const std::int64_t eligible = spec.held && job.state == JobState::pending ? 0 : seconds_or_zero(job.eligible);
  w("account", spec.account);
  w("accrue_time", eligible);
  w("admin_comment", "");
  w("array_job_id", job.array_job.value);
  if (job.array_job) {
    w("array_task_id", job.array_task);
  } else {
    put_null(w, "array_task_id");
  }
  w("array_max_tasks", job.spec->array.limit);
  w("array_task_string", "");
  w("association_id", 0);
  w("batch_features", "");
  w("batch_flag", spec.kind == JobKind::batch);
  w("batch_host", job.nodes.empty() ? "" : job.nodes.front().name);
  w.key("flags");
  w.begin_array();
  w.put("TRES_STR_CALC");
  w.end_array();
  w("burst_buffer", "");
  w("burst_buffer_state", "");
  w("cluster", site.cluster);
  w("cluster_features", "");
  w("command", spec.command);
  w("comment", spec.comment);
  w("container", "");
  w("contiguous", false);
  put_null(w, "core_spec");
  put_null(w, "thread_spec");
  put_null(w, "cores_per_socket");
  w.key("billable_tres");
  w.put_json(job.nodes.empty() ? "null" : std::to_string(spec.per_node.cpus * job.nodes.size()) + ".0");
  put_number_or_null(w, "cpus_per_task", spec.cpus_per_task > 1 ? spec.cpus_per_task : 0);
  put_null(w, "cpu_frequency_minimum");
  put_null(w, "cpu_frequency_maximum");
  put_null(w, "cpu_frequency_governor");
  w("cpus_per_tres", "");
  w("deadline", job.spec->deadline.whole_seconds());
  w("delay_boot", 0);
  w("dependency", shown_dependencies(job));
  w("derived_exit_code", 0);
  w("eligible_time", eligible);
  w("end_time", seconds_or_zero(is_final(job.state) ? job.ended : job.end_limit));
  w("excluded_nodes", "");
  w("exit_code", wait_status(job.exit));
  w("features", "");
  w("federation_origin", "");
  w("federation_siblings_active", "");
  w("federation_siblings_viable", "");
  w.key("gres_detail");
  w.begin_array();
  for (const JobNode& node : job.nodes) {
    if (node.gpus.empty()) continue;
    std::vector<std::string> indices;
    for (std::uint32_t gpu : node.gpus) indices.push_back(std::to_string(gpu));
    std::string list = compress_hostlist(indices);  // "[0-3]", or "0" for one
    if (list.size() > 1 && list.front() == '[') list = list.substr(1, list.size() - 2);
    w.put("gpu:" + std::to_string(node.gpus.size()) + "(IDX:" + list + ")");
  }
  w.end_array();
  w("group_id", job.owner.gid);
  w("group_name", group_name(job.owner.gid));
  w("job_id", job.id);
  put_job_resources(w, job);
}

void put_job_from_state(JsonWriter& w, const Job& job) {
  const JobSpec& spec = job.spec;
  w("job_state", slurm_state(job));
  w("last_sched_evaluation", seconds_or_zero(job.started.is_set() ? job.started : job.submitted));
  w("licenses", "");
  w("max_cpus", 0);
  w("max_nodes", 0);
  w("mcs_label", "");
  w("memory_per_tres", "");
  w("name", spec.name);
  w("nodes", job_node_list(job));
  job.spec->nice != 0 ? w("nice", job.spec->nice) : put_null(w, "nice");
  put_null(w, "tasks_per_core");
  w("tasks_per_node", spec.tasks_per_node);
  put_null(w, "tasks_per_socket");
  w("tasks_per_board", 0);
  w("cpus", spec.per_node.cpus * spec.nodes);
  w("node_count", spec.nodes);
  w("tasks", spec.tasks);
  w("het_job_id", 0);
  w("het_job_id_set", "");
  w("het_job_offset", 0);
  w("partition", spec.partition);
  w("prefer", "");
  put_number_or_null(w, "memory_per_node", spec.per_node.memory_bytes >> 20);
  put_null(w, "memory_per_cpu");
  w("minimum_cpus_per_node", spec.per_node.cpus);
  w("minimum_tmp_disk_per_node", 0);
  w("preempt_time", 0);
  w("pre_sus_time", 0);
  w("priority", shown_priority(job));
  put_null(w, "profile");
  w("qos", shown_qos(spec));
  w("reboot", false);
  w("required_nodes", "");
  w("requeue", spec.requeue);
  w("resize_time", 0);
  w("restart_cnt", job.incarnation);
  w("resv_name", "");
  spec.exclusive ? w("shared", "none") : put_null(w, "shared");
  w.key("show_flags");
  w.begin_array();
  for (const char* flag : {"SHOW_ALL", "SHOW_DETAIL", "SHOW_LOCAL"}) w.put(flag);
  w.end_array();
  w("sockets_per_board", 0);
  put_null(w, "sockets_per_node");
  w("start_time", seconds_or_zero(job.started));
  w("state_description", job.detail);
  w("state_reason", slurm_reason(job));
  w("standard_error", job_output_path(job, true));
  w("standard_input", spec.std_in.empty() ? "/dev/null" : spec.std_in);
  w("standard_output", job_output_path(job, false));
  w("submit_time", seconds_or_zero(job.submitted));
  w("suspend_time", seconds_or_zero(job.suspended));
  w("system_comment", "");
  put_number_or_null(w, "time_limit", spec.time_limit.is_infinite() ? 0 : (spec.time_limit.whole_seconds() + 59) / 60);
  w("time_minimum", 0);
  put_null(w, "threads_per_core");
  w("tres_bind", "");
  w("tres_freq", "");
  w("tres_per_job", "");
  w("tres_per_node", gpus_text(job));
  w("tres_per_socket", "");
  w("tres_per_task", "");
  w("tres_req_str", tres_text(spec.per_node, spec.nodes));
  w("tres_alloc_str", job.nodes.empty() ? "" : job_tres_text(job));
  w("user_id", job.owner.uid);
  w("user_name", job.owner.user);
  w("wckey", "");
  w("current_working_directory", spec.work_dir);
}

void put_node_state(JsonWriter& w, const SlurmNode& node) {
  constexpr std::string_view k_base[] = {"idle", "mixed", "allocated"};
  constexpr std::string_view k_power[] = {"", "POWERED_DOWN", "POWERING_UP", "POWERING_DOWN"};
  w("state", k_base[static_cast<std::size_t>(node.base)]);
  w.key("state_flags");
  w.begin_array();
  if (node.is_cloud) w.put("CLOUD");
  if (node.drained) w.put("DRAIN");
  if (node.power != SlurmNode::Power::on) w.put(k_power[static_cast<std::size_t>(node.power)]);
  w.end_array();
}

void put_node(JsonWriter& w, const SlurmNode& node) {
  w.begin_object();
  w("architecture", "x86_64");
  w("burstbuffer_network_address", "");
  w("boards", 1);
  w("boot_time", seconds_or_zero(node.booted));
  w("comment", "");
  w("cores", node.total.cpus);
  w("cpu_binding", 0);
  put_null(w, "cpu_load");
  w("extra", "");
  put_null(w, "free_memory");
  w("cpus", node.total.cpus);
  w("last_busy", seconds_or_zero(node.idle_since));
  w("features", "");
  w("active_features", "");
  w("gres", node.gres);
  w("gres_drained", "N/A");
  w("gres_used", node.gres_used);
  w("mcs_label", "");
  w("name", node.name);
  w("next_state_after_reboot", "invalid");
  w("address", node.address);
  w("hostname", node.name);
  put_node_state(w, node);
  w.key("next_state_after_reboot_flags");
  w.begin_array();
  w.end_array();
  w("operating_system", "Linux");
  put_null(w, "owner");
  w("partitions", node.partitions);
  w("port", 0);
  w("real_memory", node.total.memory_bytes >> 20);
  w("reason", node.reason);
  w("reason_changed_at", seconds_or_zero(node.reason_at));
  node.reason.empty() ? put_null(w, "reason_set_by_user") : w("reason_set_by_user", node.reason_user);
  w("slurmd_start_time", seconds_or_zero(node.ready));
  w("sockets", 1);
  w("threads", 1);
  w("temporary_disk", 0);
  w("weight", 1);
  w("tres", tres_text(node.total, 0));
  w("slurmd_version", "22.05.8");
  w("alloc_memory", node.used.memory_bytes >> 20);
  w("alloc_cpus", node.used.cpus);
  w("idle_cpus", node.total.cpus - std::min(node.total.cpus, node.used.cpus));
  node.used == Resources{} ? put_null(w, "tres_used") : w("tres_used", tres_text(node.used, 0));
  w.key("tres_weighted");
  w.put_json(std::to_string(node.used.cpus) + ".0");
  w.end_object();
}

void put_partition(JsonWriter& w, const Partition& partition, const std::vector<SlurmNode>& nodes) {
  const auto [names, total] = nodes_of_partition(partition, nodes);
  const auto minutes = [](Duration d) { return (d.whole_seconds() + 59) / 60; };
  std::string tenants;
  for (const std::string& tenant : partition.allow_tenants) tenants += (tenants.empty() ? "" : ",") + tenant;
  w.begin_object();
  w.key("flags");
  w.begin_array();
  if (partition.is_default) w.put("default");
  w.end_array();
  w.key("preemption_mode");
  w.put_json(R"(["disabled"])");
  w("allowed_allocation_nodes", "");
  w("allowed_accounts", tenants);
  for (const char* key : {"allowed_groups", "allowed_qos", "alternative", "billing_weights"}) w(key, "");
  put_null(w, "default_memory_per_cpu");
  put_null(w, "default_memory_per_node");
  partition.default_time.is_infinite() ? put_null(w, "default_time_limit")
                                       : w("default_time_limit", minutes(partition.default_time));
  w("denied_accounts", "");
  w("denied_qos", "");
  w("preemption_grace_time", 0);
  w("maximum_cpus_per_node", -1);
  put_null(w, "maximum_memory_per_cpu");
  put_null(w, "maximum_memory_per_node");
  w("maximum_nodes_per_job", -1);
  w("max_time_limit", partition.max_time.is_infinite() ? -1 : minutes(partition.max_time));
  w("min nodes per job", 0);  // with blanks, as 22.05 has it
  w("name", partition.name);
  w("nodes", compress_hostlist(names));
  put_null(w, "over_time_limit");
  w("priority_job_factor", std::max(1U, partition.priority));
  w("priority_tier", 1);
  w("qos", partition.qos);
  w("state", slurm_partition_state(partition));
  w("total_cpus", total.cpus);
  w("total_nodes", names.size());
  w("tres", tres_text(total, static_cast<std::uint32_t>(names.size())));
  w.end_object();
}

}  // namespace

std::string slurm_jobs_json(const std::vector<Job>& jobs, const SlurmSite& site, const SlurmRestErrors& errors) {
  SlurmJobsJson json(site, errors);
  std::string text;
  for (const Job& job : jobs) text += json.put(job);
  return text + json.end();
}

SlurmJobsJson::SlurmJobsJson(SlurmSite site, const SlurmRestErrors& errors) : site_(std::move(site)) {
  begin_slurm_document(writer_, SlurmPlugin::slurm, errors);
  writer_.key("jobs");
  writer_.begin_array();
}

std::string SlurmJobsJson::put(const Job& job) {
  writer_.begin_object();
  put_job_until_state(writer_, job, site_);
  put_job_from_state(writer_, job);
  writer_.end_object();
  return writer_.take();
}

std::string SlurmJobsJson::end() {
  writer_.end_array();
  writer_.end_object();
  return writer_.take();
}

std::string slurm_nodes_json(const std::vector<SlurmNode>& nodes, const SlurmRestErrors& errors) {
  JsonWriter w;
  begin_slurm_document(w, SlurmPlugin::slurm, errors);
  w.key("nodes");
  w.begin_array();
  for (const SlurmNode& node : nodes) put_node(w, node);
  w.end_array();
  w.end_object();
  return w.take();
}

std::string slurm_partitions_json(const Config& config, const std::vector<SlurmNode>& nodes, std::string_view name,
                                  const SlurmRestErrors& errors) {
  JsonWriter w;
  begin_slurm_document(w, SlurmPlugin::slurm, errors);
  w.key("partitions");
  w.begin_array();
  for (const Partition& partition : config.partitions) {
    if (name.empty() || partition.name == name) put_partition(w, partition, nodes);
  }
  w.end_array();
  w.end_object();
  return w.take();
}

std::string job_node_list(const Job& job) {
  std::vector<std::string> names;
  for (const JobNode& node : job.nodes) names.push_back(node.name);
  return compress_hostlist(names);
}

std::string job_tres_text(const Job& job) {
  return tres_text(job.spec->per_node,
                   job.nodes.empty() ? job.spec->nodes : static_cast<std::uint32_t>(job.nodes.size()));
}

std::string job_output_path(const Job& job, bool error_file) {
  if (job.spec->kind == JobKind::allocation) return "";
  std::string pattern = error_file && !job.spec->std_err.empty() ? job.spec->std_err : job.spec->std_out;
  if (pattern.empty()) pattern = default_output_pattern(job);
  std::string path = expand_output_pattern(pattern, output_names_of(job));
  return path.starts_with('/') ? path : job.spec->work_dir + "/" + path;
}

Duration job_run_time(const Job& job, Time now) {
  if (!job.started.is_set() || job.state == JobState::pending) return {};
  const Time end = is_final(job.state) ? job.ended : job.suspended.is_set() ? job.suspended : now;
  const Duration all = end > job.started ? end - job.started : Duration{};
  return all > job.suspended_for ? all - job.suspended_for : Duration{};
}

}  // namespace virga
