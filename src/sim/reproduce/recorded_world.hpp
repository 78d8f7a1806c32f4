// Cloud and engine that answer as the world did in a recorded run: the same grants and refusals, boots, deaths,
// notices, starts and ends, each at its recorded time, and each only if the controller has asked for it.
//
//   RecordedWorld world(run);
//   world.on_deviation = [&](std::string recorded, std::string simulated) { … };
//   controller.recover({&journal, &world, &world, &clock}, config);   // both ports are this one world
//   if (auto lacking = world.lacking(fact)) …                         // the controller has not asked for it
//   else controller.post(fact);
//
// It outlives the controllers, as a world does. What they ask for is compared with the run at once: the size of a gang
// with its grant, names and pools of its VMs and the nodes of a job, in rank order, with the accounts. Commands that
// are given again after a restart count once.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "ports/cloud.hpp"
#include "ports/engine.hpp"
#include "sim/reproduce/recorded_run.hpp"

namespace virga {

/// "job 7", "job 7 (restart 2)"
std::string job_text(JobId job, std::uint32_t incarnation);

/// What a controller decided, counted.
struct Decisions {
  std::uint64_t reservations = 0;
  std::uint64_t releases = 0;
  std::uint64_t starts = 0;
  std::uint64_t signals = 0;
  std::uint64_t ends = 0;

  std::uint64_t all() const { return reservations + releases + starts + signals + ends; }
};

class RecordedWorld : public Cloud, public Engine {
 public:
  /// `run` outlives it.
  explicit RecordedWorld(const RecordedRun& run);

  /// What the controller has not asked for, so that this fact of the run cannot come; nothing if it has.
  std::optional<std::string> lacking(const EventBody& fact) const;
  /// The next list() does not have these any more.
  void lose(std::set<VmId> vms) { lost_ = std::move(vms); }
  const Decisions& decisions() const { return decisions_; }
  /// What came so far was only asked again.
  void count_from_here() { decisions_ = {}; }

  /// The controller wants something else than in the run.
  std::function<void(std::string recorded, std::string simulated)> on_deviation;
  /// Sees each decision in words, while it is set.
  std::function<void(std::string)> on_decision;

  void reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) override;
  void release(VmId vm) override;
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>& known) override;
  void adopt(VmId) override {}  // its death is in the run, whoever watches
  Market market(const MarketQuery& query) override { return market_of_pools(query.pools); }

  std::string user_data(const WantedVm&, const Pool&) override { return "#!/bin/sh\n"; }
  void attach(VmId vm, const std::string&) override { attached_.insert(vm); }
  void detach(VmId) override {}
  void start(const StartJob& command, LaunchPayload payload) override;
  void signal(const SignalJob& command) override;
  void end(const EndJob& command) override;
  void forget(const ForgetJob&) override {}

 private:
  using Incarnation = std::pair<JobId, std::uint32_t>;
  struct Cause;

  void compare_gang(const ReserveGang& command);
  void compare_nodes(const StartJob& command);
  bool is_gone(VmId vm) const;
  bool is_over(JobId job, std::uint32_t incarnation) const;
  bool was_launched(Incarnation key) const;

  const RecordedRun& run_;
  std::map<GangId, std::size_t> granted_;  ///< how many VMs the run's cloud granted
  std::set<GangId> refused_;               ///< those that it refused
  std::set<GangId> reserved_;
  std::set<VmId> wanted_;
  std::set<VmId> attached_;
  std::set<VmId> released_;
  std::set<VmId> lost_;
  std::set<Incarnation> started_;
  std::set<std::pair<Incarnation, std::uint32_t>> ended_;  ///< with the signal
  Decisions decisions_;
};

}  // namespace virga
