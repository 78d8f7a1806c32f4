#include "cli/job_fields.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "wire/group_name.hpp"
#include "wire/slurm_json.hpp"
#include "wire/slurm_policy.hpp"
#include "wire/slurm_reasons.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

using R = const JobRow&;

std::string or_null(const std::string& text) { return text.empty() ? "(null)" : text; }
std::string number(std::uint64_t n) { return std::to_string(n); }

bool is_held(const Job& job) { return job.reason == Reason::held_user || job.reason == Reason::held_admin; }

std::string reason_or_nodes(R r) {
  const JobState s = r.job->state;
  const bool reason =
      s == JobState::pending || s == JobState::failed || s == JobState::timeout || s == JobState::deadline;
  return reason ? "(" + std::string(slurm_reason(*r.job)) + ")" : job_node_list(*r.job);
}

/// Of a job that waits for its time: that time.
std::string start_text(R r) {
  const bool waits = r.job->state == JobState::pending && r.job->reason == Reason::begin_time;
  return local_time_text(waits ? r.job->spec->begin : r.job->started, "N/A");
}
std::string eligible_text(R r) {
  return r.job->state == JobState::pending && is_held(*r.job) ? "N/A" : local_time_text(r.job->eligible, "N/A");
}
std::string pending_time(R r) {
  const Job& job = *r.job;
  const Time from = job.state == JobState::pending && is_held(job) ? Time::never() : job.eligible;
  const Time to = job.started.is_set() ? job.started : r.now;
  return number(from.is_never() || to < from ? 0 : static_cast<std::uint64_t>((to - from).whole_seconds()));
}

std::string end_text(R r) {
  if (is_final(r.job->state)) return local_time_text(r.job->ended, "N/A");
  if (r.job->state == JobState::pending) return "N/A";
  return local_time_text(r.job->end_limit, "NONE");
}

std::string time_left(R r) {
  if (r.job->spec->time_limit.is_infinite()) return "UNLIMITED";
  const Duration left = r.job->spec->time_limit - job_run_time(*r.job, r.now);
  return short_duration_text(left);
}

std::string batch_host(R r) {
  if (r.job->nodes.empty()) return "n/a";
  return r.job->nodes.front().name;
}

/// What each node must have at least: of a task, or of the tasks that were asked for on each node.
std::string min_cpus(R r) {
  const JobSpec& spec = r.job->spec;
  return number(std::uint64_t{std::max(1U, spec.tasks_per_node)} * spec.cpus_per_task);
}

std::string gres(R r) {
  const std::uint32_t gpus = r.job->spec->per_node.gpus;
  return gpus == 0 ? "N/A" : "gres:gpu:" + number(gpus);
}

std::string user(R r) { return r.job->owner.user.empty() ? number(r.job->owner.uid) : r.job->owner.user; }
std::string id(R r) { return number(r.job->id.value); }
std::string label(R r) {
  return r.array_tasks.empty() ? job_label(*r.job) : number(r.job->array_job.value) + "_" + r.array_tasks;
}
std::string array_task(R r) {
  if (!r.job->array_job) return "N/A";
  if (r.array_tasks.empty()) return number(r.job->array_task);
  return r.array_tasks.substr(1, r.array_tasks.size() - 2);  // without the brackets
}
std::string star(R) { return "*"; }
std::string null_text(R) { return "(null)"; }
std::string zero(R) { return "0"; }
std::string zero_time(R) { return "0:00"; }
std::string not_there(R) { return "NA"; }
std::string nothing(R) { return ""; }
std::string not_available(R) { return "N/A"; }
std::string run_time(R r) { return short_duration_text(job_run_time(*r.job, r.now)); }
std::string nodes_of(R r) { return job_node_list(*r.job); }
std::string exit_text(R r) { return number(wait_status(r.job->exit)); }
std::string cpus(R r) { return number(std::uint64_t{r.job->spec->per_node.cpus} * r.job->spec->nodes); }
std::string small_priority(R r) { return is_held(*r.job) ? "0.00000000000000" : "0.99998474121093"; }
std::string tres(R r) { return or_null(job_tres_text(*r.job)); }
std::string output(R r) { return r.job->spec->kind == JobKind::allocation ? "N/A" : job_output_path(*r.job, false); }
std::string errors(R r) { return r.job->spec->kind == JobKind::allocation ? "N/A" : job_output_path(*r.job, true); }

