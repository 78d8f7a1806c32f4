// What the engine's and srun's messages do to the jobs of a node.
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "engines/local/agent.hpp"
#include "engines/local/storage_mounts.hpp"

namespace virga {
namespace {

/// How long a granted allocation waits for its srun.
constexpr auto k_hold_wait = std::chrono::seconds(60);
/// A helper that saves keeps to its limit by itself, unless it hangs.
constexpr auto k_save_answer_wait = std::chrono::milliseconds(500);

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

Usage sum(const Usage& a, const Usage& b) {
  return {a.user_cpu + b.user_cpu, a.system_cpu + b.system_cpu, std::max(a.max_rss_bytes, b.max_rss_bytes)};
}

/// Of one that waits.
JobKey job_of(const AgentMessage& message) {
  const auto* bind = std::get_if<BindJob>(&message);
  return bind != nullptr ? bind->binding.key() : std::get<LaunchJob>(message).binding.key();
}

}  // namespace

void Agent::handle(Peer& peer, AgentMessage message) {
  if (stopping_) return;
  if (const auto* hello = std::get_if<AgentHello>(&message)) {
    if (hello->version != k_agent_protocol_version || !peer.is_engine || hello->term < term_) {
      peer.handed_over = true;
      return;
    }
    peer.said_hello = true;
    peer.term = hello->term;
    term_ = hello->term;
    for (Peer& other : peers_) {
      if (other.said_hello && other.term < term_) other.handed_over = true;  // a leader of before: hang up
    }
    if (!health_.is_first()) {
      if (health_.sick()) peer.channel.send(*health_.sick());
      welcome(peer);
    }
    return;
  }
  auto privileged = [&](const auto& m) {
    if (peer.is_engine && peer.term == term_) {
      on(peer, m);
    } else {
      peer.handed_over = true;  // not his business, or not any more: hang up
    }
  };
  std::visit(Overloaded{[&](const MountStorage& m) { privileged(m); }, [&](const BindJob& m) { privileged(m); },
                        [&](const LaunchJob& m) { privileged(m); }, [&](const SignalBound& m) { privileged(m); },
                        [&](const EndBound& m) { privileged(m); }, [&](const ForgetBound& m) { privileged(m); },
                        [&](const HoldJob& m) { on(peer, m); }, [&](const HoldDone& m) { on(peer, m); },
                        [&](const StartTasks& m) { on(peer, m); }, [&](const auto&) { peer.handed_over = true; }},
             message);
}

void Agent::welcome(Peer& peer) {
  peer.channel.send(AgentWelcome{k_agent_protocol_version, settings_.vm, settings_.own_files});
  for (NodeNotice& notice : notices_.pending()) peer.channel.send(std::move(notice));
  notices_.told(Clock::now());
}

/// Whether there was any.
bool Agent::tell_engines(const AgentMessage& message) {
  bool any = false;
  for (Peer& peer : peers_) {
    if (!peer.said_hello || peer.handed_over) continue;
    peer.channel.send(message);
    any = true;
  }
  return any;
}

/// Forks a process that runs `run(channel)`, with a channel between it and us. Nothing if the system refuses.
template <class Run>
std::optional<Agent::Supervisor> Agent::fork_supervisor(bool is_batch, Run run) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return std::nullopt;
  pid_t pid = fork();
  if (pid == 0) {
    // Our copies of the other sockets are closed by run(): they must not be kept open, nor destroyed twice.
    run(FrameChannel(ends[1]));
    _exit(1);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return std::nullopt;
  }
  return Supervisor{pid, FrameChannel(ends[0]), is_batch};
}

void Agent::on(Peer& peer, const MountStorage& message) {
  if (std::getenv("VIRGA_HOST_TMP") != nullptr) {  // nothing may be mounted, and nobody added, where others see it
    peer.channel.send(StorageMounted{false,
                                     "its pool says shared_files = false, but it sees this machine's files; leave that "
                                     "out, or start virga-arm with --private-files",
                                     {}});
    return;
  }
  if (const auto answer = storage_.mount(message)) peer.channel.send(*answer);
}

/// Nothing to do where the node has the machine's users.
Status Agent::welcome_user(const JobBinding& binding) const {
  if (!settings_.own_files) return {};
  return NodeUsers("/etc").add(binding);
}

