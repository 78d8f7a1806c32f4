// Events: every fact that reaches the brain. They are what the journal keeps, in order, for ever.
//
//   Event e{.at = now, .body = VmReady{vm, "10.1.0.1"}};
//   brain.apply(seq, e);
//
// The place of a type in EventBody is its tag in the journal, and a struct's visit() its layout: append new types at
// the end; when a layout changes, raise k_schema_version and teach the journal to read the old one.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/config.hpp"
#include "core/job.hpp"

namespace virga {

inline constexpr std::uint32_t k_schema_version = 9;

/// Correlates an outside request with its Reply command; 0 where nobody waits. Not stable across restarts.
using RequestId = std::uint64_t;

struct ConfigChanged {
  static constexpr std::string_view k_name = "config_changed";
  Config config;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("config", s.config);
  }
};

struct JobSubmitted {
  static constexpr std::string_view k_name = "job_submitted";
  Actor actor;
  JobSpec spec;
  std::string idempotency_key;  ///< a second submission with the same key and user answers the first one's id
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("spec", s.spec);
    v("idempotency_key", s.idempotency_key);
  }
};

enum class JobAction : std::uint8_t {
  cancel,
  hold,
  release,
  requeue,
  signal,
  suspend,
  resume,
  requeue_hold,  ///< back to the queue, and held there
  user_hold,     ///< as its owner would hold it, whoever asks
};
template <>
struct EnumNames<JobAction> {
  static constexpr std::string_view names[] = {"cancel",  "hold",   "release",      "requeue",  "signal",
                                               "suspend", "resume", "requeue_hold", "user_hold"};
};

struct JobActed {
  static constexpr std::string_view k_name = "job_acted";
  Actor actor;
  JobId job;
  JobAction action = JobAction::cancel;
  std::uint32_t signal = 0;              ///< with `signal`
  bool batch_shell_only = false;         ///< with `signal`
  std::uint32_t task = k_no_array_task;  ///< only this task of the array `job`; none: the job, or the whole array
  std::uint32_t step = k_no_step;        ///< with `signal`: only this step
  bool whole_job = false;                ///< with `signal`: the batch shell, all that it started, and the steps
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("job", s.job);
    v("action", s.action);
    v("signal", s.signal);
    v("batch_shell_only", s.batch_shell_only);
    v("task", s.task);
    v("step", s.step);
    v("whole_job", s.whole_job);
  }
};

struct NodeUpdated {
  static constexpr std::string_view k_name = "node_updated";
  Actor actor;
  std::string node;
  bool drained = false;
  std::string reason;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("node", s.node);
    v("drained", s.drained);
    v("reason", s.reason);
  }
};

struct StepStarted {
  static constexpr std::string_view k_name = "step_started";
  Actor actor;
  JobId job;
  std::string name;
  std::uint32_t nodes = 0;
  std::uint32_t tasks = 0;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("job", s.job);
    v("name", s.name);
    v("nodes", s.nodes);
    v("tasks", s.tasks);
  }
};

struct StepEnded {
  static constexpr std::string_view k_name = "step_ended";
  Actor actor;
  JobId job;
  std::uint32_t step = 0;
  ExitStatus exit;
  Usage usage;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("job", s.job);
    v("step", s.step);
    v("exit", s.exit);
    v("usage", s.usage);
  }
};

struct CheckpointDone {
  static constexpr std::string_view k_name = "checkpoint_done";
  Actor actor;
  JobId job;
  std::uint64_t step = 0;
  std::uint64_t bytes = 0;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("job", s.job);
    v("step", s.step);
    v("bytes", s.bytes);
  }
};

/// `virga down`: no new reservations; every VM is released once its jobs are gone.
struct ShutdownRequested {
  static constexpr std::string_view k_name = "shutdown_requested";
  Actor actor;
  bool cancel_jobs = false;  ///< false: refused while jobs hold nodes
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("cancel_jobs", s.cancel_jobs);
  }
};

/// A controller took over this journal; ends a shutdown that was asked for earlier.
struct ControllerStarted {
  static constexpr std::string_view k_name = "controller_started";
  template <class Self, class V>
  static void visit(Self&, V&&) {}
};

struct GangGranted {
  static constexpr std::string_view k_name = "gang_granted";
  GangId gang;
  std::vector<std::string> addresses;   ///< in the order of the command's VMs
  std::vector<Time> billed_since = {};  ///< in the same order; a time that is unset, or no times: from this event on
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("gang", s.gang);
    v("addresses", s.addresses);
    v("billed_since", s.billed_since);
  }
};

/// Why a cloud says no: each has its own reaction, so they are never mixed.
enum class Refusal : std::uint8_t {
  capacity,
  quota,
  throttled,
  fault,  ///< its own failure, or the network's: it may go over
  setup,  ///< who we are or what we ask for is wrong, and stays so until somebody changes it
};
template <>
struct EnumNames<Refusal> {
  static constexpr std::string_view names[] = {"capacity", "quota", "throttled", "fault", "setup"};
};

struct GangRefused {
  static constexpr std::string_view k_name = "gang_refused";
  GangId gang;
  Refusal refusal = Refusal::fault;
  std::string message;
  Duration retry_after;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("gang", s.gang);
    v("refusal", s.refusal);
    v("message", s.message);
    v("retry_after", s.retry_after);
  }
};

