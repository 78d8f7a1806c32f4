// What the local engine and srun say to the agent of a node, and the frames that carry it.
//
// One Unix stream socket per pair; a frame is a u32 length and the canonical bytes (core/binary.hpp) of an
// AgentMessage. Both ends are built from the same sources; AgentHello carries the version, and an agent of another
// version refuses.
//
//   engine → agent: AgentHello, MountStorage, BindJob, LaunchJob, SignalBound, EndBound, ForgetBound
//   agent → engine: AgentWelcome, StorageMounted, BindAnswer, LaunchAnswer, BoundEnded, NodeNotice, NodeSick
//   srun   → agent: HoldJob, HoldDone | StartTasks, … (step_protocol.hpp)
//   agent → srun:   HoldAnswer, HoldRevoked | StartAnswer, … (step_protocol.hpp)
//   the agent's helpers → agent: StorageMounted, StorageSaved
//   the agent's watcher → agent: NodeNotice, NoticeOver;  agent → watcher: ApproveNotice
//   the agent's checker → agent: HealthChecked
//
// Who may say what is decided by the socket's peer credentials: the engine's messages only by root and the agent's own
// user, srun's also by the user whose job is bound on the node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "core/job.hpp"
#include "core/storage.hpp"
#include "wire/step_protocol.hpp"

namespace virga {

inline constexpr std::uint32_t k_agent_protocol_version = 4;
/// A script of more than 10 MB and an environment of 20,000 variables fit well.
inline constexpr std::uint32_t k_agent_frame_bytes_max = 64U << 20;

/// A job as a node must know it: whose it is, and what its environment is made of.
struct JobBinding {
  Job job;
  std::vector<std::uint32_t> groups;     ///< supplementary groups of the owner
  std::vector<std::string> group_names;  ///< in the same order
  std::string home_dir;
  std::string shell;
  std::string submit_host;

  JobKey key() const { return {job.id, job.incarnation}; }
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("job", s.job);
    v("groups", s.groups);
    v("group_names", s.group_names);
    v("home_dir", s.home_dir);
    v("shell", s.shell);
    v("submit_host", s.submit_host);
  }
};

/// The agent drops engines of a lower term than the highest one it heard of: what they say comes too late.
struct AgentHello {
  std::uint32_t version = k_agent_protocol_version;
  std::uint64_t term = 0;  ///< of the controller that leads; 0 where there is one only

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version);
    v("term", s.term);
  }
};

struct AgentWelcome {
  std::uint32_t version = k_agent_protocol_version;
  VmId vm;
  bool own_files = false;  ///< it wants to be told what to mount, and is ready once that is done

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version);
    v("vm", s.vm);
    v("own_files", s.own_files);
  }
};

/// One of Config::storage, with what it takes to get in.
struct StorageMount {
  Storage storage;
  std::string access;  ///< of a container with a key: a query string that opens this container and nothing else

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("storage", s.storage);
    v("access", s.access);
  }
};

/// Mount all of this. Again: only the answer.
struct MountStorage {
  std::vector<StorageMount> mounts;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("mounts", s.mounts);
  }
};

struct StorageMounted {
  bool ok = false;
  std::string message;                 ///< why not
  std::vector<std::uint32_t> helpers;  ///< processes that serve the mounts

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("ok", s.ok);
    v("message", s.message);
    v("helpers", s.helpers);
  }
};

/// What was written to the storage has reached it, or why that is not certain.
struct StorageSaved {
  std::string trouble;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("trouble", s.trouble);
  }
};

/// Make a job known on a node that is not its first. Again for a known one: the same answer.
struct BindJob {
  JobBinding binding;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("binding", s.binding);
  }
};

struct BindAnswer {
  JobKey key;
  bool ok = false;
  std::string message;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key);
    v("ok", s.ok);
    v("message", s.message);
  }
};

/// Bind, and start the script, or arm the allocation, on the job's first node.
struct LaunchJob {
  JobBinding binding;
  LaunchPayload payload;
  bool again = false;  ///< it was launched before: an agent that does not know it must not launch it

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("binding", s.binding);
    v("payload", s.payload);
    v("again", s.again);
  }
};

/// Also a node that is not the first says so, when it cannot take part.
struct LaunchAnswer {
  JobKey key;
  bool ok = false;
  std::string message;  ///< why not
  bool job_at_fault = true;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key);
    v("ok", s.ok);
    v("message", s.message);
    v("job_at_fault", s.job_at_fault);
  }
};

