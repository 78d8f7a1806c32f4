// What Slurm says of jobs and nodes, as text of squeue and sinfo.
//
//   parse_jobs("50000013|FAILED|1792|65534|NonZeroExitCode|virga:virga:17.0|\n");
//   parse_nodes("n3|idle|virga,virga_main_3|10.1.0.3|none|\n", "main");
//
// The columns are those of k_job_columns and k_node_columns. Columns and not --json: its shape changes with every
// release of Slurm, and it takes squeue twenty times as long.
//
// A job of ours is known by its comment, "virga:CLUSTER:JOB.INCARNATION"; a node by a feature of its own,
// "virga_CLUSTER_NUMBER", which tells VMs that had one name after the other apart. CLUSTER is Virga's name, so that
// several may share a cluster of Slurm. A comment is anybody's to write; what no user can give a job is a negative nice
// value, which only root and SlurmUser can, and all of ours have one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/agent_protocol.hpp"

namespace virga::slurm {

inline constexpr const char* k_job_columns =
    "JobID:|,State:|,exit_code:|,UserID:|,UserName:|,Partition:|,NodeList:|,Reason:|,Nice:|,Comment:|";
inline constexpr const char* k_node_columns = "NodeList:|,StateLong:|,Features:|,NodeAddr:|,Reason:|";

enum class JobStage : std::uint8_t {
  held,
  waiting,     ///< in Slurm's queue, on its way to its nodes
  running,     ///< also suspended
  completing,  ///< over, but not all of its processes are known to be gone
  over,
};

/// Slurm's "signal" of a job that it could not even begin.
inline constexpr std::uint32_t k_launch_failure_signal = 53;

struct SlurmJob {
  std::uint32_t id = 0;
  std::uint32_t uid = 0;
  std::string user;
  std::string partition;
  std::string nodes;  ///< as a hostlist: those it has, or had; empty: it never got any
  JobStage stage = JobStage::waiting;
  std::string state;   ///< Slurm's word
  std::string reason;  ///< the same
  ExitStatus exit;
  bool by_administrator = false;  ///< submitted by root or SlurmUser, like all of ours: see above
  std::string comment;

  /// Slurm could not even begin: no directory or output file to work with.
  bool never_ran() const {
    return stage == JobStage::over && reason == "JobLaunchFailure" && exit.signal == k_launch_failure_signal;
  }
};

struct SlurmNode {
  std::string name;
  std::string state;  ///< without its flags
  std::string reason;
  std::string address;
  VmId vm;  ///< 0: no node of ours
  bool answers = false;
  bool usable = false;  ///< takes jobs, or has some
};

/// Lines that make no sense are left out: they are nobody's jobs.
std::vector<SlurmJob> parse_jobs(std::string_view text);
std::vector<SlurmNode> parse_nodes(std::string_view text, std::string_view cluster);

std::string comment_of(std::string_view cluster, const JobKey& key);
/// Nothing for a comment that is not of a job of this cluster.
std::optional<JobKey> key_of(std::string_view comment, std::string_view cluster);

std::string feature_of(VmId vm, std::string_view cluster);
/// What all of them begin with.
std::string feature_prefix(std::string_view cluster);

/// Of `scontrol show config`, such as "GresTypes               = gpu"; "" where there is none.
std::string config_value(std::string_view config, std::string_view name);

}  // namespace virga::slurm
