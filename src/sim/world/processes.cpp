#include "sim/world/processes.hpp"

#include <algorithm>
#include <charconv>

namespace virga {

namespace {

std::int64_t number_at(const std::vector<std::string>& words, std::size_t i) {
  std::int64_t number = 0;
  if (i < words.size()) std::from_chars(words[i].data(), words[i].data() + words[i].size(), number);
  return number;
}

}  // namespace

LaunchPayload RunPlan::payload() const {
  LaunchPayload payload;
  payload.script = "#!/bin/sh\n";
  for (std::int64_t n :
       {duration.ns, std::int64_t{exit_code}, std::int64_t{ignores_term}, std::int64_t{hangs_without_node},
        std::int64_t{launch_failures}, std::int64_t{cannot_start}, checkpoint_every.ns}) {
    payload.arguments.push_back(std::to_string(n));
  }
  return payload;
}

RunPlan RunPlan::from(const LaunchPayload& payload) {
  const auto at = [&](std::size_t i) { return number_at(payload.arguments, i); };
  return {.duration = {at(0)},
          .exit_code = static_cast<std::uint32_t>(at(1)),
          .ignores_term = at(2) != 0,
          .hangs_without_node = at(3) != 0,
          .launch_failures = static_cast<std::uint32_t>(at(4)),
          .cannot_start = at(5) != 0,
          .checkpoint_every = {at(6)}};
}

Processes::Processes(EventQueue& queue, Machines& machines, std::uint64_t seed)
    : queue_(queue), machines_(machines), random_(seed) {
  machines_.on_up = [this](VmId vm) {
    if (on_up) on_up(vm);
  };
  machines_.on_sick = [this](VmId vm) {
    if (on_sick) on_sick(vm);
  };
  machines_.on_down = [this](VmId vm) { node_down(vm); };
}

bool Processes::is_up(VmId vm) const {
  const Machine* machine = machines_.find(vm);
  return machine != nullptr && machine->up;
}

std::uint32_t Processes::failed_checks(VmId vm) const {
  const Machine* machine = machines_.find(vm);
  return machine != nullptr && machine->sick ? machine->failed_checks : 0;
}

bool Processes::has_living_node(const std::vector<VmId>& nodes) const {
  return std::any_of(nodes.begin(), nodes.end(), [&](VmId vm) { return is_up(vm); });
}

const Run* Processes::find(JobId job, std::uint32_t incarnation) const {
  auto found = runs_.find({job, incarnation});
  return found != runs_.end() ? &found->second : nullptr;
}

int Processes::runs_of(JobId job) const {
  auto found = executions_.find(job);
  return found != executions_.end() ? found->second : 0;
}

Processes::Answer Processes::start(const StartJob& command, const LaunchPayload& payload) {
  const Job& job = command.job;
  const Key key{job.id, job.incarnation};
  if (auto known = runs_.find(key); known != runs_.end()) {
    Run& run = known->second;
    if (run.state == Run::State::ended) return Answer::ended;
    if (!is_up(run.nodes[0])) {
      kill_soon(run, Duration::milliseconds(50), {0, 9});
      return Answer::lost;
    }
    return run.state == Run::State::running ? Answer::started : Answer::wait;
  }
  Run run;
  run.job = job.id;
  run.incarnation = job.incarnation;
  run.spec = job;
  run.plan = RunPlan::from(payload);
  for (const JobNode& node : job.nodes) run.nodes.push_back(node.vm);
  if (!std::all_of(run.nodes.begin(), run.nodes.end(), [&](VmId vm) { return is_up(vm); })) {
    return Answer::nodes_at_fault;
  }
  for (VmId vm : run.nodes) {
    if (!machines_.check_before_job(vm)) return Answer::nodes_at_fault;
  }
  if (run.plan.cannot_start) return Answer::job_at_fault;
  if (job.incarnation < run.plan.launch_failures) return Answer::nodes_at_fault;
  runs_.emplace(key, std::move(run));
  queue_.after(random_.exponential(Duration::milliseconds(300)), [this, key] { launch(key); });
  return Answer::wait;
}

void Processes::launch(Key key) {
  auto found = runs_.find(key);
  if (found == runs_.end() || found->second.state != Run::State::launching) return;
  Run& run = found->second;
  if (!std::all_of(run.nodes.begin(), run.nodes.end(), [&](VmId vm) { return is_up(vm); })) {
    const Run lost = std::move(run);
    runs_.erase(found);
    if (on_launch_failed) on_launch_failed(lost);
    return;
  }
  run.state = Run::State::running;
  run.ran = true;
  run.started = queue_.now();
  run.alive_on.insert(run.nodes.begin(), run.nodes.end());
  ++executions_[run.job];
  queue_.after(run.plan.duration, [this, key] { end_by_itself(key); });
  if (seen_start) seen_start(run);
  if (on_started) on_started(run);
}

void Processes::end_by_itself(Key key) {
  auto found = runs_.find(key);
  if (found == runs_.end() || found->second.state != Run::State::running) return;
  Run& run = found->second;
  if (run.alive_on.size() < run.nodes.size() && (run.plan.hangs_without_node || !is_up(run.nodes[0]))) return;
  run.ended_itself = !run.dying;
  finish(run, {run.plan.exit_code, 0});
}

void Processes::kill_soon(Run& run, Duration after, ExitStatus exit) {
  run.dying = true;
  queue_.after(after, [this, key = Key{run.job, run.incarnation}, exit] {
    auto found = runs_.find(key);
    if (found != runs_.end() && found->second.state != Run::State::ended) finish(found->second, exit);
  });
}

void Processes::finish(Run& run, ExitStatus exit) {
  run.state = Run::State::ended;
  run.exit = exit;
  run.alive_on.clear();
  if (run.ran && seen_end) seen_end(run);
  const std::vector<VmId> nodes = run.nodes;
  if (on_ended) on_ended(run);
  for (VmId vm : nodes) machines_.check_after_job(vm);
}

Processes::EndAnswer Processes::end(const EndJob& command) {
  const Key key{command.job, command.incarnation};
  auto known = runs_.find(key);
  if (known == runs_.end()) {
    std::vector<VmId> nodes;
    for (const JobNode& node : command.nodes) nodes.push_back(node.vm);
    if (!has_living_node(nodes)) return EndAnswer::gone;
    Run& stone = runs_[key];
    stone.job = command.job;
    stone.incarnation = command.incarnation;
    stone.nodes = std::move(nodes);
    stone.state = Run::State::ended;
    stone.exit = {0, command.signal};
    return EndAnswer::gone;
  }
  Run& run = known->second;
  if (run.state == Run::State::ended) return EndAnswer::gone;
  if (run.state == Run::State::launching) {
    run.state = Run::State::ended;
    run.exit = {0, command.signal};
    return EndAnswer::gone;
  }
  if (command.signal == 9) {
    kill_soon(run, Duration::milliseconds(50), {0, 9});
  } else if (!run.plan.ignores_term) {
    kill_soon(run, random_.exponential(Duration::seconds(4)), {0, command.signal});
  }
  return EndAnswer::wait;
}

void Processes::forget(JobId job, std::uint32_t incarnation) {
  auto known = runs_.find({job, incarnation});
  if (known == runs_.end()) return;
  if (known->second.state != Run::State::ended) {
    if (seen_forget) seen_forget(known->second);
    return;  // an agent keeps what runs
  }
  runs_.erase(known);
}

void Processes::node_down(VmId vm) {
  for (auto it = runs_.begin(); it != runs_.end();) {
    Run& run = it->second;
    if (std::find(run.nodes.begin(), run.nodes.end(), vm) == run.nodes.end()) {
      ++it;
      continue;
    }
    if (run.alive_on.erase(vm) > 0) {
      if (seen_stop_under) seen_stop_under(vm, run);
      if (run.alive_on.empty()) {  // nobody is left who could tell
        run.state = Run::State::ended;
        run.exit = {0, 9};
        if (seen_end) seen_end(run);
      } else if (vm != run.nodes[0] && !run.plan.hangs_without_node && !run.dying) {
        kill_soon(run, random_.exponential(Duration::seconds(20)), {1, 0});
      }
    }
    it = has_living_node(run.nodes) ? std::next(it) : runs_.erase(it);
  }
}

}  // namespace virga