struct SignalBound {
  JobKey key;
  std::uint32_t signal = 0;
  bool batch_shell_only = false;   ///< else the processes of its steps
  std::uint32_t step = k_no_step;  ///< only of this one
  bool whole_job = false;          ///< the batch shell, all that it started, and the steps

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key);
    v("signal", s.signal);
    v("batch_shell_only", s.batch_shell_only);
    v("step", s.step);
    v("whole_job", s.whole_job);
  }
};

/// Signal every process, let nothing new start; 9 kills until none is left. Answered by BoundEnded once nothing of
/// the job is left on the node, at once for a job that the node never heard of: that one may never start here.
struct EndBound {
  JobKey key;
  std::uint32_t signal = 15;
  Reason why = Reason::none;  ///< told in the job's standard error

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key);
    v("signal", s.signal);
    v("why", s.why);
  }
};

/// The job is over on this node and no process of it is left.
struct BoundEnded {
  JobKey key;
  ExitStatus exit;           ///< of the script or the allocation
  Usage usage;               ///< of all its processes on this node
  std::string unsaved = {};  ///< why what it wrote may be missing from the storage

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key);
    v("exit", s.exit);
    v("usage", s.usage);
    v("unsaved", s.unsaved);
  }
};

struct ForgetBound {
  JobKey key;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key);
  }
};

/// An allocation lives as long as the connection that holds it.
struct HoldJob {
  JobKey key;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key);
  }
};

struct HoldAnswer {
  bool ok = false;
  std::string message;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("ok", s.ok);
    v("message", s.message);
  }
};

struct HoldDone {
  ExitStatus exit;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("exit", s.exit);
  }
};

/// The allocation was ended from outside (scancel, time limit, node failure).
struct HoldRevoked {
  std::uint32_t signal = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("signal", s.signal);
  }
};

enum class NoticeKind : std::uint8_t { preempt, terminate, redeploy, reboot };
template <>
struct EnumNames<NoticeKind> {
  static constexpr std::string_view names[] = {"preempt", "terminate", "redeploy", "reboot"};
};

/// The cloud says when this node ends. Told to every engine that says hello while it is pending; the same event again
/// says nothing new.
struct NodeNotice {
  std::string event;  ///< the cloud's id of it
  NoticeKind kind = NoticeKind::preempt;
  Time at;  ///< not before this

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("event", s.event);
    v("kind", s.kind);
    v("at", s.at);
  }
};

/// The event was called off.
struct NoticeOver {
  std::string event;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("event", s.event);
  }
};

/// Nothing is left on the node that the event could harm: the cloud may go on at once.
struct ApproveNotice {
  std::string event;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("event", s.event);
  }
};

/// The node's last health check failed. Told to every engine that says hello meanwhile, before it is welcomed.
struct NodeSick {
  std::uint32_t round = 0;  ///< the node's checks are numbered from 1
  std::string check;
  std::string message;  ///< what was measured, and what was expected

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("round", s.round);
    v("check", s.check);
    v("message", s.message);
  }
};

/// What a round of health checks came to; an empty check: all is well.
struct HealthChecked {
  std::string check;
  std::string message;
  std::map<std::string, std::uint64_t> link_downs;  ///< by InfiniBand port, since the node started

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("check", s.check);
    v("message", s.message);
    v("link_downs", s.link_downs);
  }
};

using AgentMessage =
    std::variant<AgentHello, AgentWelcome, BindJob, BindAnswer, LaunchJob, LaunchAnswer, SignalBound, EndBound,
                 BoundEnded, ForgetBound, HoldJob, HoldAnswer, HoldDone, HoldRevoked, StartTasks, StartAnswer,
                 TaskInput, TaskInputTaken, SignalTasks, TaskOutput, TaskEnded, StepGone, NodeNotice, NoticeOver,
                 ApproveNotice, NodeSick, HealthChecked, MountStorage, StorageMounted, StorageSaved, WindowSize>;

std::string encode_frame(const AgentMessage& message);

/// Cuts a stream of bytes into messages.
///
///   reader.feed(bytes);
///   while (auto message = reader.next()) if (!*message) break; else …
class FrameReader {
 public:
  void feed(std::string_view bytes);
  /// The next whole message; nothing if more bytes are needed; Code::corrupt if the stream makes no sense.
  Result<std::optional<AgentMessage>> next();

 private:
  std::string bytes_;
  std::size_t start_ = 0;
};

}  // namespace virga