/// The engine's agent answers from the node.
struct VmReady {
  static constexpr std::string_view k_name = "vm_ready";
  VmId vm;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("vm", s.vm);
  }
};

/// The VM is dead or unusable: it did not boot, or was lost.
struct VmFailed {
  static constexpr std::string_view k_name = "vm_failed";
  VmId vm;
  std::string message;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("vm", s.vm);
    v("message", s.message);
  }
};

/// Nothing of the VM is left, and nothing of it is billed.
struct VmReleased {
  static constexpr std::string_view k_name = "vm_released";
  VmId vm;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("vm", s.vm);
  }
};

struct JobStarted {
  static constexpr std::string_view k_name = "job_started";
  JobId job;
  std::uint32_t incarnation = 0;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("incarnation", s.incarnation);
  }
};

/// The job never ran: nothing of it was executed (output file not writable, interpreter missing, user unknown …).
struct JobLaunchFailed {
  static constexpr std::string_view k_name = "job_launch_failed";
  JobId job;
  std::uint32_t incarnation = 0;
  std::string message;
  bool job_at_fault = true;  ///< false: the nodes are, and the job is worth another try
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("incarnation", s.incarnation);
    v("message", s.message);
    v("job_at_fault", s.job_at_fault);
  }
};

/// The job's script ended and no process of the job is left on any of its living nodes.
struct JobEnded {
  static constexpr std::string_view k_name = "job_ended";
  JobId job;
  std::uint32_t incarnation = 0;
  ExitStatus exit;
  Usage usage;
  std::string unsaved = {};  ///< why files that it wrote may be missing from the storage; empty: none are
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("incarnation", s.incarnation);
    v("exit", s.exit);
    v("usage", s.usage);
    v("unsaved", s.unsaved);
  }
};

/// A deadline that the brain named has come.
struct TimerFired {
  static constexpr std::string_view k_name = "timer_fired";
  template <class Self, class V>
  static void visit(Self&, V&&) {}
};

/// The cloud will take a spot VM back at `at`; a notice that came late has an `at` that is over.
struct VmEvicting {
  static constexpr std::string_view k_name = "vm_evicting";
  VmId vm;
  Time at;
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("vm", s.vm);
    v("at", s.at);
  }
};

/// The node's agent answers, but a health check of it failed: as the VM came up (instead of VmReady), or after a job.
/// What was asked for is written anew (scontrol update): of a job that waits all of it, of one that has begun what it
/// is called and how long it may take (brain/job_change.hpp).
struct JobChanged {
  static constexpr std::string_view k_name = "job_changed";
  Actor actor;
  JobId job;
  JobSpec spec;
  std::uint32_t task = k_no_array_task;  ///< only this task of the array `job`; none: the job, or the whole array
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("job", s.job);
    v("spec", s.spec);
    v("task", s.task);
  }
};

struct VmUnhealthy {
  static constexpr std::string_view k_name = "vm_unhealthy";
  VmId vm;
  std::uint32_t round = 0;  ///< the VM's checks are numbered from 1: the same one told again says nothing new
  std::string check;        ///< its name, such as gpu_count
  std::string message;      ///< what was measured, and what was expected
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("vm", s.vm);
    v("round", s.round);
    v("check", s.check);
    v("message", s.message);
  }
};

/// What an engine learns of an incarnation only after it has ended: what its script used, and all of its steps, with
/// their times. Told at least once; told again it changes nothing.
struct JobAccounted {
  static constexpr std::string_view k_name = "job_accounted";
  JobId job;
  std::uint32_t incarnation = 0;
  Usage usage;
  std::vector<Step> steps;  ///< in their order; their ids are the engine's, and not kept
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("incarnation", s.incarnation);
    v("usage", s.usage);
    v("steps", s.steps);
  }
};

/// A partition takes jobs, or starts them, or not (scontrol update). The configuration's next change undoes it.
struct PartitionUpdated {
  static constexpr std::string_view k_name = "partition_updated";
  Actor actor;
  std::string partition;
  bool up = true;          ///< its waiting jobs are started
  bool takes_jobs = true;  ///< jobs may be submitted to it
  Duration max_time = Duration::infinite();
  Duration default_time = Duration::infinite();
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("actor", s.actor);
    v("partition", s.partition);
    v("up", s.up);
    v("takes_jobs", s.takes_jobs);
    v("max_time", s.max_time);
    v("default_time", s.default_time);
  }
};

using EventBody = std::variant<ConfigChanged, JobSubmitted, JobActed, NodeUpdated, StepStarted, StepEnded,
                               CheckpointDone, ShutdownRequested, ControllerStarted, GangGranted, GangRefused, VmReady,
                               VmFailed, VmReleased, JobStarted, JobLaunchFailed, JobEnded, TimerFired, VmEvicting,
                               VmUnhealthy, JobAccounted, JobChanged, PartitionUpdated>;

struct Event {
  Time at;
  EventBody body;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("at", s.at);
    v("body", s.body);
  }
};

inline std::string_view name_of(const EventBody& body) {
  return std::visit([](const auto& b) { return std::decay_t<decltype(b)>::k_name; }, body);
}

}  // namespace virga
