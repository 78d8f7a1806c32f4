// The engine's thread: connections to agents, and the runs of jobs that go over them.
#include "engines/local/local_engine.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "engines/local/run.hpp"
#include "engines/local/storage_access.hpp"
#include "wire/frame_channel.hpp"
#include "wire/machine_paths.hpp"
#include "wire/user_table.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds k_retry_first{5};
constexpr milliseconds k_retry_most{250};
/// Thousands of nodes that boot together are looked for less often each: so many tries a millisecond, a few percent of
/// a core.
constexpr int k_tries_per_ms = 4;
/// An agent that answered before and has not come back for so long counts as dead when jobs are to be ended.
constexpr milliseconds k_gone_after{3000};

struct AgentLink {
  std::optional<FrameChannel> channel;
  bool welcomed = false;
  bool ready_posted = false;
  SteadyClock::time_point retry_at;
  milliseconds retry_after = k_retry_first;
  std::optional<SteadyClock::time_point> lost_at;  ///< since when an agent that had answered does not
  std::set<std::string> notices;                   ///< of the cloud that were posted
  std::optional<NodeSick> sick;                    ///< the last check of it that failed
};

Usage sum(const Usage& a, const Usage& b) {
  return {a.user_cpu + b.user_cpu, a.system_cpu + b.system_cpu, std::max(a.max_rss_bytes, b.max_rss_bytes)};
}

class LocalEngine : public Engine {
 public:
  LocalEngine(LocalEngineOptions options, EventSink& sink)
      : options_(std::move(options)), sink_(sink), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    char name[256] = "";
    gethostname(name, sizeof(name) - 1);
    submit_host_ = name;
    thread_ = std::thread([this] { loop(); });
  }
  ~LocalEngine() override {
    ask([this] { stopping_ = true; });
    thread_.join();
    close(wake_);
  }

  std::string user_data(const WantedVm& vm, const Pool& pool) override {
    std::string needs;  // the agent's socket and the API for srun, programs, tools
    std::string options;
    if (pool.health_checks) options = " --health-size " + shell_quoted(pool.sku.name);
    if (pool.health_checks && !pool.health_tools.empty())
      options += " --health-tools " + shell_quoted(pool.health_tools);
    if (!pool.shared_files) {
      options += " --own-files";
      needs = machine_path_line(options_.home.run()) + machine_path_line(options_.bin_dir) +
              machine_path_line(pool.health_checks ? pool.health_tools : "");
    }
    return fmt::format("#!/bin/sh\n{}exec {} agent --home {} --vm {} --name {} --cluster {} --bin-dir {}{}\n", needs,
                       shell_quoted(options_.node_program), shell_quoted(options_.home.path), vm.vm.value,
                       shell_quoted(vm.name), shell_quoted(options_.cluster_name), shell_quoted(options_.bin_dir),
                       options);
  }
  void lead(std::uint64_t term) override {
    ask([this, term] { term_ = term; });
  }
  void attach(VmId vm, const std::string&) override {
    ask([this, vm] { do_attach(vm); });
  }
  void detach(VmId vm) override {
    ask([this, vm] { do_detach(vm); });
  }
  void start(const StartJob& command, LaunchPayload payload) override {
    ask([this, job = command.job, payload = std::move(payload)]() mutable {
      do_start(std::move(job), std::move(payload));
    });
  }
  void signal(const SignalJob& command) override {
    ask([this, command] { do_signal(command); });
  }
  void end(const EndJob& command) override {
    ask([this, command] { do_end(command); });
  }
  void forget(const ForgetJob& command) override {
    ask([this, command] { do_forget(command); });
  }

 private:
  void ask(std::function<void()> what);
  void loop();
  void turn();
  int timeout_ms() const;
  void connect_due_links();
  void link_lost(VmId vm, AgentLink& link);
  void read_link(VmId vm, AgentLink& link);

  void do_attach(VmId vm);
  void do_detach(VmId vm);
  void do_start(Job job, LaunchPayload payload);
  void do_signal(const SignalJob& command);
  void do_end(const EndJob& command);
  void do_forget(const ForgetJob& command);

  bool send(VmId vm, const AgentMessage& message);
  void push(Run& run, std::size_t node_index);
  void push_all(Run& run);
  void node_gone(Run& run, VmId vm);
  void finish_if_over(Run& run);
  void launch_failed(Run& run, std::string message, bool job_at_fault);
  void hello_answered(VmId vm, const AgentWelcome& welcome);
  void storage_mounted(VmId vm, const StorageMounted& answer);
  void welcomed(VmId vm);
  void handle(VmId vm, const AgentMessage& message);
  Run* find(const JobKey& key);

  LocalEngineOptions options_;
  EventSink& sink_;
  std::string submit_host_;
  UserTable users_;
  std::map<VmId, AgentLink> links_;
  std::map<JobKey, Run> runs_;
  std::uint64_t term_ = 0;
  bool stopping_ = false;

  int wake_;
  std::mutex mutex_;
  std::vector<std::function<void()>> asked_;
  std::thread thread_;
};

