// A job: what a user asked for (JobSpec) and what became of it (Job).
//
// Shapes follow Slurm: a job is a gang of `nodes` nodes; inside it steps start tasks. Memory is in bytes, times are
// base/time.hpp's. A job that is requeued keeps its id and gets a higher `incarnation`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/ids.hpp"
#include "base/money.hpp"
#include "base/shared.hpp"
#include "base/time.hpp"
#include "core/job_wishes.hpp"
#include "core/passed_over.hpp"
#include "core/placement.hpp"

namespace virga {

/// Who asks. `uid` comes from the socket's peer credentials or the token, never from the request's text.
struct Actor {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::string user;
  bool is_operator = false;  ///< sees and changes everybody's jobs and nodes

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("uid", s.uid);
    v("gid", s.gid);
    v("user", s.user);
    v("is_operator", s.is_operator);
  }
};

/// What one node gives to a job, or has in all.
struct Resources {
  std::uint32_t cpus = 0;
  std::uint32_t gpus = 0;
  std::uint64_t memory_bytes = 0;

  bool fits_in(const Resources& room) const {
    return cpus <= room.cpus && gpus <= room.gpus && memory_bytes <= room.memory_bytes;
  }
  friend bool operator==(const Resources&, const Resources&) = default;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("cpus", s.cpus);
    v("gpus", s.gpus);
    v("memory_bytes", s.memory_bytes);
  }
};

enum class JobKind : std::uint8_t {
  batch,       ///< a script runs on the first node
  allocation,  ///< nodes are held for a client (srun outside a job) as long as that client lives
};
template <>
struct EnumNames<JobKind> {
  static constexpr std::string_view names[] = {"batch", "allocation"};
};

enum class JobState : std::uint8_t {
  pending,      ///< in the queue
  configuring,  ///< bound to nodes, some of which still boot, or its script is being started
  running,
  completing,  ///< ended or being ended; its processes are not gone yet
  completed,   ///< exit code 0
  failed,
  timeout,
  cancelled,
  node_fail,
  preempted,  ///< gave its nodes to a more important job
  deadline,   ///< could not end before its deadline any more
};
template <>
struct EnumNames<JobState> {
  static constexpr std::string_view names[] = {"PENDING",   "CONFIGURING", "RUNNING", "COMPLETING",
                                               "COMPLETED", "FAILED",      "TIMEOUT", "CANCELLED",
                                               "NODE_FAIL", "PREEMPTED",   "DEADLINE"};
};
constexpr bool is_final(JobState s) { return s >= JobState::completed; }
constexpr bool holds_nodes(JobState s) { return s >= JobState::configuring && s <= JobState::completing; }

/// Why a job waits, or why it ended as it did. wire/slurm_reasons.hpp maps each to Slurm's word.
enum class Reason : std::uint8_t {
  none,
  priority,       ///< earlier jobs of the same pools are served first
  resources,      ///< enough nodes exist, but other jobs use them
  reserving,      ///< the missing VMs are being asked for
  booting,        ///< the gang exists; nodes boot
  held_user,      ///< held by its owner
  held_admin,     ///< held by an operator, or after too many failures
  capacity,       ///< the cloud has none now; retried at a known time
  quota,          ///< the cloud's or the tenant's quota is used up
  throttled,      ///< the cloud asked us to wait
  cloud_fault,    ///< the cloud failed, which may go over
  drained_nodes,  ///< so many nodes are drained that the gang cannot be had
  partition_down,
  shutting_down,  ///< `virga down` was asked for
  requeued,       ///< waits a moment after a requeue
  launch_failed,  ///< the job could not be started; `detail` says why
  node_failure,
  time_limit,
  cancelled,
  non_zero_exit,
  config_refuses,    ///< the configuration changed, and no pool can ever hold this job now
  dependency,        ///< waits for another job
  dependency_never,  ///< what it depends on can never come true any more
  begin_time,        ///< --begin has not come yet
  array_limit,       ///< as many tasks of its array run as may at a time
  qos_limit,         ///< its user runs as many jobs of its QOS as may
  qos_node_limit,    ///< the same for nodes
  tenant_limit,      ///< its tenant, or one above it, has as many nodes as it may
  tenant_gpu_limit,  ///< the same for GPUs
  budget,            ///< what it may cost is more than its tenant has left
  reservation,       ///< its reservation has not begun, or is full; or the nodes are reserved for others
  preempted,         ///< gave its nodes to a more important job
  deadline,          ///< cannot end before its deadline
  cloud_setup,       ///< the cloud does not take what it is asked for; somebody has to change something
  files_unsaved,     ///< it ended, but what it wrote did not all reach the storage
  licenses,          ///< other jobs use the licences that it needs
};
template <>
struct EnumNames<Reason> {
  static constexpr std::string_view names[] = {
      "none",           "priority",      "resources",      "reserving",     "booting",          "held_user",
      "held_admin",     "capacity",      "quota",          "throttled",     "cloud_fault",      "drained_nodes",
      "partition_down", "shutting_down", "requeued",       "launch_failed", "node_failure",     "time_limit",
      "cancelled",      "non_zero_exit", "config_refuses", "dependency",    "dependency_never", "begin_time",
      "array_limit",    "qos_limit",     "qos_node_limit", "tenant_limit",  "tenant_gpu_limit", "budget",
      "reservation",    "preempted",     "deadline",       "cloud_setup",   "files_unsaved",    "licenses"};
};

