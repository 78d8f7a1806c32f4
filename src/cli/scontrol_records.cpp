// What `scontrol show` prints of a job, node, partition or step: Slurm 22.05's keys in its order.
#include <fmt/format.h>

#include <algorithm>

#include "cli/scontrol.hpp"
#include "wire/group_name.hpp"
#include "wire/hostlist.hpp"
#include "wire/slurm_json.hpp"
#include "wire/slurm_nodes.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_reasons.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

/// Lines of a record, joined as Slurm joins them.
class Record {
 public:
  explicit Record(bool one_line) : separator_(one_line ? " " : "\n   "), one_line_(one_line) {}

  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    if (!text_.empty()) text_ += separator_;
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
  }
  std::string take() { return std::move(text_) + (one_line_ ? "\n" : "\n\n"); }

 private:
  std::string text_;
  std::string separator_;
  bool one_line_;
};

std::string null_if_empty(const std::string& text) { return text.empty() ? "(null)" : text; }

std::string gpu_indices(const JobNode& node) {
  std::string list;
  for (std::uint32_t gpu : node.gpus) list += (list.empty() ? "" : ",") + std::to_string(gpu);
  return list;
}

/// As tres_text(), without what is billed.
std::string allocated_tres(const Resources& used) {
  std::string text = tres_text(used, 0);
  if (const std::size_t at = text.find(",billing="); at != text.npos) text.erase(at, text.find(',', at + 1) - at);
  return text;
}

void add_job_times(Record& r, const Job& job, Time now) {
  const bool held = job.reason == Reason::held_user || job.reason == Reason::held_admin;
  const bool waits = job.state == JobState::pending;
  const Time begin = waits ? job.spec->begin : Time{};
  const std::string eligible = begin.is_set()  ? local_time_text(begin)
                               : held && waits ? "Unknown"
                                               : local_time_text(job.eligible);
  const std::string end = is_final(job.state)              ? local_time_text(job.ended)
                          : job.state == JobState::pending ? "Unknown"
                                                           : local_time_text(job.end_limit);
  r.line("RunTime={} TimeLimit={} TimeMin={}", long_duration_text(job_run_time(job, now)),
         time_limit_text(job.spec->time_limit, "UNLIMITED", true),
         job.spec->time_min > Duration{} ? long_duration_text(job.spec->time_min) : "N/A");
  r.line("SubmitTime={} EligibleTime={}", local_time_text(job.submitted), eligible);
  r.line("AccrueTime={}", begin.is_set() ? "Unknown" : eligible);
  r.line("StartTime={} EndTime={} Deadline={}", local_time_text(begin.is_set() ? begin : job.started), end,
         local_time_text(job.spec->deadline, "N/A"));
  const bool still = job.suspended.is_set();
  r.line("SuspendTime={} SecsPreSuspend={} LastSchedEval={} Scheduler=Main", local_time_text(job.suspended, "None"),
         still ? job_run_time(job, now).whole_seconds() : 0,
         local_time_text(job.started.is_set() ? job.started : job.submitted));
}

/// Nodes of which the job has the same in a line.
void add_node_shares(Record& r, const Job& job) {
  r.line("JOB_GRES={}", job.spec->per_node.gpus == 0 ? "(null)" : fmt::format("gpu:{}", job.spec->per_node.gpus));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < job.nodes.size(); ++i) {
    const JobNode& node = job.nodes[i];
    names.push_back(node.name);
    if (i + 1 < job.nodes.size() && job.nodes[i + 1].gpus == node.gpus) continue;
    const std::uint32_t cpus = std::max(1U, job.spec->per_node.cpus);
    r.line("  Nodes={} CPU_IDs={} Mem={} GRES={}", compress_hostlist(names),
           cpus == 1 ? "0" : fmt::format("0-{}", cpus - 1), job.spec->per_node.memory_bytes >> 20,
           node.gpus.empty() ? "" : fmt::format("gpu:{}(IDX:{})", node.gpus.size(), gpu_indices(node)));
    names.clear();
  }
}