// Letters of -o, names of -O, headers: Slurm 22.05's.
constexpr TableField<JobRow> k_fields[] = {
    {'i', "jobarrayid", "JOBID", label},
    {'A', "jobid", "JOBID", id},
    {'F', "arrayjobid", "ARRAY_JOB_ID",
     [](R r) { return number(r.job->array_job ? r.job->array_job.value : r.job->id.value); }},
    {'K', "arraytaskid", "ARRAY_TASK_ID", array_task},
    {'P', "partition", "PARTITION", [](R r) { return r.job->spec->partition; }},
    {'j', "name", "NAME", [](R r) { return r.job->spec->name; }},
    {'u', "username", "USER", user},
    {'U', "userid", "UID", [](R r) { return number(r.job->owner.uid); }},
    {'g', "groupname", "GROUP", [](R r) { return group_name(r.job->owner.gid); }},
    {'G', "groupid", "GROUP", [](R r) { return number(r.job->owner.gid); }},
    {'t', "statecompact", "ST", [](R r) { return std::string(slurm_state_code(*r.job)); }},
    {'T', "state", "STATE", [](R r) { return std::string(slurm_state(*r.job)); }},
    {'M', "timeused", "TIME", run_time},
    {'l', "timelimit", "TIME_LIMIT", [](R r) { return time_limit_text(r.job->spec->time_limit, "UNLIMITED"); }},
    {'L', "timeleft", "TIME_LEFT", time_left},
    {'D', "numnodes", "NODES", [](R r) { return number(r.job->spec->nodes); }},
    {'C', "numcpus", "CPUS", cpus},
    {0, "numtasks", "TASKS", [](R r) { return number(r.job->spec->tasks); }},
    {0, "tasks", "TASKS", [](R r) { return number(r.job->spec->tasks); }},
    {'N', "nodelist", "NODELIST", nodes_of},
    {'R', "reasonlist", "NODELIST(REASON)", reason_or_nodes},
    {'r', "reason", "REASON", [](R r) { return std::string(slurm_reason(*r.job)); }},
    {'S', "starttime", "START_TIME", start_text},
    {'e', "endtime", "END_TIME", end_text},
    {'V', "submittime", "SUBMIT_TIME", [](R r) { return local_time_text(r.job->submitted, "N/A"); }},
    {0, "eligibletime", "ELIGIBLE_TIME", eligible_text},
    {0, "accruetime", "ACCRUE_TIME", eligible_text},
    {0, "lastschedeval", "LAST_SCHED_EVAL",
     [](R r) { return local_time_text(r.job->started.is_set() ? r.job->started : r.job->submitted, "N/A"); }},
    {0, "deadline", "DEADLINE", [](R r) { return local_time_text(r.job->spec->deadline, "N/A"); }},
    {0, "preempttime", "PREEMPT_TIME", not_available},
    {0, "resizetime", "RESIZE_TIME", not_available},
    {0, "pendingtime", "PENDING_TIME", pending_time},
    {0, "mintime", "TIME_MIN", zero_time},
    {0, "delayboot", "DELAY_BOOT", zero_time},
    {'a', "account", "ACCOUNT", [](R r) { return or_null(r.job->spec->account); }},
    {'k', "comment", "COMMENT", [](R r) { return or_null(r.job->spec->comment); }},
    {'b', "tres-per-node", "TRES_PER_NODE", gres},
    {0, "gres", "TRES_PER_NODE", gres},
    {'c', "mincpus", "MIN_CPUS", min_cpus},
    {'m', "minmemory", "MIN_MEMORY", [](R r) { return memory_text(r.job->spec->per_node.memory_bytes); }},
    {'d', "mintmpdisk", "MIN_TMP_DISK", zero},
    {'B', "batchhost", "EXEC_HOST", batch_host},
    {'E', "dependency", "DEPENDENCY", [](R r) { return or_null(shown_dependencies(*r.job)); }},
    {'f', "feature", "FEATURES", null_text},
    {'h', "oversubscribe", "OVER_SUBSCRIBE", [](R r) { return std::string(r.job->spec->exclusive ? "NO" : "OK"); }},
    {'H', "sockets", "SOCKETS_PER_NODE", star},
    {'I', "cores", "CORES_PER_SOCKET", star},
    {'J', "threads", "THREADS_PER_CORE", star},
    {'n', "reqnodes", "REQ_NODES", [](R) { return std::string(); }},
    {'x', nullptr, "EXC_NODES", [](R) { return std::string(); }},
    {'o', "command", "COMMAND", [](R r) { return or_null(r.job->spec->command); }},
    {'O', "contiguous", "CONTIGUOUS", zero},
    {'p', "priority", "PRIORITY", small_priority},
    {'Q', "prioritylong", "PRIORITY", [](R r) { return std::to_string(shown_priority(*r.job)); }},
    {'q', "qos", "QOS", [](R r) { return std::string(shown_qos(r.job->spec)); }},
    {'v', "reservation", "RESERVATION", [](R r) { return or_null(r.job->spec->reservation); }},
    {'w', "wckey", "WCKEY", null_text},
    {'W', "licenses", "LICENSES", [](R r) { return or_null(shown_licenses(*r.job->spec)); }},
    {'X', "corespec", "CORE_SPEC", not_available},
    {'y', "nice", "NICE", [](R r) { return std::to_string(r.job->spec->nice); }},
    {'Y', "schednodes", "SCHEDNODES", null_text},
    {'s', nullptr, "", nothing},
    {'z', "sct", "S:C:T", [](R) { return std::string("*:*:*"); }},
    {'Z', "workdir", "WORK_DIR", [](R r) { return r.job->spec->work_dir; }},
    {0, "stdin", "STDIN", [](R r) { return r.job->spec->std_in.empty() ? "/dev/null" : r.job->spec->std_in; }},
    {0, "stdout", "STDOUT", output},
    {0, "stderr", "STDERR", errors},
    {0, "tres", "TRES_ALLOC", tres},
    {0, "tres-alloc", "TRES_ALLOC", tres},
    {0, "exit_code", "EXIT_CODE", exit_text},
    {0, "derivedec", "DERIVED_EC", zero},
    {0, "restartcnt", "RESTART_COUNT", [](R r) { return number(r.job->incarnation); }},
    {0, "requeue", "REQUEUE", [](R r) { return number(r.job->spec->requeue ? 1 : 0); }},
    {0, "batchflag", "BATCH_FLAG", [](R r) { return number(r.job->spec->kind == JobKind::batch ? 1 : 0); }},
    {0, "cpus-per-task", "CPUS_PER_TASK", [](R r) { return number(r.job->spec->cpus_per_task); }},
    {0, "cpus-per-tres", "CPUS_PER_TRES", not_available},
    {0, "mem-per-tres", "MEM_PER_TRES", not_available},
    {0, "tres-bind", "TRES_BIND", not_available},
    {0, "tres-freq", "TRES_FREQ", not_available},
    {0, "tres-per-job", "TRES_PER_JOB", not_available},
    {0, "tres-per-socket", "TRES_PER_SOCKET", not_available},
    {0, "tres-per-task", "TRES_PER_TASK", not_available},
    {0, "admin_comment", "ADMIN_COMMENT", null_text},
    {0, "system_comment", "SYSTEM_COMMENT", null_text},
    {0, "allocnodes", "ALLOC_NODES", [](R) { return std::string("localhost"); }},
    {0, "allocsid", "ALLOC_SID", zero},
    {0, "associd", "ASSOC_ID", zero},
    {0, "boardspernode", "BOARDS_PER_NODE", zero},
    {0, "sperboard", "SOCKETS_PER_BOARD", zero},
    {0, "ntperboard", "NTASKS_PER_BOARD", zero},
    {0, "ntpercore", "NTASKS_PER_CORE", not_available},
    {0, "ntpersocket", "NTASKS_PER_SOCKET", not_available},
    {0, "ntpernode", "NTASKS_PER_NODE", [](R r) { return number(r.job->spec->tasks_per_node); }},
    {0, "burstbuffer", "BURST_BUFFER", null_text},
    {0, "burstbufferstate", "BURST_BUFFER_STATE", null_text},
    {0, "clusterfeature", "CLUSTER_FEATURES", null_text},
    {0, "cluster", "CLUSTER", [](R r) { return r.cluster; }},
    {0, "container", "CONTAINER", null_text},
    {0, "mcslabel", "MCSLABEL", null_text},
    {0, "network", "NETWORK", null_text},
    {0, "profile", "PROFILE", [](R) { return std::string("NotSet"); }},
    {0, "reboot", "REBOOT", zero},
    {0, "maxcpus", "MAX_CPUS", cpus},
    {0, "maxnodes", "MAX_NODES", [](R r) { return number(r.job->spec->nodes); }},
    {0, "hetjobid", "HET_JOB_ID", not_available},
    {0, "hetjobidset", "HET_JOB_ID_SET", not_available},
    {0, "hetjoboffset", "HET_JOB_OFFSET", not_available},
    {0, "origin", "ORIGIN", not_there},
    {0, "originraw", "ORIGIN_RAW", not_there},
    {0, "siblingsactive", "ACTIVE_SIBLINGS", not_there},
    {0, "siblingsactiveraw", "ACTIVE_SIBLINGS_RAW", not_there},
    {0, "siblingsviable", "VIABLE_SIBLINGS", not_there},
    {0, "siblingsviableraw", "VIALBLE_SIBLINGS_RAW", not_there},  // as Slurm writes it
    {0, "reqswitch", "REQ_SWITCH", [](R r) { return number(r.job->spec->switches); }},
    {0, "wait4switch", "WAIT4SWITCH",
     [](R r) {
       const Duration wait = r.job->spec->switches_wait;
       return r.job->spec->switches == 0 || wait.is_infinite() ? std::string("0:00") : short_duration_text(wait);
     }},
};

