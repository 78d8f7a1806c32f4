#include "sim/reproduce/recorded_world.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/hostlist.hpp"

namespace virga {
namespace {

std::string nodes_text(const std::vector<JobNode>& nodes) {
  std::vector<std::string> names;
  for (const JobNode& node : nodes) names.push_back(node.name);
  return compress_hostlist(names);
}

/// The first rank whose node, or GPUs on it, are not the same; nothing if all are.
std::optional<std::size_t> first_other_rank(const std::vector<JobNode>& a, const std::vector<JobNode>& b) {
  for (std::size_t rank = 0; rank < std::max(a.size(), b.size()); ++rank) {
    if (rank >= a.size() || rank >= b.size()) return rank;
    if (a[rank].vm != b[rank].vm || a[rank].name != b[rank].name || a[rank].gpus != b[rank].gpus) return rank;
  }
  return std::nullopt;
}

std::string gang_text(const ReserveGang& command) {
  std::vector<std::string> names;
  for (const WantedVm& vm : command.vms) names.push_back(vm.name);
  return fmt::format("reserves gang {}: {} of pool {}", command.gang.value, compress_hostlist(names),
                     command.pool.name);
}

}  // namespace

std::string job_text(JobId job, std::uint32_t incarnation) {
  return incarnation == 0 ? fmt::format("job {}", job.value)
                          : fmt::format("job {} (restart {})", job.value, incarnation);
}

RecordedWorld::RecordedWorld(const RecordedRun& run) : run_(run) {
  for (const Event& event : run.events) {
    if (const auto* granted = std::get_if<GangGranted>(&event.body)) {
      granted_.emplace(granted->gang, granted->addresses.size());
    } else if (const auto* refused = std::get_if<GangRefused>(&event.body)) {
      refused_.insert(refused->gang);
    }
  }
}

// What the world tells only if it was asked ---------------------------------------------------------------------------

/// What each fact of cloud and engine follows from.
struct RecordedWorld::Cause {
  const RecordedWorld& world;

  static std::optional<std::string> unless(bool asked, std::string what) {
    return asked ? std::nullopt : std::optional(std::move(what));
  }
  std::optional<std::string> gang(GangId gang) const {
    const bool is_older = gang <= world.run_.start.brain.state().last_gang;
    return unless(is_older || world.reserved_.contains(gang), fmt::format("has not asked for gang {}", gang.value));
  }
  std::optional<std::string> vm(VmId vm) const {
    const bool is_older = vm <= world.run_.start.brain.state().last_vm;
    return unless(is_older || world.wanted_.contains(vm), fmt::format("has not asked for VM {}", vm.value));
  }
  std::optional<std::string> job(JobId job, std::uint32_t incarnation) const {
    return unless(world.is_over(job, incarnation) || world.was_launched({job, incarnation}),
                  "has not started " + job_text(job, incarnation));
  }

  std::optional<std::string> operator()(const GangGranted& e) const { return gang(e.gang); }
  std::optional<std::string> operator()(const GangRefused& e) const { return gang(e.gang); }
  std::optional<std::string> operator()(const VmReady& e) const {
    return unless(world.is_gone(e.vm) || world.attached_.contains(e.vm),
                  fmt::format("does not wait for VM {}", e.vm.value));
  }
  std::optional<std::string> operator()(const VmFailed& e) const { return vm(e.vm); }
  std::optional<std::string> operator()(const VmEvicting& e) const { return vm(e.vm); }
  std::optional<std::string> operator()(const VmUnhealthy& e) const { return vm(e.vm); }
  std::optional<std::string> operator()(const VmReleased& e) const {
    return unless(world.is_gone(e.vm) || world.released_.contains(e.vm),
                  fmt::format("has not released VM {}", e.vm.value));
  }
  std::optional<std::string> operator()(const JobStarted& e) const { return job(e.job, e.incarnation); }
  std::optional<std::string> operator()(const JobLaunchFailed& e) const { return job(e.job, e.incarnation); }
  std::optional<std::string> operator()(const JobEnded& e) const { return job(e.job, e.incarnation); }
  std::optional<std::string> operator()(const JobAccounted& e) const { return job(e.job, e.incarnation); }
  template <class Other>
  std::optional<std::string> operator()(const Other&) const {
    return std::nullopt;  // no fact of cloud or engine
  }
};

std::optional<std::string> RecordedWorld::lacking(const EventBody& fact) const {
  return std::visit(Cause{*this}, fact);
}

/// Gone before the run began: what comes of it is an echo.
bool RecordedWorld::is_gone(VmId vm) const {
  const State& before = run_.start.brain.state();
  return vm <= before.last_vm && !before.vms.contains(vm);
}

bool RecordedWorld::is_over(JobId job, std::uint32_t incarnation) const {
  const State& before = run_.start.brain.state();
  if (job > before.last_job) return false;
  const auto found = before.jobs.find(job);
  if (found == before.jobs.end() || incarnation < found->second.incarnation) return true;
  return incarnation == found->second.incarnation && found->second.launched;
}

bool RecordedWorld::was_launched(Incarnation key) const {
  const auto ended = ended_.lower_bound({key, 0});
  return started_.contains(key) || (ended != ended_.end() && ended->first == key);
}

// The cloud -----------------------------------------------------------------------------------------------------------

void RecordedWorld::reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>&) {
  if (!reserved_.insert(command.gang).second) return;
  for (const WantedVm& vm : command.vms) {
    wanted_.insert(vm.vm);
    if (refused_.contains(command.gang)) released_.insert(vm.vm);  // by the cloud itself, with its refusal
  }
  if (command.gang <= run_.start.brain.state().last_gang) return;
  ++decisions_.reservations;
  if (on_decision) on_decision(gang_text(command));
  compare_gang(command);
}