/// A job that is new here waits for checks that run, and for new ones on a node that is sick. True: it waits.
bool Agent::wait_for_health(Peer& peer, const JobKey& key, const AgentMessage& message) {
  if (jobs_.contains(key)) return false;
  if (!health_.is_busy() && health_.sick()) health_.begin(HealthDesk::Extent::brief);
  if (!health_.is_busy()) return false;
  peer.waiting.push_back(message);
  return true;
}

/// The checks are over: what has waited for them is done, or refused.
void Agent::serve_waiting(Peer& peer) {
  for (AgentMessage& message : std::exchange(peer.waiting, {})) {
    const JobKey key = job_of(message);
    if (health_.sick() && !jobs_.contains(key)) {
      const NodeSick& why = *health_.sick();
      peer.channel.send(LaunchAnswer{
          key, false, "node " + settings_.node_name + ": health: " + why.check + ": " + why.message, false});
    } else {
      handle(peer, std::move(message));
    }
  }
}

void Agent::drop_waiting(const JobKey& key) {
  for (Peer& peer : peers_) {
    std::erase_if(peer.waiting, [&](const AgentMessage& message) { return job_of(message) == key; });
  }
}

void Agent::on(Peer& peer, const BindJob& message) {
  const JobKey key = message.binding.key();
  if (wait_for_health(peer, key, message)) return;
  auto [it, is_new] = jobs_.try_emplace(key);
  BoundJob& job = it->second;
  if (is_new) {
    job.binding = message.binding;
    job.main_over = true;
    // The first node says why not; here steps would only lack a name for the user's id.
    if (Status known = welcome_user(message.binding); !known) {
      std::fprintf(stderr, "virga-node agent: %s\n", known.error().message.c_str());
    }
  }
  peer.channel.send(BindAnswer{key, !job.ending, job.ending ? "the job has been ended on this node" : ""});
}

void Agent::on(Peer& peer, const LaunchJob& message) {
  const JobKey key = message.binding.key();
  if (!message.again && wait_for_health(peer, key, message)) return;
  auto [it, is_new] = jobs_.try_emplace(key);
  BoundJob& job = it->second;
  if (!is_new) {
    // Given again: the same answers. Without one yet, it comes when the supervisor has it.
    if (job.answer) peer.channel.send(*job.answer);
    if (job.over) peer.channel.send(BoundEnded{key, job.exit, job.usage, job.unsaved});
    return;
  }
  job.binding = message.binding;
  job.is_first_node = true;
  if (message.again) {
    job.main_over = job.ending = true;
    job.exit = {0, SIGKILL};
  } else if (Status known = welcome_user(message.binding); !known) {
    job.main_over = job.ending = true;
    job.answer = LaunchAnswer{key, false, known.error().message, false};
    tell_engines(*job.answer);
  } else if (message.binding.job.spec->kind == JobKind::allocation) {
    arm_allocation(job, message);
  } else {
    launch_batch(job, message);
  }
}

void Agent::launch_batch(BoundJob& job, const LaunchJob& message) {
  auto supervisor = fork_supervisor(
      true, [&](FrameChannel channel) { run_batch_supervisor(std::move(channel), settings_, message); });
  if (supervisor) {
    job.touched = true;
    job.supervisors.push_back(std::move(*supervisor));
    return;
  }
  job.main_over = true;
  job.answer = LaunchAnswer{
      job.binding.key(), false,
      std::string("node ") + settings_.node_name + " cannot start processes: " + std::strerror(errno), false};
  tell_engines(*job.answer);
}

void Agent::arm_allocation(BoundJob& job, const LaunchJob& message) {
  // Where it may lie on storage, which may not answer, the steps do it: the agent waits for nothing.
  Status prepared =
      settings_.own_files ? Status() : prepare_checkpoint_dir(settings_, job.binding, message.payload.environment);
  if (!prepared) std::fprintf(stderr, "virga-node agent: %s\n", prepared.error().message.c_str());
  job.hold_deadline = Clock::now() + k_hold_wait;
  job.answer = LaunchAnswer{job.binding.key(), true, "", true};
  tell_engines(*job.answer);
}

void Agent::on(Peer&, const SignalBound& message) {
  auto it = jobs_.find(message.key);
  if (it == jobs_.end() || it->second.over) return;
  for (Supervisor& supervisor : it->second.supervisors) {
    const bool is_meant =
        message.step != k_no_step ? supervisor.step == message.step : supervisor.is_batch == message.batch_shell_only;
    if ((is_meant || message.whole_job) && !supervisor.is_saver) supervisor.channel.send(message);
  }
}