std::string step_id(R r) {
  return job_label(*r.job) + "." + (r.step != nullptr ? number(r.step->id) : std::string("batch"));
}
std::string step_run_time(R r) {
  const Time start = r.step != nullptr ? r.step->started : r.job->started;
  return short_duration_text(r.now > start ? r.now - start : Duration{});
}
std::string step_nodes(R r) {
  Job shown;
  const std::size_t count = r.step != nullptr ? r.step->nodes : 1;
  shown.nodes = r.job->nodes;
  if (count < shown.nodes.size()) shown.nodes.edit().resize(count);
  return job_node_list(shown);
}

constexpr TableField<JobRow> k_step_fields[] = {
    {'i', "stepid", "STEPID", step_id},
    {'j', "stepname", "NAME", [](R r) { return r.step != nullptr ? r.step->name : std::string("batch"); }},
    {'P', "partition", "PARTITION", [](R r) { return r.job->spec->partition; }},
    {'u', "username", "USER", user},
    {'M', "timeused", "TIME", step_run_time},
    {'N', "nodes", "NODELIST", step_nodes},
    {'S', "starttime", "START_TIME", start_text},
    {'A', "numtasks", "TASKS", [](R r) { return number(r.step != nullptr ? r.step->tasks : 1); }},
};

template <class T>
int order(const T& a, const T& b) {
  return a < b ? -1 : b < a ? 1 : 0;
}

