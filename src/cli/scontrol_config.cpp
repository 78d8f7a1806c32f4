// `scontrol show config`: the keys that Slurm 22.05.8 prints, in its order. What Virga knows is told; the rest has the
// value of a Slurm that was never told otherwise, as scripts look for keys and for few of the values.
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <map>
#include <string_view>

#include "cli/scontrol.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

struct ConfigRow {
  const char* key;
  const char* value;  ///< null: see config_record()
};
constexpr ConfigRow k_rows[] = {
    {"AccountingStorageBackupHost", "(null)"},
    {"AccountingStorageEnforce", "none"},
    {"AccountingStorageHost", "localhost"},
    {"AccountingStorageExternalHost", "(null)"},
    {"AccountingStorageParameters", "(null)"},
    {"AccountingStoragePort", "0"},
    {"AccountingStorageTRES", "cpu,mem,energy,node,billing,fs/disk,vmem,pages"},
    {"AccountingStorageType", "accounting_storage/slurmdbd"},
    {"AccountingStorageUser", "N/A"},
    {"AccountingStoreFlags", "(null)"},
    {"AcctGatherEnergyType", "acct_gather_energy/none"},
    {"AcctGatherFilesystemType", "acct_gather_filesystem/none"},
    {"AcctGatherInterconnectType", "acct_gather_interconnect/none"},
    {"AcctGatherNodeFreq", "0 sec"},
    {"AcctGatherProfileType", "acct_gather_profile/none"},
    {"AllowSpecResourcesUsage", "No"},
    {"AuthAltTypes", "(null)"},
    {"AuthAltParameters", "(null)"},
    {"AuthInfo", "(null)"},
    {"AuthType", "auth/munge"},
    {"BatchStartTimeout", "10 sec"},
    {"BcastExclude", "/lib,/usr/lib,/lib64,/usr/lib64"},
    {"BcastParameters", "(null)"},
    {"BOOT_TIME", nullptr},
    {"BurstBufferType", "(null)"},
    {"CliFilterPlugins", "(null)"},
    {"ClusterName", nullptr},
    {"CommunicationParameters", "(null)"},
    {"CompleteWait", "0 sec"},
    {"CoreSpecPlugin", "core_spec/none"},
    {"CpuFreqDef", "Unknown"},
    {"CpuFreqGovernors", "OnDemand,Performance,UserSpace"},
    {"CredType", "cred/munge"},
    {"DebugFlags", "(null)"},
    {"DefMemPerNode", "UNLIMITED"},
    {"DependencyParameters", "(null)"},
    {"DisableRootJobs", "No"},
    {"EioTimeout", "60"},
    {"EnforcePartLimits", "NO"},
    {"Epilog", "(null)"},
    {"EpilogMsgTime", "2000 usec"},
    {"EpilogSlurmctld", "(null)"},
    {"ExtSensorsType", "ext_sensors/none"},
    {"ExtSensorsFreq", "0 sec"},
    {"FederationParameters", "(null)"},
    {"FirstJobId", nullptr},
    {"GetEnvTimeout", "2 sec"},
    {"GresTypes", nullptr},
    {"GpuFreqDef", "high,memory=high"},
    {"GroupUpdateForce", "1"},
    {"GroupUpdateTime", "600 sec"},
    {"HASH_VAL", "Match"},
    {"HealthCheckInterval", "0 sec"},
    {"HealthCheckNodeState", "ANY"},
    {"HealthCheckProgram", "(null)"},
    {"InactiveLimit", "0 sec"},
    {"InteractiveStepOptions", "--interactive --preserve-env --pty $SHELL"},
    {"JobAcctGatherFrequency", "30"},
    {"JobAcctGatherType", "jobacct_gather/linux"},
    {"JobAcctGatherParams", "(null)"},
    {"JobCompHost", "localhost"},
    {"JobCompLoc", "(null)"},
    {"JobCompPort", "0"},
    {"JobCompType", "jobcomp/none"},
    {"JobCompUser", "root"},
    {"JobContainerType", "job_container/none"},
    {"JobCredentialPrivateKey", "(null)"},
    {"JobCredentialPublicCertificate", "(null)"},
    {"JobDefaults", "(null)"},
    {"JobFileAppend", "0"},
    {"JobRequeue", "1"},
    {"JobSubmitPlugins", "(null)"},
    {"KillOnBadExit", "0"},
    {"KillWait", nullptr},
    {"LaunchParameters", "(null)"},
    {"LaunchType", "launch/slurm"},
    {"Licenses", "(null)"},
    {"LogTimeFormat", "iso8601_ms"},
    {"MailDomain", "(null)"},
    {"MailProg", "/bin/mail"},
    {"MaxArraySize", "1001"},
    {"MaxDBDMsgs", "20032"},
    {"MaxJobCount", nullptr},
    {"MaxJobId", "67043328"},
    {"MaxMemPerNode", "UNLIMITED"},
    {"MaxNodeCount", nullptr},
    {"MaxStepCount", "40000"},
    {"MaxTasksPerNode", "512"},
    {"MCSPlugin", "mcs/none"},
    {"MCSParameters", "(null)"},
    {"MessageTimeout", "10 sec"},
    {"MinJobAge", nullptr},
    {"MpiDefault", "none"},
    {"MpiParams", "(null)"},
    {"MULTIPLE_SLURMD", "No"},
    {"NEXT_JOB_ID", nullptr},
    {"NodeFeaturesPlugins", "(null)"},
    {"OverTimeLimit", "0 min"},
    {"PluginDir", "(null)"},
    {"PlugStackConfig", "(null)"},
    {"PowerParameters", "(null)"},
    {"PowerPlugin", ""},
    {"PreemptMode", "OFF"},
    {"PreemptType", "preempt/none"},
    {"PreemptExemptTime", "00:00:00"},
    {"PrEpParameters", "(null)"},
    {"PrEpPlugins", "prep/script"},
    {"PriorityParameters", "(null)"},
    {"PrioritySiteFactorParameters", "(null)"},
    {"PrioritySiteFactorPlugin", "(null)"},
    {"PriorityType", "priority/basic"},
    {"PrivateData", "none"},
    {"ProctrackType", "proctrack/linuxproc"},
    {"Prolog", "(null)"},
    {"PrologEpilogTimeout", "65534"},
    {"PrologSlurmctld", "(null)"},
    {"PrologFlags", "(null)"},
    {"PropagatePrioProcess", "0"},
    {"PropagateResourceLimits", "ALL"},
    {"PropagateResourceLimitsExcept", "(null)"},
    {"RebootProgram", "(null)"},
    {"ReconfigFlags", "(null)"},
    {"RequeueExit", "(null)"},
    {"RequeueExitHold", "(null)"},
    {"ResumeFailProgram", "(null)"},
    {"ResumeProgram", "(null)"},
    {"ResumeRate", "300 nodes/min"},
    {"ResumeTimeout", "60 sec"},
    {"ResvEpilog", "(null)"},
    {"ResvOverRun", "0 min"},
    {"ResvProlog", "(null)"},
    {"ReturnToService", "2"},
    {"RoutePlugin", "route/default"},
    {"SchedulerParameters", "(null)"},
    {"SchedulerTimeSlice", "30 sec"},
    {"SchedulerType", "sched/backfill"},
    {"ScronParameters", "(null)"},
    {"SelectType", "select/cons_tres"},
    {"SelectTypeParameters", "CR_CORE"},
    {"SlurmUser", nullptr},
    {"SlurmctldAddr", "(null)"},
    {"SlurmctldDebug", "info"},
    {"SlurmctldHost[0]", nullptr},
    {"SlurmctldLogFile", nullptr},
    {"SlurmctldPort", "0"},
    {"SlurmctldSyslogDebug", "(null)"},
    {"SlurmctldPrimaryOffProg", "(null)"},
    {"SlurmctldPrimaryOnProg", "(null)"},
    {"SlurmctldTimeout", "120 sec"},
    {"SlurmctldParameters", "(null)"},
    {"SlurmdDebug", "info"},
    {"SlurmdLogFile", nullptr},
    {"SlurmdParameters", "(null)"},
    {"SlurmdPidFile", "(null)"},
    {"SlurmdPort", "0"},
    {"SlurmdSpoolDir", nullptr},
    {"SlurmdSyslogDebug", "(null)"},
    {"SlurmdTimeout", "300 sec"},
    {"SlurmdUser", nullptr},
    {"SlurmSchedLogFile", "(null)"},
    {"SlurmSchedLogLevel", "0"},
    {"SlurmctldPidFile", nullptr},
    {"SlurmctldPlugstack", "(null)"},
    {"SLURM_CONF", nullptr},
    {"SLURM_VERSION", "22.05.8"},
    {"SrunEpilog", "(null)"},
    {"SrunPortRange", "0-0"},
    {"SrunProlog", "(null)"},
    {"StateSaveLocation", nullptr},
    {"SuspendExcNodes", "(null)"},
    {"SuspendExcParts", "(null)"},
    {"SuspendProgram", "(null)"},
    {"SuspendRate", "60 nodes/min"},
    {"SuspendTime", "INFINITE"},
    {"SuspendTimeout", "30 sec"},
    {"SwitchParameters", "(null)"},
    {"SwitchType", "switch/none"},
    {"TaskEpilog", "(null)"},
    {"TaskPlugin", "task/none"},
    {"TaskPluginParam", "(null type)"},
    {"TaskProlog", "(null)"},
    {"TCPTimeout", "2 sec"},
    {"TmpFS", "/tmp"},
    {"TopologyParam", "(null)"},
    {"TopologyPlugin", "topology/none"},
    {"TrackWCKey", "No"},
    {"TreeWidth", "50"},
    {"UsePam", "No"},
    {"UnkillableStepProgram", "(null)"},
    {"UnkillableStepTimeout", "60 sec"},
    {"VSizeFactor", "0 percent"},
    {"WaitTime", "0 sec"},
    {"X11Parameters", "(null)"},
};

