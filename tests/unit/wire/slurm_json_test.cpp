// The shapes of Slurm's JSON. The key lists are those of a real Slurm 22.05.8 (OpenAPI v0.0.38, dbv0.0.38).
#include "wire/slurm_json.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "wire/json_codec.hpp"
#include "wire/slurm_text.hpp"

namespace {

using virga::JsonDocument;
using virga::JsonNode;

constexpr std::string_view k_job_keys =
    "account,accrue_time,admin_comment,array_job_id,array_task_id,array_max_tasks,array_task_string,association_id,"
    "batch_features,batch_flag,batch_host,flags,burst_buffer,burst_buffer_state,cluster,cluster_features,command,"
    "comment,container,contiguous,core_spec,thread_spec,cores_per_socket,billable_tres,cpus_per_task,"
    "cpu_frequency_minimum,cpu_frequency_maximum,cpu_frequency_governor,cpus_per_tres,deadline,delay_boot,dependency,"
    "derived_exit_code,eligible_time,end_time,excluded_nodes,exit_code,features,federation_origin,"
    "federation_siblings_active,federation_siblings_viable,gres_detail,group_id,group_name,job_id,job_resources,"
    "job_state,last_sched_evaluation,licenses,max_cpus,max_nodes,mcs_label,memory_per_tres,name,nodes,nice,"
    "tasks_per_core,tasks_per_node,tasks_per_socket,tasks_per_board,cpus,node_count,tasks,het_job_id,het_job_id_set,"
    "het_job_offset,partition,prefer,memory_per_node,memory_per_cpu,minimum_cpus_per_node,minimum_tmp_disk_per_node,"
    "preempt_time,pre_sus_time,priority,profile,qos,reboot,required_nodes,requeue,resize_time,restart_cnt,resv_name,"
    "shared,show_flags,sockets_per_board,sockets_per_node,start_time,state_description,state_reason,standard_error,"
    "standard_input,standard_output,submit_time,suspend_time,system_comment,time_limit,time_minimum,threads_per_core,"
    "tres_bind,tres_freq,tres_per_job,tres_per_node,tres_per_socket,tres_per_task,tres_req_str,tres_alloc_str,user_id,"
    "user_name,wckey,current_working_directory";

constexpr std::string_view k_node_keys =
    "architecture,burstbuffer_network_address,boards,boot_time,comment,cores,cpu_binding,cpu_load,extra,free_memory,"
    "cpus,last_busy,features,active_features,gres,gres_drained,gres_used,mcs_label,name,next_state_after_reboot,"
    "address,hostname,state,state_flags,next_state_after_reboot_flags,operating_system,owner,partitions,port,"
    "real_memory,reason,reason_changed_at,reason_set_by_user,slurmd_start_time,sockets,threads,temporary_disk,weight,"
    "tres,slurmd_version,alloc_memory,alloc_cpus,idle_cpus,tres_used,tres_weighted";

constexpr std::string_view k_account_keys =
    "account,comment,allocation_nodes,array,association,cluster,constraints,container,derived_exit_code,time,"
    "exit_code,flags,group,het,job_id,name,mcs,nodes,partition,priority,qos,required,kill_request_user,reservation,"
    "state,steps,tres,user,wckey,working_directory";

constexpr std::string_view k_step_keys =
    "nodes,tres,time,exit_code,tasks,pid,CPU,kill_request_user,state,statistics,step,task";

std::string keys_of(JsonNode object) {
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < object.size(); ++i) keys.emplace_back(object.name(i));
  std::sort(keys.begin(), keys.end());
  std::string text;
  for (const std::string& key : keys) text += key + "\n";
  return text;
}

std::string keys_in(std::string_view list) {
  std::vector<std::string> keys = virga::split_list(list);
  std::sort(keys.begin(), keys.end());
  std::string text;
  for (const std::string& key : keys) text += key + "\n";
  return text;
}

virga::Job running_job() {
  virga::Job job;
  job.id = {7};
  job.spec.edit().name = "train";
  job.spec.edit().partition = "main";
  job.spec.edit().work_dir = "/home/ada";
  job.spec.edit().nodes = 2;
  job.spec.edit().tasks = 4;
  job.spec.edit().per_node = {8, 2, 64ULL << 30};
  job.spec.edit().time_limit = virga::Duration::seconds(90);
  job.owner.uid = 0;
  job.owner.user = "root";
  job.state = virga::JobState::running;
  job.submitted = virga::Time::from_seconds(1000);
  job.started = virga::Time::from_seconds(1010);
  job.nodes = {{{1}, "nd1", {0, 1}}, {{2}, "nd2", {0, 1}}};
  job.steps.push_back({});
  job.steps.back().name = "python";
  job.steps.back().nodes = 2;
  return job;
}

/// The document's text stays as long as the document.
struct Parsed {
  explicit Parsed(const std::string& text) : document(*JsonDocument::parse(text)) {}
  JsonNode root() const { return document.root(); }
  JsonDocument document;
};

}  // namespace