void Agent::on(Peer& peer, const EndBound& message) {
  drop_waiting(message.key);
  auto [it, is_new] = jobs_.try_emplace(message.key);
  BoundJob& job = it->second;
  if (is_new) {
    // Never heard of it, and now it may never start here: a launch that comes late is answered with this end.
    job.binding.job.id = message.key.job;
    job.binding.job.incarnation = message.key.incarnation;
    job.main_over = true;
    job.exit = {0, message.signal};
  }
  if (job.over) {
    peer.channel.send(BoundEnded{message.key, job.exit, job.usage, job.unsaved});
    return;
  }
  job.ending = true;
  end_supervisors(job, message.signal, false, message.why);
  if (job.is_first_node && job.binding.job.spec->kind == JobKind::allocation && !job.main_over) {
    for (Peer& other : peers_) {
      if (other.holds == message.key) other.channel.send(HoldRevoked{message.signal});
    }
    allocation_over(message.key, job, {0, message.signal});
  }
}

void Agent::on(Peer&, const ForgetBound& message) {
  drop_waiting(message.key);
  auto it = jobs_.find(message.key);
  if (it != jobs_.end() && it->second.over) jobs_.erase(it);
}

Status Agent::check_owner(const Peer& peer, const JobKey& key) const {
  auto it = jobs_.find(key);
  const std::string name = "job " + std::to_string(key.job.value);
  // One answer for "not here" and "not yours", so that nobody learns of others' jobs this way.
  if (it == jobs_.end() || (!peer.is_engine && it->second.binding.job.owner.uid != peer.uid)) {
    return fail(Code::denied, "you have no " + name + " on node " + settings_.node_name);
  }
  if (it->second.ending || it->second.over) return fail(Code::conflict, name + " is ending");
  return {};
}

void Agent::on(Peer& peer, const HoldJob& message) {
  Status allowed = check_owner(peer, message.key);
  auto it = jobs_.find(message.key);
  if (allowed && (!it->second.is_first_node || it->second.held || it->second.main_over ||
                  it->second.binding.job.spec->kind != JobKind::allocation)) {
    allowed =
        fail(Code::conflict, "job " + std::to_string(message.key.job.value) + " is not to be held here, or is held");
  }
  if (!allowed) {
    peer.channel.send(HoldAnswer{false, allowed.error().message});
    return;
  }
  it->second.held = true;
  it->second.hold_deadline.reset();
  peer.holds = message.key;
  peer.channel.send(HoldAnswer{true, ""});
}

void Agent::on(Peer& peer, const HoldDone& message) {
  if (!peer.holds) return;
  if (auto it = jobs_.find(*peer.holds); it != jobs_.end()) allocation_over(it->first, it->second, message.exit);
}

void Agent::allocation_over(const JobKey& key, BoundJob& job, ExitStatus exit) {
  if (job.main_over) return;
  job.main_over = true;
  job.hold_deadline.reset();
  job.exit = exit;
  // Ended from outside, the steps have had their signal, and may use the time that is left to them.
  if (!job.ending) end_supervisors(job, SIGKILL, true, Reason::none);
  job.ending = true;
  check_over(key, job);
}

void Agent::on(Peer& peer, const StartTasks& message) {
  Status allowed = check_owner(peer, message.key);
  if (allowed && (message.argv.empty() || message.tasks.empty())) {
    allowed = fail(Code::invalid, "a step needs a command and at least one task");
  }
  if (!allowed) {
    peer.channel.send(StartAnswer{false, allowed.error().message});
    return;
  }
  BoundJob& job = jobs_.find(message.key)->second;
  auto supervisor = fork_supervisor(false, [&](FrameChannel channel) {
    run_step_supervisor(std::move(channel), std::move(peer.channel), settings_, job.binding, message);
  });
  if (!supervisor) {
    peer.channel.send(
        StartAnswer{false, "node " + settings_.node_name + " cannot start processes: " + std::strerror(errno)});
    return;
  }
  job.touched = true;
  supervisor->step = message.step;
  job.supervisors.push_back(std::move(*supervisor));
  peer.handed_over = true;
}

