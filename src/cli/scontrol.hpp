// The parts of scontrol, one file each.
#pragma once

#include <string>
#include <vector>

#include "cli/client.hpp"
#include "core/config.hpp"
#include "core/job.hpp"
#include "wire/api_bodies.hpp"
#include "wire/slurm_nodes.hpp"

namespace virga {

struct ScontrolOptions {
  std::vector<std::string> clusters;
  bool details = false;
  bool one_line = false;
  bool json = false;
  bool quiet = false;
  bool help = false;
  bool usage = false;
  bool version = false;
  // Of one record, set by who shows it.
  std::string array_tasks = {};  ///< "1-5%2": of tasks that wait, and are told together
  std::string tres = {};         ///< with the memory of whole nodes, where the job has not asked for any
};

/// `show ENTITY [NAME]`: args[0] is "show".
int scontrol_show(Client& client, const std::vector<std::string>& args, const ScontrolOptions& options);
/// `show hostnames|hostlist|hostlistsorted LIST`; false: it is something else.
bool scontrol_show_hosts(const std::vector<std::string>& args, int& exit_code);

/// `update jobid=… KEY=VALUE…` or `update nodename=…`.
int scontrol_update(Client& client, const std::vector<std::string>& args);

// One record each, as Slurm prints it: lines indented by three, or all in one line.
std::string job_record(const Job& job, Time now, const ScontrolOptions& options);
std::string node_record(const SlurmNode& node, const ScontrolOptions& options);
std::string partition_record(const Partition& partition, const std::vector<SlurmNode>& nodes, bool one_line);
/// Without a step: of the batch script.
std::string step_record(const Job& job, const Step* step, bool one_line);

/// `show config`: the keys that Slurm 22.05 prints, in its order.
std::string config_record(const Config& config, const StatusBody& status, const std::string& address);

}  // namespace virga