TEST_CASE("a job has every key of real Slurm, and Virga's values") {
  Parsed parsed(virga::slurm_jobs_json({running_job()}, {"virga", virga::Time::from_seconds(1030)}));
  CHECK(keys_of(parsed.root()) == "errors\njobs\nmeta\n");
  JsonNode job = parsed.root().find("jobs").element(0);
  CHECK(keys_of(job) == keys_in(k_job_keys));
  CHECK(job.find("job_id").unsigned_integer() == 7);
  CHECK(job.find("job_state").string() == "RUNNING");
  CHECK(job.find("nodes").string() == "nd[1-2]");
  CHECK(job.find("tres_alloc_str").string() == "cpu=16,mem=128G,node=2,billing=16,gres/gpu=4");
  CHECK(job.find("time_limit").unsigned_integer() == 2);  // minutes, rounded up
  CHECK(job.find("standard_output").string() == "/home/ada/slurm-7.out");
  CHECK(job.find("gres_detail").element(0).string() == "gpu:2(IDX:0-1)");
  CHECK(job.find("job_resources").find("allocated_nodes").element(1).find("nodename").string() == "nd2");
}

TEST_CASE("an empty queue is still a document") {
  Parsed parsed(virga::slurm_jobs_json({}, {"virga", {}}));
  CHECK(parsed.root().find("jobs").size() == 0);
  CHECK(parsed.root().find("errors").size() == 0);
  CHECK(parsed.root().find("meta").find("plugin").find("type").string() == "openapi/v0.0.38");
}

TEST_CASE("nodes have every key of real Slurm") {
  virga::Config config;
  virga::Pool pool;
  pool.name = "nd";
  pool.node_prefix = "nd";
  pool.max_nodes = 2;
  pool.sku.resources = {96, 8, 1900ULL << 30};
  pool.sku.gpu_model = "H100";
  config.pools.push_back(pool);
  virga::Partition partition;
  partition.name = "main";
  partition.pools = {"nd"};
  config.partitions.push_back(partition);
  virga::VmsBody vms;
  vms.vms.push_back({});
  vms.vms[0].name = "nd2";
  vms.vms[0].state = virga::VmState::booting;
  vms.vms[0].total = pool.sku.resources;
  vms.vms[0].used = {8, 2, 0};
  vms.vms[0].jobs = {{7}};

  std::vector<virga::SlurmNode> nodes = virga::slurm_nodes(config, vms);
  REQUIRE(nodes.size() == 2);
  CHECK(virga::node_state_text(nodes[0], true) == "idle~");
  CHECK(virga::node_state_text(nodes[1], true) == "mix#");
  CHECK(virga::node_state_flags_text(nodes[0]) == "IDLE+CLOUD+POWERED_DOWN");
  CHECK(nodes[0].gres == "gpu:h100:8");
  Parsed parsed(virga::slurm_nodes_json(nodes));
  JsonNode node = parsed.root().find("nodes").element(1);
  CHECK(keys_of(node) == keys_in(k_node_keys));
  CHECK(node.find("state").string() == "mixed");
  CHECK(node.find("state_flags").element(1).string() == "POWERING_UP");
  CHECK(node.find("idle_cpus").unsigned_integer() == 88);
}

TEST_CASE("a drained node, with and without jobs on it") {
  virga::SlurmNode node;
  node.power = virga::SlurmNode::Power::on;
  node.drained = true;
  CHECK(virga::node_state_text(node, true) == "drain");
  CHECK(virga::node_state_text(node, false) == "drained");
  node.base = virga::SlurmNode::Base::mixed;
  CHECK(virga::node_state_text(node, true) == "drng");
  CHECK(virga::node_state_text(node, false) == "draining");
  CHECK(virga::node_state_matches(node, "DRAIN") == true);
  CHECK(virga::node_state_matches(node, "idle") == false);
  CHECK_FALSE(virga::node_state_matches(node, "foo"));
}

TEST_CASE("accounting records have every key of real Slurm") {
  virga::Job job = running_job();
  job.state = virga::JobState::failed;
  job.exit = {3, 0};
  job.ended = virga::Time::from_seconds(1040);
  Parsed parsed(virga::slurm_accounts_json({job}, {"virga", virga::Time::from_seconds(2000)}));
  JsonNode record = parsed.root().find("jobs").element(0);
  CHECK(keys_of(record) == keys_in(k_account_keys));
  CHECK(record.find("time").find("elapsed").unsigned_integer() == 30);
  CHECK(record.find("exit_code").find("status").string() == "ERROR");
  CHECK(record.find("exit_code").find("return_code").unsigned_integer() == 3);
  JsonNode steps = record.find("steps");
  REQUIRE(steps.size() == 2);
  CHECK(keys_of(steps.element(0)) == keys_in(k_step_keys));
  CHECK(steps.element(0).find("step").find("id").string() == "batch");
  CHECK(steps.element(1).find("nodes").find("range").string() == "nd[1-2]");
}