void LocalEngine::ask(std::function<void()> what) {
  bool first;
  {
    std::lock_guard lock(mutex_);
    first = asked_.empty();
    asked_.push_back(std::move(what));
  }
  std::uint64_t one = 1;
  if (first) (void)!write(wake_, &one, sizeof(one));
}

void LocalEngine::loop() {
  while (!stopping_) turn();
}

int LocalEngine::timeout_ms() const {
  std::optional<SteadyClock::time_point> next;
  auto consider = [&](SteadyClock::time_point at) {
    if (!next || at < *next) next = at;
  };
  for (const auto& [vm, link] : links_) {
    if (!link.channel) consider(link.retry_at);
  }
  if (!next) return -1;
  auto left = std::chrono::ceil<milliseconds>(*next - SteadyClock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1000));
}

void LocalEngine::turn() {
  std::vector<pollfd> fds = {{wake_, POLLIN, 0}};
  std::vector<VmId> vms = {VmId{}};
  for (const auto& [vm, link] : links_) {
    if (!link.channel) continue;
    fds.push_back({link.channel->fd(), link.channel->poll_events(), 0});
    vms.push_back(vm);
  }
  if (poll(fds.data(), fds.size(), timeout_ms()) < 0) return;
  for (std::size_t i = 1; i < fds.size(); ++i) {
    auto it = links_.find(vms[i]);
    if (fds[i].revents == 0 || it == links_.end() || !it->second.channel) continue;
    if ((fds[i].revents & POLLOUT) != 0) it->second.channel->flush();
    if ((fds[i].revents & ~POLLOUT) != 0) read_link(vms[i], it->second);
  }
  if (fds[0].revents != 0) {
    std::uint64_t count = 0;
    (void)!read(wake_, &count, sizeof(count));
    std::vector<std::function<void()>> asked;
    {
      std::lock_guard lock(mutex_);
      asked.swap(asked_);
    }
    for (auto& what : asked) what();
  }
  connect_due_links();
}

void LocalEngine::connect_due_links() {
  const auto now = SteadyClock::now();
  const milliseconds most = std::max(k_retry_most, milliseconds(links_.size() / k_tries_per_ms));
  for (auto& [vm, link] : links_) {
    if (link.channel || link.retry_at > now) continue;
    if (auto fd = connect_to_agent(options_.home.agent_socket(vm))) {
      link.channel.emplace(*fd);
      link.channel->send(AgentHello{k_agent_protocol_version, term_});
      continue;
    }
    link.retry_at = now + link.retry_after;
    link.retry_after = std::min(link.retry_after + link.retry_after / 4, most);
    if (!link.lost_at || now - *link.lost_at < k_gone_after) continue;
    for (auto& [key, run] : runs_) node_gone(run, vm);
  }
}

void LocalEngine::link_lost(VmId, AgentLink& link) {
  link.channel.reset();
  link.welcomed = false;
  link.retry_after = k_retry_first;
  link.retry_at = SteadyClock::now() + k_retry_first;
  if (!link.lost_at && link.ready_posted) link.lost_at = SteadyClock::now();
}

void LocalEngine::read_link(VmId vm, AgentLink& link) {
  bool alive = link.channel->receive();
  auto message = link.channel->next();
  for (; message && *message; message = link.channel->next()) handle(vm, **message);
  if (!alive || !message) link_lost(vm, link);
}

Run* LocalEngine::find(const JobKey& key) {
  auto it = runs_.find(key);
  return it == runs_.end() ? nullptr : &it->second;
}

bool LocalEngine::send(VmId vm, const AgentMessage& message) {
  auto it = links_.find(vm);
  if (it == links_.end() || !it->second.channel || !it->second.welcomed) return false;
  it->second.channel->send(message);
  return true;
}

void LocalEngine::do_attach(VmId vm) {
  auto [it, is_new] = links_.try_emplace(vm);
  if (!is_new) {
    const AgentLink& link = it->second;
    if (link.sick) sink_.post(VmUnhealthy{vm, link.sick->round, link.sick->check, link.sick->message});
    if (link.ready_posted && !link.sick) sink_.post(VmReady{vm});
    return;
  }
  it->second.retry_at = SteadyClock::now();
}

void LocalEngine::do_detach(VmId vm) {
  if (links_.erase(vm) == 0) return;
  for (auto& [key, run] : runs_) node_gone(run, vm);
}