void Agent::end_supervisors(BoundJob& job, std::uint32_t signal, bool steps_only, Reason why) {
  for (Supervisor& supervisor : job.supervisors) {
    if (supervisor.is_batch && steps_only) continue;
    supervisor.channel.send(EndBound{job.binding.key(), signal, why});
    // One that has not launched its script yet may hang in the user's files and not listen: its end is told by its
    // socket.
    if (signal == SIGKILL && supervisor.is_batch && !job.answer) kill(supervisor.pid, SIGKILL);
  }
}

void Agent::supervisor_said(const JobKey& key, BoundJob& job, Supervisor& supervisor, const AgentMessage& message) {
  if (const auto* answer = std::get_if<LaunchAnswer>(&message)) {
    job.answer = *answer;
    tell_engines(*answer);
    if (!answer->ok) job.ending = true;
    return;
  }
  if (const auto* saved = std::get_if<StorageSaved>(&message)) {
    job.unsaved = saved->trouble;
    supervisor.done = true;
    job.save_deadline.reset();
    return;
  }
  const auto* ended = std::get_if<BoundEnded>(&message);
  if (ended == nullptr) return;
  job.usage = sum(job.usage, ended->usage);
  supervisor.done = true;
  if (!supervisor.is_batch) return;
  job.exit = ended->exit;
  job.main_over = true;
  job.ending = true;
  end_supervisors(job, SIGKILL, true, Reason::none);
  (void)key;
}

/// A supervisor died without its last word: its processes are our children now.
void Agent::supervisor_lost(const JobKey& key, BoundJob& job, Supervisor& supervisor) {
  supervisor.done = true;
  if (supervisor.is_saver) {
    job.unsaved = "the process that saves what it wrote died";
    job.save_deadline.reset();
    return;
  }
  strays_ = true;
  std::fprintf(stderr, "virga-node agent: lost a supervisor of job %u\n", key.job.value);
  if (!supervisor.is_batch) return;
  unlink(script_path_of(settings_, key.job).c_str());
  if (!job.answer) {
    job.answer =
        LaunchAnswer{key, false, "the job was ended while it was being started on " + settings_.node_name, false};
    tell_engines(*job.answer);
  }
  job.exit = {0, SIGKILL};
  job.main_over = true;
  job.ending = true;
  end_supervisors(job, SIGKILL, true, Reason::none);
}

void Agent::check_over(const JobKey& key, BoundJob& job) {
  if (job.over || strays_ || !job.main_over || !job.ending) return;
  bool working = std::any_of(job.supervisors.begin(), job.supervisors.end(), [](const auto& s) { return !s.done; });
  if (working) return;
  if (begin_saving(job)) return;
  if (!job.unsaved.empty()) job.unsaved = "node " + settings_.node_name + ": " + job.unsaved;
  job.over = true;
  if (job.touched && !stopping_) health_.begin(HealthDesk::Extent::brief);
  if (job.binding.job.spec->kind == JobKind::allocation) drop_empty_checkpoint_dir(settings_, key.job);
  tell_engines(BoundEnded{key, job.exit, job.usage, job.unsaved});
}

/// What it wrote must be home before anybody hears of its end: the node may be gone a moment later.
bool Agent::begin_saving(BoundJob& job) {
  if (storage_.mounted().empty() || !job.touched || job.saving) return false;
  job.saving = true;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  SaveRequest request{storage_.mounted(), "", {}};
  if (job.is_first_node) request.empty_folder = settings_.checkpoints + "/" + std::to_string(job.binding.job.id.value);
  request.limit =
      storage_.save_limit(notices_.pending(), Time{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()});
  auto saver = fork_supervisor(false, [&](FrameChannel channel) { run_storage_saver(std::move(channel), request); });
  if (!saver) {
    job.unsaved = std::string("cannot start processes: ") + std::strerror(errno);
    return false;
  }
  saver->is_saver = true;
  job.save_deadline = Clock::now() + request.limit + k_save_answer_wait;
  job.supervisors.push_back(std::move(*saver));
  return true;
}

/// A system call on storage that does not answer can hang so that no signal ends it.
void Agent::give_up_saving(BoundJob& job) {
  job.save_deadline.reset();
  for (Supervisor& supervisor : job.supervisors) {
    if (!supervisor.is_saver) continue;
    kill(supervisor.pid, SIGKILL);
    hung_savers_.insert(supervisor.pid);
    supervisor.done = true;
    job.unsaved = "the storage did not answer in time";
  }
  job.supervisors.remove_if([](const Supervisor& s) { return s.is_saver; });
}

}  // namespace virga