/// How a process ended: an exit code, or the signal that killed it.
struct ExitStatus {
  std::uint32_t code = 0;
  std::uint32_t signal = 0;

  bool ok() const { return code == 0 && signal == 0; }
  friend bool operator==(const ExitStatus&, const ExitStatus&) = default;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("code", s.code);
    v("signal", s.signal);
  }
};

/// What a job's or step's processes used, as the kernel counts it for those that were waited for.
struct Usage {
  Duration user_cpu;
  Duration system_cpu;
  std::uint64_t max_rss_bytes = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("user_cpu", s.user_cpu);
    v("system_cpu", s.system_cpu);
    v("max_rss_bytes", s.max_rss_bytes);
  }
};

/// What sbatch or srun asked for, defaults filled in. Output patterns keep their `%` letters.
struct JobSpec {
  JobKind kind = JobKind::batch;
  std::string name;
  std::string partition;  ///< empty: the default partition
  std::string account;
  std::string comment;
  std::string work_dir;  ///< absolute
  std::string command;   ///< the script's path as the user gave it, for display only
  std::string std_in;    ///< empty: /dev/null
  std::string std_out;   ///< empty: slurm-%j.out, of an array slurm-%A_%a.out
  std::string std_err;   ///< empty: the same file as std_out
  bool append_output = false;
  std::uint32_t nodes = 1;
  std::uint32_t tasks = 1;           ///< over all nodes
  std::uint32_t tasks_per_node = 0;  ///< 0: tasks are dealt evenly, rounded up
  std::uint32_t cpus_per_task = 1;
  Resources per_node;        ///< what the job takes of each of its nodes
  bool exclusive = false;    ///< nobody else on its nodes
  bool needs_fabric = true;  ///< its nodes talk over InfiniBand: they must lie where it reaches from each to each
  Duration time_limit = Duration::infinite();
  WarningSignal warning;
  bool requeue = true;
  bool held = false;
  std::string qos;        ///< empty: the partition's, or none
  std::int32_t nice = 0;  ///< taken off the priority
  Time begin;             ///< not before; unset: at once
  Time deadline;          ///< ended by then, or not begun; unset: none
  std::vector<Dependency> dependencies;
  bool any_dependency = false;                    ///< Slurm's `?`: one of them is enough
  std::uint32_t switches = 0;                     ///< at most so many leaves of the fabric; 0: any number
  Duration switches_wait = Duration::infinite();  ///< then more leaves will do
  std::string reservation;
  ArraySpec array;  ///< of a task of an array: that of the whole array
  Placement placement;
  std::vector<License> licenses;           ///< held as long as it has nodes
  Duration time_min;                       ///< set: its limit may be lowered down to this if it begins earlier then
  bool kill_on_invalid_dep = false;        ///< ends, instead of waiting for ever, where a dependency cannot come true
  std::string wckey;                       ///< a word for the accounts
  std::uint32_t priority = k_no_priority;  ///< of --priority: it stays at that; 0: held
  std::uint32_t mail_types = 0;            ///< MailType bits
  std::string mail_user;                   ///< empty: its owner
  std::string network;                     ///< of --network: shown, and nothing else
  bool reboot = false;                     ///< of --reboot: shown; nodes are fresh anyway

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("kind", s.kind);
    v("name", s.name);
    v("partition", s.partition);
    v("account", s.account);
    v("comment", s.comment);
    v("work_dir", s.work_dir);
    v("command", s.command);
    v("std_in", s.std_in);
    v("std_out", s.std_out);
    v("std_err", s.std_err);
    v("append_output", s.append_output);
    v("nodes", s.nodes);
    v("tasks", s.tasks);
    v("tasks_per_node", s.tasks_per_node);
    v("cpus_per_task", s.cpus_per_task);
    v("per_node", s.per_node);
    v("exclusive", s.exclusive);
    v("needs_fabric", s.needs_fabric);
    v("time_limit", s.time_limit);
    v("warning", s.warning);
    v("requeue", s.requeue);
    v("held", s.held);
    v("qos", s.qos);
    v("nice", s.nice);
    v("begin", s.begin);
    v("deadline", s.deadline);
    v("dependencies", s.dependencies);
    v("any_dependency", s.any_dependency);
    v("switches", s.switches);
    v("switches_wait", s.switches_wait);
    v("reservation", s.reservation);
    v("array", s.array);
    v("placement", s.placement);
    v("licenses", s.licenses);
    v("time_min", s.time_min);
    v("kill_on_invalid_dep", s.kill_on_invalid_dep);
    v("wckey", s.wckey);
    v("priority", s.priority);
    v("mail_types", s.mail_types);
    v("mail_user", s.mail_user);
    v("network", s.network);
    v("reboot", s.reboot);
  }
};