/// A node with files of its own is not ready before its storage is mounted.
void LocalEngine::hello_answered(VmId vm, const AgentWelcome& welcome) {
  if (!welcome.own_files) return welcomed(vm);
  MountStorage wanted;
  for (Storage& storage : options_.storage()) {
    auto mount = open_storage(std::move(storage), std::time(nullptr));
    if (!mount) return storage_mounted(vm, {false, mount.error().message, {}});
    wanted.mounts.push_back(*std::move(mount));
  }
  links_.at(vm).channel->send(std::move(wanted));
}

void LocalEngine::storage_mounted(VmId vm, const StorageMounted& answer) {
  if (answer.ok) return welcomed(vm);
  sink_.post(VmFailed{vm, answer.message});
}

/// The agent answers (again): it hears all that concerns it, as it may have missed something.
void LocalEngine::welcomed(VmId vm) {
  AgentLink& link = links_.at(vm);
  link.welcomed = true;
  link.lost_at.reset();
  if (!link.ready_posted) sink_.post(VmReady{vm});
  link.ready_posted = true;
  for (auto& [key, run] : runs_) {
    for (std::size_t i = 0; i < run.nodes.size(); ++i) {
      if (run.nodes[i].vm == vm) push(run, i);
    }
  }
}

/// Sends node `i` what it has to do next in this run, if anything.
void LocalEngine::push(Run& run, std::size_t i) {
  RunNode& node = run.nodes[i];
  if (run.finished || node.ended || node.gone) return;
  if (run.end_signal != 0) {
    send(node.vm, EndBound{run.key, run.end_signal, run.end_why});
  } else if (run.first_ended || run.failed()) {
    send(node.vm, EndBound{run.key, 9, Reason::none});
  } else if (!run.binding) {
    return;
  } else if (i > 0) {
    if (!node.bound) send(node.vm, BindJob{*run.binding});
  } else if (run.others_bound()) {
    // Also after the launch was answered: this is how a new connection asks how it went on.
    send(node.vm, LaunchJob{*run.binding, run.payload, run.answer.has_value() || run.ended_before});
  }
}

void LocalEngine::push_all(Run& run) {
  for (std::size_t i = run.nodes.size(); i-- > 0;) push(run, i);
}

void LocalEngine::do_start(Job job, LaunchPayload payload) {
  const JobKey key{job.id, job.incarnation};
  Run& run = runs_[key];
  run.key = key;
  if (run.answer && run.start_asked) {
    if (!run.answer->ok) {
      sink_.post(JobLaunchFailed{key.job, key.incarnation, run.answer->message, run.answer->job_at_fault});
      return;
    }
    sink_.post(JobStarted{key.job, key.incarnation});
  }
  if (run.finished) {
    sink_.post(JobEnded{key.job, key.incarnation, run.exit, run.usage, run.unsaved});
    return;
  }
  if (run.start_asked || run.end_signal != 0) return;
  run.start_asked = true;
  run.nodes.clear();
  for (const JobNode& node : job.nodes) run.nodes.push_back({node.vm, false, false, false});
  auto user = users_.look_up(job.owner);
  std::string gone;
  for (const JobNode& node : job.nodes) {
    if (!links_.contains(node.vm)) gone = node.name;
  }
  if (!user || run.nodes.empty() || !gone.empty()) {
    for (RunNode& node : run.nodes) node.ended = true;  // none of them has heard of it
    if (!user) return launch_failed(run, user.error().message, true);
    return launch_failed(run, run.nodes.empty() ? "the job has no nodes" : "node " + gone + " is gone", false);
  }
  // The group is the submitting process's (newgrp, sbatch --gid), where we may give it; root's only to root.
  if (::geteuid() != 0 || job.owner.gid == 0) job.owner.gid = user->gid;
  if (job.owner.user.empty()) job.owner.user = user->name;
  if (!job.started.is_set()) job.started = Time::from_seconds(std::time(nullptr));
  if (job.end_limit.is_never() && !job.spec->time_limit.is_infinite()) {
    job.end_limit = job.started + job.spec->time_limit;
  }
  run.binding = JobBinding{
      std::move(job), std::move(user->groups), std::move(user->group_names), user->home_dir, user->shell, submit_host_};
  run.payload = std::move(payload);
  push_all(run);
}

/// Told once nothing of it can be left anywhere: another incarnation may follow at once.
void LocalEngine::launch_failed(Run& run, std::string message, bool job_at_fault) {
  run.answer = LaunchAnswer{run.key, false, std::move(message), job_at_fault};
  push_all(run);
  finish_if_over(run);
}

void LocalEngine::do_signal(const SignalJob& command) {
  Run* run = find({command.job, command.incarnation});
  if (run == nullptr || run->finished) return;
  for (const RunNode& node : run->nodes) {
    send(node.vm, SignalBound{run->key, command.signal, command.batch_shell_only, command.step, command.whole_job});
  }
}

