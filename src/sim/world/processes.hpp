// What really runs on the simulated machines: agents that keep job processes, whoever controls them.
//
//   Processes processes(queue, machines, seed);
//   processes.start(command, payload);    // what happens then is written in the payload: see RunPlan
//   processes.end(command);
//   processes.on_ended = [&](const Run& run) { … };
//
// All of it goes on when no controller is there. Each incarnation leaves a record on its nodes, so that a second start
// starts nothing and an end keeps a later start from starting; the record is gone with the last of these nodes, or when
// it is forgotten. Calls cost the logarithm of the number of records, times the job's nodes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "core/command.hpp"
#include "sim/world/event_queue.hpp"
#include "sim/world/machines.hpp"

namespace virga {

/// What a job's script does; it travels as the payload's arguments.
struct RunPlan {
  Duration duration = {};
  std::uint32_t exit_code = 0;
  bool ignores_term = false;
  bool hangs_without_node = false;    ///< when another of its nodes dies: waits for ever, else fails soon
  std::uint32_t launch_failures = 0;  ///< so many incarnations cannot be started, by fault of the nodes
  bool cannot_start = false;          ///< nor any, by its own fault
  Duration checkpoint_every = {};     ///< 0: never

  LaunchPayload payload() const;
  static RunPlan from(const LaunchPayload& payload);
};

struct Run {
  enum class State : std::uint8_t { launching, running, ended };

  JobId job;
  std::uint32_t incarnation = 0;
  State state = State::launching;
  bool ran = false;           ///< its script has been started
  bool ended_itself = false;  ///< nobody killed it
  bool dying = false;         ///< it will be gone in a moment
  Job spec;                   ///< as the start command gave it
  RunPlan plan;
  std::vector<VmId> nodes;  ///< in rank order
  std::set<VmId> alive_on;  ///< nodes where processes of it are
  Time started;
  ExitStatus exit;
};

class Processes {
 public:
  using Key = std::pair<JobId, std::uint32_t>;

  Processes(EventQueue& queue, Machines& machines, std::uint64_t seed);

  enum class Answer : std::uint8_t {
    wait,            ///< it is being launched
    started,         ///< it runs
    ended,           ///< it has ended, or never will start
    nodes_at_fault,  ///< it cannot be launched here
    job_at_fault,
    lost,  ///< its first node is gone; what is left of it is being killed
  };
  Answer start(const StartJob& command, const LaunchPayload& payload);
  enum class EndAnswer : std::uint8_t { wait, gone };
  EndAnswer end(const EndJob& command);
  void forget(JobId job, std::uint32_t incarnation);

  const Run* find(JobId job, std::uint32_t incarnation) const;
  const std::map<Key, Run>& all() const { return runs_; }
  bool is_up(VmId vm) const;
  /// How many health checks of a sick node have failed; 0 of a healthy one.
  std::uint32_t failed_checks(VmId vm) const;
  int runs_of(JobId job) const;

  /// These go to whoever controls the nodes, and are empty while nobody does.
  std::function<void(const Run&)> on_started;
  std::function<void(const Run&)> on_ended;
  std::function<void(const Run&)> on_launch_failed;
  std::function<void(VmId)> on_up;
  std::function<void(VmId)> on_sick;
  /// These are for the one who watches the world.
  std::function<void(const Run&)> seen_start;
  std::function<void(const Run&)> seen_end;
  std::function<void(const Run&)> seen_forget;
  std::function<void(VmId, const Run&)> seen_stop_under;  ///< a node stopped while this ran on it

 private:
  void launch(Key key);
  void end_by_itself(Key key);
  void kill_soon(Run& run, Duration after, ExitStatus exit);
  void finish(Run& run, ExitStatus exit);
  void node_down(VmId vm);
  bool has_living_node(const std::vector<VmId>& nodes) const;

  EventQueue& queue_;
  Machines& machines_;
  Prng random_;
  std::map<Key, Run> runs_;
  std::map<JobId, int> executions_;
};

}  // namespace virga
