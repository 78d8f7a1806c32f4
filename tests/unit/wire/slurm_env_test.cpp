// The environment of scripts and tasks, against what Slurm 22.05 gave the same jobs.
#include "wire/slurm_env.hpp"

#include <doctest/doctest.h>

#include <algorithm>

namespace virga {
namespace {

using Counts = std::vector<std::uint32_t>;
using Variables = std::vector<std::string>;

Job two_node_job() {
  Job job;
  job.id = {1};
  job.owner = {1000, 1001, "ada", false};
  job.spec.edit().name = "env test";
  job.spec.edit().partition = "main";
  job.spec.edit().work_dir = "/home/ada";
  job.spec.edit().nodes = 2;
  job.spec.edit().tasks = 4;
  job.spec.edit().per_node = {3, 0, 100ULL << 20};
  job.nodes = {{{1}, "n1", {}}, {{2}, "n2", {}}};
  return job;
}

EnvironmentSite site() {
  return {.home = {"/var/v"},
          .checkpoints = "/var/v/checkpoints",
          .cluster_name = "virga",
          .bin_dir = "/opt/virga/bin",
          .submit_host = "vm",
          .home_dir = "/home/ada",
          .shell = "/bin/bash"};
}

void check_has(const Variables& env, const Variables& wanted) {
  for (const std::string& variable : wanted) {
    CHECK_MESSAGE(std::find(env.begin(), env.end(), variable) != env.end(), variable);
  }
}
void check_lacks(const Variables& env, const Variables& names) {
  for (const std::string& name : names) {
    CHECK_MESSAGE(std::none_of(env.begin(), env.end(), [&](const auto& v) { return v.starts_with(name + "="); }), name);
  }
}

}  // namespace

TEST_CASE("slurm env: tasks of an array, and nothing of an outer one") {
  Job job = two_node_job();
  const Variables outer{"SLURM_ARRAY_TASK_ID=9", "SLURM_ARRAY_JOB_ID=3", "SLURM_JOB_QOS=old"};
  check_lacks(batch_environment(job, outer, site()), {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_JOB_ID"});
  check_has(batch_environment(job, outer, site()), {"SLURM_JOB_QOS=normal"});
  job.id = {14};
  job.array_job = {12};
  job.array_task = 6;
  job.spec.edit().array = {{{0, 9, 3}}, 2};
  job.spec.edit().qos = "urgent";
  check_has(batch_environment(job, outer, site()),
            {"SLURM_JOB_ID=14", "SLURM_ARRAY_JOB_ID=12", "SLURM_ARRAY_TASK_ID=6", "SLURM_ARRAY_TASK_COUNT=4",
             "SLURM_ARRAY_TASK_MIN=0", "SLURM_ARRAY_TASK_MAX=9", "SLURM_ARRAY_TASK_STEP=3", "SLURM_JOB_QOS=urgent"});
}

TEST_CASE("slurm env: dealing tasks") {
  CHECK(layout_tasks(8, 4, 0) == Counts{2, 2, 2, 2});
  CHECK(layout_tasks(9, 4, 0) == Counts{3, 2, 2, 2});
  CHECK(layout_tasks(3, 4, 0) == Counts{1, 1, 1, 0});
  CHECK(layout_tasks(6, 4, 2) == Counts{2, 2, 2, 0});
  CHECK(layout_tasks(9, 2, 4) == Counts{5, 4});  // more than asked for per node: dealt anyway
  CHECK(layout_tasks(5, 0, 0) == Counts{});
  CHECK(compress_counts({2, 2, 2, 2}) == "2(x4)");
  CHECK(compress_counts({3, 1}) == "3,1");
  CHECK(compress_counts({2, 2, 3, 2}) == "2(x2),3,2");
  using Tasks = std::vector<Counts>;
  CHECK(number_tasks({2, 1}, TaskDistribution::block) == Tasks{{0, 1}, {2}});
  CHECK(number_tasks({3, 1, 2}, TaskDistribution::cyclic) == Tasks{{0, 3, 5}, {1}, {2, 4}});
}

TEST_CASE("slurm env: a batch script") {
  Job job = two_node_job();
  job.started = Time::from_seconds(1000);
  job.end_limit = Time::from_seconds(1600);
  Variables env =
      batch_environment(job, {"HOME=/elsewhere", "PATH=/usr/bin:/bin", "X=1", "X=2", "SLURM_NTASKS=4", "junk"}, site());
  check_has(env, {"ENVIRONMENT=BATCH",
                  "HOSTNAME=n1",
                  "SLURMD_NODENAME=n1",
                  "SLURM_CLUSTER_NAME=virga",
                  "SLURM_CPUS_ON_NODE=3",
                  "SLURM_GTIDS=0",
                  "SLURM_JOBID=1",
                  "SLURM_JOB_CPUS_PER_NODE=3(x2)",
                  "SLURM_JOB_GID=1001",
                  "SLURM_JOB_ID=1",
                  "SLURM_JOB_NAME=env test",
                  "SLURM_JOB_NODELIST=n[1-2]",
                  "SLURM_JOB_NUM_NODES=2",
                  "SLURM_JOB_PARTITION=main",
                  "SLURM_JOB_UID=1000",
                  "SLURM_JOB_USER=ada",
                  "SLURM_LOCALID=0",
                  "SLURM_MEM_PER_NODE=100",
                  "SLURM_NNODES=2",
                  "SLURM_NODEID=0",
                  "SLURM_NODELIST=n[1-2]",
                  "SLURM_NODE_ALIASES=(null)",
                  "SLURM_NTASKS=4",
                  "SLURM_PRIO_PROCESS=0",
                  "SLURM_PROCID=0",
                  "SLURM_SUBMIT_DIR=/home/ada",
                  "SLURM_SUBMIT_HOST=vm",
                  "SLURM_TASKS_PER_NODE=2(x2)",
                  "SLURM_TOPOLOGY_ADDR=n1",
                  "SLURM_TOPOLOGY_ADDR_PATTERN=node",
                  "SLURM_JOB_START_TIME=1000",
                  "SLURM_JOB_END_TIME=1600",
                  "TMPDIR=/tmp",
                  "HOME=/elsewhere",
                  "USER=ada",
                  "SHELL=/bin/bash",
                  "PATH=/opt/virga/bin:/usr/bin:/bin",
                  "VIRGA_HOME=/var/v",
                  "VIRGA_CHECKPOINT_DIR=/var/v/checkpoints/1",
                  "X=1"});
  check_lacks(env, {"SLURM_RESTART_COUNT", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES", "SLURM_NTASKS_PER_NODE",
                    "SLURM_CPUS_PER_TASK", "SLURM_JOB_ACCOUNT", "junk"});
  CHECK(std::is_sorted(env.begin(), env.end(), [](const auto& a, const auto& b) {
    return a.substr(0, a.find('=')) < b.substr(0, b.find('='));
  }));
}

TEST_CASE("slurm env: GPUs, restarts, per-node tasks") {
  Job job = two_node_job();
  job.incarnation = 2;
  job.spec.edit().account = "astro";
  job.spec.edit().tasks_per_node = 2;
  job.spec.edit().cpus_per_task = 4;
  job.spec.edit().per_node.gpus = 2;
  job.nodes.edit()[0].gpus = {4, 6};
  job.nodes.edit()[1].gpus = {0, 1};
  Variables env = batch_environment(job, {}, site());
  check_has(env, {"SLURM_RESTART_COUNT=2", "SLURM_JOB_GPUS=4,6", "SLURM_GPUS_ON_NODE=2", "SLURM_GPUS_PER_NODE=2",
                  "CUDA_VISIBLE_DEVICES=4,6", "SLURM_NTASKS_PER_NODE=2", "SLURM_CPUS_PER_TASK=4",
                  "SLURM_JOB_ACCOUNT=astro", "PATH=/opt/virga/bin:/usr/local/bin:/usr/bin:/bin"});
  StepLayout layout;
  layout.step = 5;
  layout.nodes = {"n1", "n2"};
  layout.tasks = {{0}, {1, 2}};
  layout.launch_address = "10.0.0.1";
  Variables step = step_environment(job, env, layout, 1, site());
  check_has(step, {"SLURM_STEP_GPUS=0,1", "SLURM_JOB_GPUS=0,1", "CUDA_VISIBLE_DEVICES=0,1", "SLURMD_NODENAME=n2",
                   "HOSTNAME=n2", "SLURM_STEP_ID=5", "SLURM_STEPID=5", "SLURM_STEP_NODELIST=n[1-2]",
                   "SLURM_STEP_NUM_NODES=2", "SLURM_STEP_NUM_TASKS=3", "SLURM_STEP_TASKS_PER_NODE=1,2",
                   "SLURM_TASKS_PER_NODE=1,2", "SLURM_NTASKS=3", "SLURM_NODEID=1", "SLURM_GTIDS=1,2",
                   "SLURM_DISTRIBUTION=block", "SLURM_LAUNCH_NODE_IPADDR=10.0.0.1", "SLURM_JOB_NODELIST=n[1-2]"});
  CHECK(task_variables(2, 1) == Variables{"SLURM_PROCID=2", "SLURM_LOCALID=1"});
  CHECK(std::count_if(step.begin(), step.end(), [](const auto& v) { return v.starts_with("PATH="); }) == 1);
  check_has(step, {"PATH=/opt/virga/bin:/usr/local/bin:/usr/bin:/bin"});  // not put first twice
}

TEST_CASE("slurm env: nothing of an outer job shines through") {
  Variables outer = batch_environment(
      [] {
        Job job = two_node_job();
        job.incarnation = 1;
        job.spec.edit().per_node.gpus = 1;
        job.nodes.edit()[0].gpus = {3};
        return job;
      }(),
      {}, site());
  outer.push_back("SLURM_STEP_ID=0");
  Job inner = two_node_job();
  inner.id = {2};
  Variables env = batch_environment(inner, outer, site());
  check_lacks(env, {"SLURM_RESTART_COUNT", "SLURM_JOB_GPUS", "SLURM_STEP_ID"});
  check_has(env, {"VIRGA_CHECKPOINT_DIR=/var/v/checkpoints/2", "SLURM_JOB_ID=2"});
}

TEST_CASE("slurm env: a checkpoint folder that the user chose is kept") {
  CHECK(checkpoint_dir("/v/checkpoints", {3}, {"VIRGA_CHECKPOINT_DIR=/data/mine"}) == "/data/mine");
  CHECK(checkpoint_dir("/v/checkpoints", {3}, {}) == "/v/checkpoints/3");
  CHECK(job_marker({"/v"}, {3}, 1) != job_marker({"/w"}, {3}, 1));
}

}  // namespace virga