void LocalEngine::do_end(const EndJob& command) {
  const JobKey key{command.job, command.incarnation};
  auto [it, is_new] = runs_.try_emplace(key);
  Run& run = it->second;
  if (run.finished) {
    sink_.post(JobEnded{key.job, key.incarnation, run.exit, run.usage, run.unsaved});
    return;
  }
  if (is_new) {
    run.key = key;
    for (const JobNode& node : command.nodes) run.nodes.push_back({node.vm, false, false, false});
    run.exit = {0, command.signal};
  }
  for (RunNode& node : run.nodes) node.gone = node.gone || !links_.contains(node.vm);
  run.end_why = command.why;
  run.end_signal = command.signal == 9 || run.end_signal == 0 ? command.signal : run.end_signal;
  push_all(run);
  finish_if_over(run);
}

void LocalEngine::do_forget(const ForgetJob& command) {
  const JobKey key{command.job, command.incarnation};
  for (const JobNode& node : command.nodes) send(node.vm, ForgetBound{key});
  runs_.erase(key);
}

void LocalEngine::node_gone(Run& run, VmId vm) {
  for (RunNode& node : run.nodes) {
    if (node.vm != vm || node.ended || node.gone || run.finished) continue;
    node.gone = true;
    if (run.end_signal == 0 && !run.answer)
      return launch_failed(run, "a node was lost while the job was being started", false);
  }
  finish_if_over(run);
}

/// Without an end() a lost first node does not end the run: whoever told of the loss will ask for the end.
void LocalEngine::finish_if_over(Run& run) {
  if (run.finished || !(run.first_ended || run.failed() || run.end_signal != 0) || !run.all_ended()) return;
  run.finished = true;
  if (!run.first_ended) run.exit = {0, run.end_signal};
  run.payload = {};
  if (run.failed() && run.end_signal == 0) {
    sink_.post(JobLaunchFailed{run.key.job, run.key.incarnation, run.answer->message, run.answer->job_at_fault});
  } else {
    sink_.post(JobEnded{run.key.job, run.key.incarnation, run.exit, run.usage, run.unsaved});
  }
}

void LocalEngine::handle(VmId vm, const AgentMessage& message) {
  if (const auto* welcome = std::get_if<AgentWelcome>(&message)) return hello_answered(vm, *welcome);
  if (const auto* mounted = std::get_if<StorageMounted>(&message)) return storage_mounted(vm, *mounted);
  if (const auto* notice = std::get_if<NodeNotice>(&message)) {
    if (links_.at(vm).notices.insert(notice->event).second) sink_.post(VmEvicting{vm, notice->at});
    return;
  }
  if (const auto* sick = std::get_if<NodeSick>(&message)) {
    links_.at(vm).ready_posted = true;  // it answers, but is not healthy
    links_.at(vm).sick = *sick;
    sink_.post(VmUnhealthy{vm, sick->round, sick->check, sick->message});
    return;
  }
  auto node_of = [&](Run& run) {
    return std::find_if(run.nodes.begin(), run.nodes.end(), [&](const RunNode& n) { return n.vm == vm; });
  };
  if (const auto* bound = std::get_if<BindAnswer>(&message)) {
    Run* run = find(bound->key);
    if (run == nullptr || run->finished || node_of(*run) == run->nodes.end()) return;
    // A refusal means that an earlier controller has had it ended there already, and died before it could tell.
    if (!bound->ok) run->ended_before = true;
    node_of(*run)->bound = true;
    if (run->others_bound()) push(*run, 0);
  } else if (const auto* answer = std::get_if<LaunchAnswer>(&message)) {
    Run* run = find(answer->key);
    if (run == nullptr || run->answer || run->finished || !run->start_asked) return;
    if (!answer->ok) return launch_failed(*run, answer->message, answer->job_at_fault);
    run->answer = *answer;
    run->payload = {};
    sink_.post(JobStarted{run->key.job, run->key.incarnation});
  } else if (const auto* ended = std::get_if<BoundEnded>(&message)) {
    Run* run = find(ended->key);
    if (run == nullptr || run->finished) return;
    auto node = node_of(*run);
    if (node == run->nodes.end() || node->ended) return;
    node->ended = true;
    run->usage = sum(run->usage, ended->usage);
    if (!ended->unsaved.empty()) run->unsaved += (run->unsaved.empty() ? "" : "; ") + ended->unsaved;
    if (node == run->nodes.begin()) {
      run->first_ended = true;
      run->exit = ended->exit;
      run->end_signal = run->end_signal == 0 ? 0 : 9;  // nothing is left to wait for on the others
      push_all(*run);
    }
    finish_if_over(*run);
  }
}

}  // namespace

std::unique_ptr<Engine> make_local_engine(LocalEngineOptions options, EventSink& sink) {
  return std::make_unique<LocalEngine>(std::move(options), sink);
}

}  // namespace virga