/// "games(5)": whose the controller's folder is.
std::string user_text(const std::string& home) {
  struct ::stat entry = {};
  if (::stat(home.c_str(), &entry) != 0) return "root(0)";
  const ::passwd* user = ::getpwuid(entry.st_uid);
  return fmt::format("{}({})", user != nullptr ? user->pw_name : "nobody", entry.st_uid);
}

std::string seconds(Duration d) { return fmt::format("{} sec", d.whole_seconds()); }

}  // namespace

std::string config_record(const Config& config, const StatusBody& status, const std::string& address) {
  const Time now = Time::from_seconds(std::time(nullptr));
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  const std::string short_host(host, std::string_view(host).find('.') == std::string_view::npos
                                         ? std::string_view(host).size()
                                         : std::string_view(host).find('.'));
  const std::string user = user_text(status.home);
  std::uint64_t nodes = 0;
  bool has_gpus = false;
  for (const Pool& pool : config.pools) {
    nodes += pool.max_nodes;
    has_gpus = has_gpus || pool.sku.resources.gpus != 0;
  }
  const std::map<std::string_view, std::string> known = {
      {"BOOT_TIME", local_time_text(now - status.uptime_seconds)},
      {"ClusterName", config.cluster_name},
      {"FirstJobId", std::to_string(config.first_job_id)},
      {"GresTypes", has_gpus ? "gpu" : "(null)"},
      {"KillWait", seconds(config.kill_wait)},
      {"MaxJobCount", std::to_string(config.max_jobs)},
      {"MaxNodeCount", std::to_string(nodes)},
      {"MinJobAge", seconds(config.min_job_age)},
      {"NEXT_JOB_ID", std::to_string(config.first_job_id)},
      {"SLURM_CONF", status.home + "/virga.toml"},
      {"SlurmUser", user},
      {"SlurmctldHost[0]", short_host},
      {"SlurmctldLogFile", status.home + "/virgad.log"},
      {"SlurmctldPidFile", status.home + "/run/virgad.pid"},
      {"SlurmdLogFile", status.home + "/virgad.log"},
      {"SlurmdSpoolDir", status.home + "/spool"},
      {"SlurmdUser", user},
      {"StateSaveLocation", status.home},
  };
  std::string text = "Configuration data as of " + local_time_text(now) + "\n";
  for (const ConfigRow& row : k_rows) {
    text += fmt::format("{:<23} = {}\n", row.key, row.value != nullptr ? row.value : known.at(row.key));
  }
  return text + fmt::format("\nSlurmctld(primary) at {} is UP\n", address);
}

}  // namespace virga