/// The bulky part of a submission: kept by the journal, never in the brain.
struct LaunchPayload {
  std::string script;                    ///< the whole text, first line `#!…`; empty for an allocation
  std::vector<std::string> arguments;    ///< after the script's name
  std::vector<std::string> environment;  ///< NAME=value
  std::uint32_t umask = 022;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("script", s.script);
    v("arguments", s.arguments);
    v("environment", s.environment);
    v("umask", s.umask);
  }
};

/// One of a job's nodes, in rank order. `gpus` are the indices on that node that belong to the job.
struct JobNode {
  VmId vm;
  std::string name;
  std::vector<std::uint32_t> gpus;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("vm", s.vm);
    v("name", s.name);
    v("gpus", s.gpus);
  }
};

/// One `srun` inside a job.
struct Step {
  std::uint32_t id = 0;
  std::string name;
  std::uint32_t nodes = 0;
  std::uint32_t tasks = 0;
  JobState state = JobState::running;
  Time started;
  Time ended;
  ExitStatus exit;
  Usage usage;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("id", s.id);
    v("name", s.name);
    v("nodes", s.nodes);
    v("tasks", s.tasks);
    v("state", s.state);
    v("started", s.started);
    v("ended", s.ended);
    v("exit", s.exit);
    v("usage", s.usage);
  }
};

/// Which index of the brain has the job; derived, never stored.
enum class IndexedAs : std::uint8_t { nothing, queued, set_aside, asleep, promised, living, ended };

/// Where an array's limit has one of its tasks.
enum class ArrayPlace : std::uint8_t { none, gated, open };

/// What the policy has counted of a job that has not ended (brain/policy/policy_state.hpp); derived, never stored.
struct PolicyCount {
  std::uint32_t mark = 0;  ///< changes whenever there may be something to count anew
  bool known = false;
  bool running = false;  ///< has nodes, or the promise of them
  bool began = false;
  ArrayPlace place = ArrayPlace::none;
  Time last_start = Time::never();
};

/// The last complete checkpoint, as the job told with `virga checkpoint done`.
struct Checkpoint {
  Time at;
  std::uint64_t step = 0;
  std::uint64_t bytes = 0;
  std::uint32_t count = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("at", s.at);
    v("step", s.step);
    v("bytes", s.bytes);
    v("count", s.count);
  }
};

