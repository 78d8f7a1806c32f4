// The agent's loop: sockets, signals, deadlines.
#include "engines/local/agent.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "engines/local/process_tree.hpp"
#include "engines/local/storage_mounts.hpp"
#include "wire/unix_address.hpp"

namespace virga {
namespace {

constexpr int k_backlog = 1024;
constexpr int k_peers_max = 4096;
constexpr int k_stray_round_ms = 10;

}  // namespace

Agent::Agent(AgentSettings settings)
    : settings_(std::move(settings)), notices_(settings_.metadata, settings_.notice_times), health_(settings_.health) {}

Agent::~Agent() {
  if (listener_ >= 0) close(listener_);
  if (signals_ >= 0) close(signals_);
}

Status Agent::listen() {
  // If a supervisor dies before its processes, they come to us and not to a process that knows nothing of them.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  const std::string path = settings_.home.agent_socket(settings_.vm);
  const Result<sockaddr_un> address = unix_address(path);
  if (!address) return unexpected(address.error());
  mkdir(settings_.home.run().c_str(), 0755);
  mkdir(settings_.home.agents().c_str(), 0755);
  unlink(path.c_str());
  listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  mode_t before = umask(0);  // every user may connect; who may do what is decided by the peer's credentials
  bool bound = listener_ >= 0 && bind(listener_, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0 &&
               ::listen(listener_, k_backlog) == 0;
  int error = errno;
  umask(before);
  if (signals_ < 0 || !bound) return fail(Code::internal, "cannot listen at " + path + ": " + std::strerror(error));
  return {};
}

void Agent::run() {
  health_.begin(HealthDesk::Extent::full);
  while (!stopping_) serve_once();
  shut_down();
}

int Agent::timeout_ms() const {
  if (strays_) return k_stray_round_ms;
  std::optional<Clock::time_point> next;
  for (const auto& [key, job] : jobs_) {
    for (const auto& due : {job.hold_deadline, job.save_deadline}) {
      if (due && (!next || *due < *next)) next = due;
    }
  }
  if (auto due = notices_.due(); due && (!next || *due < *next)) next = due;
  if (!next) return -1;
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*next - Clock::now()).count() + 1;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void Agent::serve_once() {
  struct Source {
    Peer* peer;
    std::map<JobKey, BoundJob>::iterator job;
    Supervisor* supervisor;
  };
  notices_.turn(Clock::now(), any_job());
  std::vector<pollfd> fds = {{signals_, POLLIN, 0},
                             {listener_, POLLIN, 0},
                             {notices_.fd(), notices_.poll_events(), 0},
                             {health_.fd(), health_.poll_events(), 0},
                             {storage_.fd(), POLLIN, 0}};
  const std::size_t first = fds.size();
  std::vector<Source> sources(first, {nullptr, jobs_.end(), nullptr});
  for (Peer& peer : peers_) {
    fds.push_back({peer.channel.fd(), peer.channel.poll_events(), 0});
    sources.push_back({&peer, jobs_.end(), nullptr});
  }
  for (auto it = jobs_.begin(); it != jobs_.end(); ++it) {
    for (Supervisor& supervisor : it->second.supervisors) {
      fds.push_back({supervisor.channel.fd(), supervisor.channel.poll_events(), 0});
      sources.push_back({nullptr, it, &supervisor});
    }
  }
  if (poll(fds.data(), fds.size(), timeout_ms()) < 0 && errno != EINTR) return;
  if (fds[0].revents != 0) read_signals();
  if (fds[2].revents != 0) read_notices();
  if (fds[4].revents != 0) {
    if (const auto answer = storage_.read()) storage_said(*answer);
  }
  // Supervisors first: an engine's "forget" must not remove a job that still has something to say. Removal of what a
  // later entry points to happens only at the end of this turn or, for jobs, in read_peer(), after all supervisors.
  for (std::size_t i = first; i < fds.size(); ++i) {
    if (sources[i].supervisor == nullptr || fds[i].revents == 0) continue;
    if ((fds[i].revents & POLLOUT) != 0) sources[i].supervisor->channel.flush();
    if ((fds[i].revents & ~POLLOUT) != 0) {
      read_supervisor(sources[i].job->first, sources[i].job->second, *sources[i].supervisor);
    }
  }
  for (auto& [key, job] : jobs_) job.supervisors.remove_if([](const Supervisor& s) { return s.done; });
  for (std::size_t i = first; i < fds.size(); ++i) {
    if (sources[i].peer == nullptr || fds[i].revents == 0) continue;
    if ((fds[i].revents & POLLOUT) != 0) sources[i].peer->channel.flush();
    if ((fds[i].revents & ~POLLOUT) != 0) read_peer(*sources[i].peer);
  }
  peers_.remove_if([](const Peer& peer) { return peer.handed_over || peer.channel.broken(); });
  if (fds[1].revents != 0) accept_peers();
  check_deadlines();
  if (strays_) hunt_strays();
  for (auto& [key, job] : jobs_) check_over(key, job);
  // Last: what waited may be served now, and adds jobs and supervisors.
  if (fds[3].revents != 0) read_health();
}

void Agent::accept_peers() {
  for (;;) {
    int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (peers_.size() >= k_peers_max || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
      close(fd);
      continue;
    }
    bool engine = credentials.uid == 0 || credentials.uid == geteuid();
    // A user without a job here has nothing to say; his bytes are not even read.
    bool owner = std::any_of(jobs_.begin(), jobs_.end(),
                             [&](const auto& entry) { return entry.second.binding.job.owner.uid == credentials.uid; });
    if (!engine && !owner) {
      FrameChannel(fd).send(StartAnswer{false, "you have no job on node " + settings_.node_name});
      continue;
    }
    peers_.push_back({FrameChannel(fd), credentials.uid, engine, false, 0, {}, std::nullopt, false});
  }
}

void Agent::read_signals() {
  signalfd_siginfo info{};
  while (read(signals_, &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) stopping_ = true;
  }
  // How supervisors end is told by their sockets; here only their zombies, and those of strays, are collected.
  for (pid_t pid; (pid = waitpid(-1, nullptr, WNOHANG)) > 0;) {
    hung_savers_.erase(pid);
    const auto lost = storage_.child_ended(pid);
    if (lost && !stopping_) storage_said(*lost);
  }
}

void Agent::read_peer(Peer& peer) {
  bool alive = peer.channel.receive();
  auto message = peer.channel.next();
  for (; message && *message; message = peer.channel.next()) {
    handle(peer, std::move(**message));
    if (peer.handed_over) return;
  }
  if (alive && message) return;
  if (!message)
    std::fprintf(stderr, "virga-node agent: dropped a peer (uid %u): %s\n", peer.uid, message.error().message.c_str());
  peer.handed_over = true;  // removed at the end of the turn
  if (!peer.holds) return;
  if (auto it = jobs_.find(*peer.holds); it != jobs_.end()) allocation_over(it->first, it->second, {1, 0});
}

void Agent::read_supervisor(const JobKey& key, BoundJob& job, Supervisor& supervisor) {
  bool alive = supervisor.channel.receive();
  for (auto message = supervisor.channel.next(); message && *message; message = supervisor.channel.next()) {
    supervisor_said(key, job, supervisor, **message);
  }
  if (!alive && !supervisor.done) supervisor_lost(key, job, supervisor);
}

void Agent::check_deadlines() {
  const auto now = Clock::now();
  for (auto& [key, job] : jobs_) {
    if (job.save_deadline && *job.save_deadline <= now) give_up_saving(job);
    if (!job.hold_deadline || *job.hold_deadline > now) continue;
    std::fprintf(stderr, "virga-node agent: nobody came for allocation %u\n", key.job.value);
    allocation_over(key, job, {1, 0});
  }
}

void Agent::read_notices() {
  for (const NodeNotice& notice : notices_.read()) {
    std::fprintf(stderr, "virga-node agent: the cloud ends this node: %s, event %s\n",
                 std::string(name_of(notice.kind)).c_str(), notice.event.c_str());
    if (tell_engines(notice)) notices_.told(Clock::now());
  }
}

void Agent::read_health() {
  const bool was_first = health_.is_first();
  if (!health_.read()) return;
  if (health_.sick()) tell_engines(*health_.sick());
  for (Peer& peer : peers_) {
    if (was_first && peer.said_hello && !peer.handed_over) welcome(peer);
    serve_waiting(peer);
  }
}

void Agent::storage_said(const StorageMounted& answer) {
  if (!answer.ok) std::fprintf(stderr, "virga-node agent: %s\n", answer.message.c_str());
  for (const Storage& one : storage_.mounted()) {
    if (one.checkpoints) settings_.checkpoints = one.mount + "/virga-checkpoints";
  }
  tell_engines(answer);
}

bool Agent::any_job() const {
  return std::any_of(jobs_.begin(), jobs_.end(), [](const auto& entry) { return !entry.second.over; });
}

/// Our children that are neither supervisors nor the watcher nor the checker were left by one that died; none of them
/// may live.
void Agent::hunt_strays() {
  std::set<pid_t> supervisors = {notices_.pid(), health_.pid()};
  for (const pid_t pid : storage_.helpers()) supervisors.insert(pid);
  supervisors.insert(hung_savers_.begin(), hung_savers_.end());
  for (const auto& [key, job] : jobs_) {
    for (const Supervisor& supervisor : job.supervisors) supervisors.insert(supervisor.pid);
  }
  SignalCount count = kill_descendants(getpid(), supervisors);
  strays_ = count.sent > 0;
}

/// The node goes down: end every job, and leave when the last supervisor has.
void Agent::shut_down() {
  notices_.end();
  health_.end();
  for (auto& [key, job] : jobs_) {
    job.ending = true;
    end_supervisors(job, SIGKILL, false, Reason::none);
  }
  unlink(settings_.home.agent_socket(settings_.vm).c_str());
  for (;;) {
    bool left = strays_;
    for (const auto& [key, job] : jobs_) left = left || !job.supervisors.empty();
    if (!left) break;
    serve_once();
  }
  unmount_storage(storage_.mounted());
}

}  // namespace virga