using Comparison = int (*)(const Job&, const Job&);

Comparison comparison_of(char letter) {
  switch (letter) {
    case 'i':
    case 'A':
    case 'F':
      return [](const Job& a, const Job& b) { return order(a.id, b.id); };
    case 'j':
      return [](const Job& a, const Job& b) { return order(a.spec->name, b.spec->name); };
    case 'P':
      return [](const Job& a, const Job& b) { return order(a.spec->partition, b.spec->partition); };
    // Slurm sorts states by their names, not by their numbers.
    case 't':
      return [](const Job& a, const Job& b) { return order(slurm_state_code(a), slurm_state_code(b)); };
    case 'T':
      return [](const Job& a, const Job& b) { return order(slurm_state(a), slurm_state(b)); };
    case 'u':
      return [](const Job& a, const Job& b) { return order(a.owner.user, b.owner.user); };
    case 'U':
      return [](const Job& a, const Job& b) { return order(a.owner.uid, b.owner.uid); };
    case 'a':
      return [](const Job& a, const Job& b) { return order(a.spec->account, b.spec->account); };
    case 'D':
      return [](const Job& a, const Job& b) { return order(a.spec->nodes, b.spec->nodes); };
    case 'C':
      return [](const Job& a, const Job& b) {
        return order(a.spec->nodes * a.spec->per_node.cpus, b.spec->nodes * b.spec->per_node.cpus);
      };
    case 'm':
      return [](const Job& a, const Job& b) {
        return order(a.spec->per_node.memory_bytes, b.spec->per_node.memory_bytes);
      };
    case 'l':
    case 'L':
      return [](const Job& a, const Job& b) { return order(a.spec->time_limit, b.spec->time_limit); };
    case 'S':
    case 'M':
      return [](const Job& a, const Job& b) { return order(a.started, b.started); };
    case 'e':
      return [](const Job& a, const Job& b) { return order(a.ended, b.ended); };
    case 'V':
      return [](const Job& a, const Job& b) { return order(a.submitted, b.submitted); };
    case 'p':
    case 'Q':
      return [](const Job& a, const Job& b) { return order(shown_priority(a), shown_priority(b)); };
    case 'N':
    case 'R':
      return [](const Job& a, const Job& b) { return order(job_node_list(a), job_node_list(b)); };
    default:
      return nullptr;
  }
}

}  // namespace