struct Job {
  JobId id;
  Shared<JobSpec> spec;
  Actor owner;
  Seq submitted_at_seq;  ///< where the journal keeps the LaunchPayload
  JobState state = JobState::pending;
  Reason reason = Reason::none;
  std::string detail;             ///< one line that makes `reason` concrete for this job
  std::uint32_t incarnation = 0;  ///< how often it was requeued: SLURM_RESTART_COUNT
  Time submitted;
  Time eligible;  ///< not before this time
  Time started;   ///< of this incarnation
  Time ended;
  Time end_limit = Time::never();         ///< started + time limit
  bool warned = false;                    ///< the warning signal was sent
  bool launched = false;                  ///< the engine was told to start this incarnation
  Time eviction_told;                     ///< since when the cloud is known to take one of its machines back
  JobState ending = JobState::completed;  ///< while completing: the final state it goes to
  bool requeue_after_end = false;         ///< while completing: back to the queue instead
  bool lost_node = false;                 ///< a node of its last incarnation failed: it may use spare nodes
  Time kill_at = Time::never();           ///< while completing: when SIGKILL follows SIGTERM
  SharedList<JobNode> nodes;              ///< while it holds nodes; kept afterwards as a record
  SharedList<JobNode> promised;       ///< while pending: nodes kept for it, some of which the cloud has not granted yet
  Time expected_end = Time::never();  ///< as the schedule assumes, while it holds nodes or a promise
  ExitStatus exit;
  Usage usage;
  std::vector<Step> steps;  ///< running ones, and the newest ended ones
  std::uint32_t steps_started = 0;
  Checkpoint checkpoint;
  Money cost;                     ///< list price of the node time it used so far
  Time charged;                   ///< its use of nodes is in the fair-share ledger up to here
  JobId array_job;                ///< the array that it is a task of: the id of its first task; zero: none
  std::uint32_t array_task = 0;   ///< its index there
  std::int64_t priority = 0;      ///< in points, when it was last computed; the higher, the earlier
  PassedOver passed_over;         ///< by the nodes of this incarnation
  Time suspended;                 ///< since when its processes stand still; unset: they do not
  Duration suspended_for;         ///< how long they stood still before that, in this incarnation
  bool hold_after_end = false;    ///< while completing, with requeue_after_end: it waits held then
  std::uint32_t mailed_time = 0;  ///< how much of its time the owner was told has gone, in percent
  // The brain's own notes, derived from the above and never stored.
  IndexedAs indexed_as = IndexedAs::nothing;
  std::int64_t rank = 0;               ///< its place in the queue (brain/policy/priority.hpp)
  bool full_age = false;               ///< the same
  std::uint32_t partition_number = 0;  ///< in Config::partitions, while it is in the queue or on the way to it
  PolicyCount counted;
  std::uint64_t placement_key = 0;  ///< of its Placement; 0: it wants nothing of the kind
  bool files_on_storage = false;    ///< its files lie where nodes without shared files have them
  std::uint32_t nodes_booting = 0;  ///< of a configuring job
  Time alarm = Time::never();       ///< when it needs attention next: a limit, a warning, the end of a grace time

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("id", s.id);
    v("spec", s.spec);
    v("owner", s.owner);
    v("submitted_at_seq", s.submitted_at_seq);
    v("state", s.state);
    v("reason", s.reason);
    v("detail", s.detail);
    v("incarnation", s.incarnation);
    v("submitted", s.submitted);
    v("eligible", s.eligible);
    v("started", s.started);
    v("ended", s.ended);
    v("end_limit", s.end_limit);
    v("warned", s.warned);
    v("launched", s.launched);
    v("eviction_told", s.eviction_told);
    v("ending", s.ending);
    v("requeue_after_end", s.requeue_after_end);
    v("lost_node", s.lost_node);
    v("kill_at", s.kill_at);
    v("nodes", s.nodes);
    v("promised", s.promised);
    v("expected_end", s.expected_end);
    v("exit", s.exit);
    v("usage", s.usage);
    v("steps", s.steps);
    v("steps_started", s.steps_started);
    v("checkpoint", s.checkpoint);
    v("cost", s.cost);
    v("charged", s.charged);
    v("array_job", s.array_job);
    v("array_task", s.array_task);
    v("priority", s.priority);
    v("passed_over", s.passed_over);
    v("suspended", s.suspended);
    v("suspended_for", s.suspended_for);
    v("hold_after_end", s.hold_after_end);
    v("mailed_time", s.mailed_time);
  }
};

}  // namespace virga
