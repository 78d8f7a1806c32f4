#include "engines/slurm/conf.hpp"

#include <fmt/format.h>

#include "wire/words.hpp"

namespace virga::slurm {
namespace {

/// Of the largest job that may wait for Virga.
constexpr int k_nodes_shown = 1024;

/// Paths of a slurmd; %n is its node.
std::string slurmd_files(const std::string& folder) {
  return fmt::format(
      "SlurmdSpoolDir={0}/spool/%n\n"
      "SlurmdPidFile={0}/spool/%n.pid\n"
      "SlurmdLogFile={0}/log/slurmd.%n.log\n",
      folder);
}

/// Where jobs that come past Virga are. sbatch refuses what no node could hold, also where the partition is down, so
/// those that are to wait for Virga are shown nodes that nobody has, and that hold anything.
std::string direct_part(const ConfSettings& s) {
  const std::string name = direct_partition(s.partition);
  if (!s.direct_jobs_wait) {
    return fmt::format("PartitionName={} Nodes=virga Default=YES MaxTime=INFINITE State=UP\n", name);
  }
  return fmt::format(
      "NodeName=anynode[1-{1}] CPUs=4096 RealMemory=16777216 NodeAddr=127.0.0.1 State=DOWN Reason=\"stands for all of "
      "Virga\"\n"
      "PartitionName={0} Nodes=anynode[1-{1}] Default=YES MaxTime=INFINITE State=DOWN\n",
      name, k_nodes_shown);
}

/// How often a step's memory is looked at: the peak of a shorter one is not seen.
constexpr int k_usage_interval_s = 2;

std::string accounts_part(const ConfSettings& s) {
  if (s.accounts_port == 0) {
    return "JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none\n";
  }
  return fmt::format(
      "JobAcctGatherType=jobacct_gather/linux\n"
      "JobAcctGatherFrequency=task={}\n"
      "AccountingStorageType=accounting_storage/slurmdbd\n"
      "AccountingStorageHost={}\n"
      "AccountingStoragePort={}\n"
      "AccountingStoragePass={}/munge.sock\n",
      k_usage_interval_s, s.address, s.accounts_port, s.folder);
}

}  // namespace

std::string node_conf_of_site(std::string_view text, const std::string& address, const std::string& folder) {
  std::string made = "# Made by virgad from the site's slurm.conf when it starts: changes are lost.\n";
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::string_view key = line.substr(0, line.find('='));
    if (same_word(key, "SlurmdSpoolDir") || same_word(key, "SlurmdPidFile") || same_word(key, "SlurmdLogFile"))
      continue;
    if (same_word(key, "SlurmctldHost")) {  // "name" or "name(address)"
      const std::string_view host = line.substr(key.size() + 1);
      made += fmt::format("SlurmctldHost={}({})\n", host.substr(0, host.find_first_of("( \t#")), address);
    } else {
      made.append(line).append("\n");
    }
  }
  return made + slurmd_files(folder);
}

std::string conf_value(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || !same_word(line.substr(0, equals), key)) continue;
    const std::string_view value = line.substr(equals + 1);
    return std::string(value.substr(0, value.find_first_of(" \t\r#")));
  }
  return "";
}

std::string job_conf(std::string_view node_conf, const std::vector<SlurmNode>& nodes) {
  std::string made(node_conf);
  if (!made.ends_with('\n')) made += '\n';
  for (const SlurmNode& node : nodes) {
    if (node.vm) made += fmt::format("NodeName={} NodeAddr={}\n", node.name, node.address);
  }
  return made;
}

std::string direct_partition(const std::string& partition) { return partition + "_direct"; }

std::string conf_text(const ConfSettings& s) {
  return fmt::format(
      "# Made by virgad, which writes it anew when it starts: changes are lost.\n"
      "ClusterName={cluster}\n"
      "SlurmctldHost={host}({address})\n"
      "SlurmctldPort={port}\n"
      "SlurmctldParameters=enable_configless\n"
      "DebugFlags=NO_CONF_HASH\n"  // node.conf is another text
      "AuthType=auth/munge\n"
      "AuthInfo=socket={folder}/munge.sock\n"
      "CredType=cred/munge\n"
      "SlurmUser={user}\n"
      "SlurmdUser={user}\n"
      "StateSaveLocation={folder}/state\n"
      "SlurmctldPidFile={folder}/slurmctld.pid\n"
      "SlurmctldLogFile={folder}/log/slurmctld.log\n"
      "{slurmd_files}"
      "# Nodes come and go, and say themselves what they have.\n"
      "MaxNodeCount=16384\n"
      "TreeWidth=65533\n"
      "SlurmdParameters=config_overrides\n"
      "ReturnToService=2\n"
      "SlurmdTimeout=60\n"
      "MessageTimeout=30\n"  // hundreds of nodes that start at once answer late: srun would give up those
      "# Virga's own jobs come first: one that came past it and waits must not keep them waiting.\n"
      "NodeSet=virga Feature=virga\n"
      "PartitionName={partition} Nodes=virga PriorityTier=100 MaxTime=INFINITE State=UP\n"
      "{direct}"
      "# Virga has scheduled when a job comes, and keeps the time.\n"
      "SchedulerType=sched/builtin\n"
      "SchedulerParameters=batch_sched_delay=0,sched_min_interval=1\n"
      "SelectType=select/cons_tres\n"
      "SelectTypeParameters=CR_CPU\n"
      "GresTypes=gpu\n"
      "JobRequeue={requeue}\n"  // Virga's own say no
      "KillOnBadExit=0\n"
      "KillWait=2\n"
      "MaxJobCount=200000\n"
      "MinJobAge={age}\n"
      "PropagateResourceLimits=NONE\n"
      "Prolog={folder}/prolog\n"
      "EpilogSlurmctld={folder}/hook\n"
      "ProctrackType=proctrack/{proctrack}\n"
      "TaskPlugin=task/{task}\n"
      "{accounts}"
      "MpiDefault=none\n",
      fmt::arg("cluster", s.cluster), fmt::arg("host", s.host), fmt::arg("address", s.address),
      fmt::arg("port", s.port), fmt::arg("user", s.user), fmt::arg("folder", s.folder),
      fmt::arg("slurmd_files", slurmd_files(s.folder)), fmt::arg("partition", s.partition),
      fmt::arg("direct", direct_part(s)), fmt::arg("requeue", s.direct_jobs_wait ? 1 : 0),
      fmt::arg("age", k_min_job_age_s), fmt::arg("accounts", accounts_part(s)),
      fmt::arg("proctrack", s.confines ? "cgroup" : "linuxproc"), fmt::arg("task", s.confines ? "cgroup" : "none"));
}

}  // namespace virga::slurm