void add_job_shape(Record& r, const Job& job, const std::string& tres, bool details) {
  const JobSpec& spec = job.spec;
  r.line("NumNodes={} NumCPUs={} NumTasks={} CPUs/Task={} ReqB:S:C:T=0:0:*:*", spec.nodes,
         std::uint64_t{spec.per_node.cpus} * spec.nodes, spec.tasks, spec.cpus_per_task);
  r.line("TRES={}", tres);
  r.line("Socks/Node=* NtasksPerN:B:S:C={}:0:*:* CoreSpec=*", spec.tasks_per_node);
  if (details) add_node_shares(r, job);
  r.line("MinCPUsNode={} MinMemoryNode={} MinTmpDiskNode={}",
         std::uint64_t{std::max(1U, spec.tasks_per_node)} * spec.cpus_per_task, memory_text(spec.per_node.memory_bytes),
         spec.placement.tmp_bytes == 0 ? "0" : memory_text(spec.placement.tmp_bytes));
  r.line("Features={} DelayBoot=00:00:00", null_if_empty(spec.placement.features));
  r.line("OverSubscribe={} Contiguous={} Licenses={} Network={}", spec.exclusive ? "NO" : "OK",
         spec.placement.contiguous ? 1 : 0, null_if_empty(shown_licenses(spec)), null_if_empty(spec.network));
}

}  // namespace

std::string job_record(const Job& job, Time now, const ScontrolOptions& options) {
  const JobSpec& spec = job.spec;
  Record r(options.one_line);
  if (job.array_job) {
    const std::string task = options.array_tasks.empty() ? std::to_string(job.array_task) : options.array_tasks;
    r.line("JobId={} ArrayJobId={} ArrayTaskId={}{} JobName={}", job.id.value, job.array_job.value, task,
           spec.array.limit != 0 ? fmt::format(" ArrayTaskThrottle={}", spec.array.limit) : "", spec.name);
  } else {
    r.line("JobId={} JobName={}", job.id.value, spec.name);
  }
  r.line("UserId={}({}) GroupId={}({}) MCS_label=N/A", job.owner.user, job.owner.uid, group_name(job.owner.gid),
         job.owner.gid);
  r.line("Priority={} Nice={} Account={} QOS={}", shown_priority(job), spec.nice, null_if_empty(spec.account),
         shown_qos(spec));
  std::string reason(slurm_reason(job));
  std::replace(reason.begin(), reason.end(), ' ', '_');
  r.line("JobState={} Reason={} Dependency={}", slurm_state(job), reason, null_if_empty(shown_dependencies(job)));
  r.line("Requeue={} Restarts={} BatchFlag={} Reboot={} ExitCode={}:{}", spec.requeue ? 1 : 0, job.incarnation,
         spec.kind == JobKind::batch ? 1 : 0, spec.reboot ? 1 : 0, job.exit.code, job.exit.signal);
  if (options.details) r.line("DerivedExitCode=0:0");
  add_job_times(r, job, now);
  r.line("Partition={} AllocNode:Sid=localhost:0", spec.partition);
  r.line("ReqNodeList={} ExcNodeList={}", null_if_empty(compress_hostlist(spec.placement.nodes)),
         null_if_empty(compress_hostlist(spec.placement.exclude)));
  r.line("NodeList={}", job_node_list(job));
  if (!job.nodes.empty()) r.line("BatchHost={}", job.nodes.front().name);
  add_job_shape(r, job, options.tres.empty() ? job_tres_text(job) : options.tres, options.details);
  r.line("Command={}", null_if_empty(spec.command));
  r.line("WorkDir={}", spec.work_dir);
  if (!spec.reservation.empty()) r.line("Reservation={}", spec.reservation);
  if (!spec.comment.empty()) r.line("Comment={} ", spec.comment);
  if (spec.kind == JobKind::batch) {
    r.line("StdErr={}", job_output_path(job, true));
    r.line("StdIn={}", spec.std_in.empty() ? "/dev/null" : spec.std_in);
    r.line("StdOut={}", job_output_path(job, false));
  }
  if (spec.switches != 0) {
    r.line("Switches={}@{}", spec.switches,
           long_duration_text(spec.switches_wait.is_infinite() ? Duration::minutes(5) : spec.switches_wait));
  }
  r.line("Power=");
  if (spec.mail_types != 0) {
    r.line("MailUser={} MailType={}", spec.mail_user.empty() ? job.owner.user : spec.mail_user,
           mail_types_text(spec.mail_types));
  }
  r.line("");
  if (spec.per_node.gpus != 0) r.line("TresPerNode=gres:gpu:{}", spec.per_node.gpus);
  if (!job.detail.empty()) r.line("Detail={}", job.detail);
  return r.take();
}