std::span<const TableField<JobRow>> job_fields() { return k_fields; }
std::span<const TableField<JobRow>> step_fields() { return k_step_fields; }

void join_tasks(std::vector<JobRow>& rows) {
  std::map<JobId, std::vector<IndexRange>> waiting;
  const auto joins = [](const JobRow& row) { return row.job->array_job && row.job->state == JobState::pending; };
  for (const JobRow& row : rows) {
    if (joins(row)) waiting[row.job->array_job].push_back({row.job->array_task, row.job->array_task, 1});
  }
  std::vector<JobRow> joined;
  for (JobRow& row : rows) {
    if (joins(row)) {
      const auto tasks = waiting.find(row.job->array_job);
      if (tasks == waiting.end()) continue;
      row.array_tasks = "[" + array_text({joined_ranges(tasks->second), row.job->spec->array.limit}) + "]";
      waiting.erase(tasks);
    }
    joined.push_back(std::move(row));
  }
  rows = std::move(joined);
}

Status sort_jobs(std::vector<JobRow>& rows, std::string_view text) {
  std::vector<std::pair<Comparison, bool>> keys;
  for (const std::string& part : split_list(text)) {
    const bool descending = part.front() == '-';
    const std::string letters = part.substr(part.front() == '-' || part.front() == '+' ? 1 : 0);
    Comparison compare = letters.size() == 1 ? comparison_of(letters.front()) : nullptr;
    if (compare == nullptr)
      return fail(Code::invalid,
                  "Invalid sort specification: " + letters.substr(letters.empty() ? 0 : letters.size() - 1));
    keys.emplace_back(compare, descending);
  }
  const auto comes_first = [&](const JobRow& a, const JobRow& b) {
    for (const auto& [compare, descending] : keys) {
      if (int way = compare(*a.job, *b.job); way != 0) return descending ? way > 0 : way < 0;
    }
    return a.job->id < b.job->id;
  };
  // Most long queues wait in one partition, and come in this order.
  if (!std::is_sorted(rows.begin(), rows.end(), comes_first)) std::stable_sort(rows.begin(), rows.end(), comes_first);
  return {};
}

}  // namespace virga