void RecordedWorld::compare_gang(const ReserveGang& command) {
  const auto granted = granted_.find(command.gang);
  if (granted != granted_.end() && granted->second != command.vms.size()) {
    return on_deviation(fmt::format("gang {} is granted with {} VMs", command.gang.value, granted->second),
                        gang_text(command));
  }
  for (const WantedVm& vm : command.vms) {
    const auto account = run_.vms.find(vm.vm);
    if (account == run_.vms.end()) continue;  // never granted, or not released before the run's end
    if (account->second.name == vm.name && account->second.pool == command.pool.name) continue;
    return on_deviation(fmt::format("VM {} is {} of pool {}", vm.vm.value, account->second.name, account->second.pool),
                        gang_text(command));
  }
}

void RecordedWorld::release(VmId vm) {
  if (!released_.insert(vm).second) return;
  ++decisions_.releases;
  if (on_decision) on_decision(fmt::format("releases VM {}", vm.value));
}

Result<std::vector<ListedVm>> RecordedWorld::list(const std::vector<KnownVm>& known) {
  std::vector<ListedVm> there;
  for (const KnownVm& vm : known) {
    if (!lost_.contains(vm.vm)) there.push_back({vm.vm, vm.pool, vm.address});
  }
  lost_.clear();
  return there;
}

// The engine ----------------------------------------------------------------------------------------------------------

void RecordedWorld::start(const StartJob& command, LaunchPayload) {
  const Job& job = command.job;
  if (!started_.insert({job.id, job.incarnation}).second) return;
  ++decisions_.starts;
  if (on_decision)
    on_decision(fmt::format("starts {} on {}", job_text(job.id, job.incarnation), nodes_text(job.nodes)));
  compare_nodes(command);
}

void RecordedWorld::compare_nodes(const StartJob& command) {
  const Job& job = command.job;
  const auto account = run_.jobs.find({job.id, job.incarnation});
  if (account == run_.jobs.end()) return;  // it has not ended by the run's end
  const auto other = first_other_rank(account->second.nodes, job.nodes);
  if (!other) return;
  const std::string name = job_text(job.id, job.incarnation);
  const auto words = [&](const std::vector<JobNode>& nodes) {
    if (nodes.empty()) return name + " never had nodes";
    std::string text = fmt::format("{} runs on {}", name, nodes_text(nodes));
    if (*other < nodes.size()) {
      const JobNode& node = nodes[*other];
      text += fmt::format("; rank {} is {}, VM {}, GPUs {{{}}}", *other, node.name, node.vm.value,
                          fmt::join(node.gpus, ","));
    }
    return text;
  };
  on_deviation(words(account->second.nodes), words(job.nodes));
}

void RecordedWorld::signal(const SignalJob& command) {
  ++decisions_.signals;
  if (!on_decision) return;
  on_decision(fmt::format("signals {} with {}", job_text(command.job, command.incarnation), command.signal));
}

void RecordedWorld::end(const EndJob& command) {
  if (!ended_.insert({{command.job, command.incarnation}, command.signal}).second) return;
  ++decisions_.ends;
  if (!on_decision) return;
  on_decision(fmt::format("ends {} with signal {}", job_text(command.job, command.incarnation), command.signal));
}

}  // namespace virga
