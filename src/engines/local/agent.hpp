// The agent of one virtual node: knows the jobs bound there, forks a supervisor for each script and step, answers the
// engine and srun. One thread, poll(), no waiting for anything else: whatever may block is done by supervisors.
//
//   Agent agent(settings);
//   if (Status ok = agent.listen(); !ok) …
//   agent.run();                       // until SIGTERM; then every process of every job is ended first
//
// A job's life here:  (unknown) → bound → over → (forgotten)
//  * `over` is reached when the script or allocation has ended (first node) or the engine said EndBound (any node), and
//    every supervisor has said BoundEnded. The result is kept until ForgetBound, so the engine may ask again.
//  * Where nodes are checked, no engine is welcomed before the first checks are over, and a job that is new here waits
//    while checks run: they begin when a job ends that had processes here. On a sick node they are done once more for
//    a new job, which is refused if they fail again.
//  * poll() and not epoll: an epoll set would be shared with every forked supervisor.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engines/local/health_desk.hpp"
#include "engines/local/node_users.hpp"
#include "engines/local/notice_desk.hpp"
#include "engines/local/storage_desk.hpp"
#include "engines/local/supervisor.hpp"

namespace virga {

class Agent {
 public:
  explicit Agent(AgentSettings settings);
  ~Agent();

  Status listen();
  void run();

 private:
  using Clock = std::chrono::steady_clock;

  struct Supervisor {
    pid_t pid = -1;
    FrameChannel channel;
    bool is_batch = false;
    std::uint32_t step = k_no_step;  ///< whose processes it has; none: the script's
    bool done = false;               ///< has said BoundEnded, or is gone
    bool is_saver = false;           ///< no process of the job: it brings home what the job wrote
  };
  struct BoundJob {
    JobBinding binding;
    bool is_first_node = false;
    std::optional<LaunchAnswer> answer;  ///< of the launch, once known
    bool main_over = false;              ///< the script or the allocation has ended, or never was on this node
    bool ending = false;                 ///< nothing new may start
    bool over = false;
    bool touched = false;  ///< processes of it have been on this node
    bool held = false;     ///< an allocation whose client has come
    std::optional<Clock::time_point> hold_deadline;
    ExitStatus exit;
    Usage usage;
    bool saving = false;                             ///< or done with it
    std::optional<Clock::time_point> save_deadline;  ///< while it is
    std::string unsaved;
    std::list<Supervisor> supervisors;
  };
  struct Peer {
    FrameChannel channel;
    uid_t uid = 0;
    bool is_engine = false;             ///< may say what the engine says
    bool said_hello = false;            ///< is an engine, and wants to know how jobs do
    std::uint64_t term = 0;             ///< it said in its hello
    std::vector<AgentMessage> waiting;  ///< BindJob and LaunchJob until the checks of this node are over
    std::optional<JobKey> holds;
    bool handed_over = false;  ///< a supervisor has it now
  };

  // agent.cpp: the loop
  void serve_once();
  int timeout_ms() const;
  void accept_peers();
  void read_signals();
  void read_peer(Peer& peer);
  void read_supervisor(const JobKey& key, BoundJob& job, Supervisor& supervisor);
  void check_deadlines();
  void read_notices();
  void read_health();
  void welcome(Peer& peer);
  void storage_said(const StorageMounted& answer);
  bool any_job() const;
  void hunt_strays();
  void shut_down();

  // agent_jobs.cpp: what the messages do
  void handle(Peer& peer, AgentMessage message);
  void on(Peer& peer, const MountStorage& message);
  void on(Peer& peer, const BindJob& message);
  void on(Peer& peer, const LaunchJob& message);
  void on(Peer& peer, const SignalBound& message);
  void on(Peer& peer, const EndBound& message);
  void on(Peer& peer, const ForgetBound& message);
  void on(Peer& peer, const HoldJob& message);
  void on(Peer& peer, const HoldDone& message);
  void on(Peer& peer, const StartTasks& message);
  bool wait_for_health(Peer& peer, const JobKey& key, const AgentMessage& message);
  void serve_waiting(Peer& peer);
  void drop_waiting(const JobKey& key);
  Status check_owner(const Peer& peer, const JobKey& key) const;
  void launch_batch(BoundJob& job, const LaunchJob& message);
  void arm_allocation(BoundJob& job, const LaunchJob& message);
  void allocation_over(const JobKey& key, BoundJob& job, ExitStatus exit);
  void end_supervisors(BoundJob& job, std::uint32_t signal, bool steps_only, Reason why);
  void supervisor_said(const JobKey& key, BoundJob& job, Supervisor& supervisor, const AgentMessage& message);
  void supervisor_lost(const JobKey& key, BoundJob& job, Supervisor& supervisor);
  void check_over(const JobKey& key, BoundJob& job);
  bool begin_saving(BoundJob& job);
  void give_up_saving(BoundJob& job);
  Status welcome_user(const JobBinding& binding) const;
  bool tell_engines(const AgentMessage& message);
  template <class Run>
  std::optional<Supervisor> fork_supervisor(bool is_batch, Run run);

  AgentSettings settings_;
  int listener_ = -1;
  int signals_ = -1;
  bool stopping_ = false;
  bool strays_ = false;  ///< a supervisor died before its processes: they are ours now
  std::list<Peer> peers_;
  std::uint64_t term_ = 0;  ///< the highest one of an engine so far
  std::map<JobKey, BoundJob> jobs_;
  NoticeDesk notices_;
  HealthDesk health_;
  StorageDesk storage_;
  std::set<pid_t> hung_savers_;  ///< killed, but the kernel holds them as long as their storage does not answer
};

}  // namespace virga