std::string node_record(const SlurmNode& node, const ScontrolOptions& options) {
  Record r(options.one_line);
  std::string partitions;
  for (const std::string& name : node.partitions) partitions += (partitions.empty() ? "" : ",") + name;
  r.line("NodeName={} Arch=x86_64 CoresPerSocket={} ", node.name, node.total.cpus);
  r.line("CPUAlloc={} CPUEfctv={} CPUTot={} CPULoad=N/A", node.used.cpus, node.total.cpus, node.total.cpus);
  r.line("AvailableFeatures=(null)");
  r.line("ActiveFeatures=(null)");
  r.line("Gres={}", null_if_empty(node.gres));
  if (options.details) r.line("GresDrain=N/A");
  if (options.details && !node.gres.empty()) r.line("GresUsed={}", node.gres_used.empty() ? "gpu:0" : node.gres_used);
  r.line("NodeAddr={} NodeHostName={} Version=22.05.8", node.address, node.name);
  r.line("OS=Linux ");
  r.line("RealMemory={} AllocMem={} FreeMem=N/A Sockets=1 Boards=1", node.total.memory_bytes >> 20,
         node.used.memory_bytes >> 20);
  r.line("State={} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A", node_state_flags_text(node));
  r.line("Partitions={} ", partitions);
  r.line("BootTime={} SlurmdStartTime={}", local_time_text(node.booted, "None"), local_time_text(node.ready, "None"));
  r.line("LastBusyTime={}", local_time_text(node.idle_since, "None"));
  r.line("CfgTRES={}", tres_text(node.total, 0));
  r.line("AllocTRES={}", node.used == Resources{} ? "" : allocated_tres(node.used));
  r.line("CapWatts=n/a");
  r.line("CurrentWatts=0 AveWatts=0");
  r.line("ExtSensorsJoules=n/s ExtSensorsWatts=0 ExtSensorsTemp=n/s");
  if (!node.reason.empty()) {
    r.line("Reason={} [{}@{}]", node.reason, node.reason_user, local_time_text(node.reason_at));
  }
  return r.take();
}

std::string partition_record(const Partition& partition, const std::vector<SlurmNode>& nodes, bool one_line) {
  const auto [names, total] = nodes_of_partition(partition, nodes);
  Record r(one_line);
  r.line("PartitionName={}", partition.name);
  r.line("AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL");
  r.line("AllocNodes=ALL Default={} QoS=N/A", partition.is_default ? "YES" : "NO");
  r.line("DefaultTime={} DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO",
         time_limit_text(partition.default_time, "NONE", true));
  r.line("MaxNodes=UNLIMITED MaxTime={} MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED",
         time_limit_text(partition.max_time, "UNLIMITED", true));
  r.line("Nodes={}", compress_hostlist(names));
  r.line("PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO");
  r.line("OverTimeLimit=NONE PreemptMode=OFF");
  r.line("State={} TotalCPUs={} TotalNodes={} SelectTypeParameters=NONE", slurm_partition_state(partition), total.cpus,
         names.size());
  r.line("JobDefaults=(null)");
  r.line("DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED");
  std::string tres = tres_text(total, 0);
  const std::string nodes_of = fmt::format(",node={}", names.size());
  if (const std::size_t at = tres.find(",billing="); at != tres.npos) tres.insert(at, nodes_of);
  r.line("TRES={}", tres);
  return r.take();
}

std::string step_record(const Job& job, const Step* step, bool one_line) {
  const std::uint32_t nodes = step != nullptr ? step->nodes : 1;
  const std::uint32_t cpus = step != nullptr ? step->tasks * job.spec->cpus_per_task : job.spec->per_node.cpus;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min<std::size_t>(nodes, job.nodes.size()); ++i) names.push_back(job.nodes[i].name);
  Record r(one_line);
  r.line("StepId={}.{} UserId={} StartTime={} TimeLimit=UNLIMITED", job.id.value,
         step != nullptr ? std::to_string(step->id) : "batch", job.owner.uid,
         local_time_text(step != nullptr ? step->started : job.started));
  r.line("State={} Partition={} NodeList={}", name_of(step != nullptr ? step->state : JobState::running),
         job.spec->partition, compress_hostlist(names));
  r.line("Nodes={} CPUs={} Tasks={} Name={} Network=(null)", nodes, cpus, step != nullptr ? step->tasks : 1,
         step != nullptr ? step->name : "batch");
  r.line("TRES=cpu={},mem={},node={}", cpus, memory_text(job.spec->per_node.memory_bytes * nodes), nodes);
  r.line("ResvPorts=(null)");
  r.line("CPUFreqReq=Default Dist=Cyclic");
  r.line("SrunHost:Pid={}:0", names.empty() ? "(null)" : names.front());
  return r.take();
}

}  // namespace virga
