// `virga watch JOB`: one job's whole life as it happens, from the reservation to the last released node.
//
// It looks at the job and the VMs some twenty times a second, and prints what changed with the time at which the
// controller says it happened, so its order and times are the journal's, not this program's.
#include <fmt/format.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cli/client.hpp"
#include "cli/verbs/log_file.hpp"
#include "cli/verbs/progress.hpp"
#include "cli/verbs/verb.hpp"
#include "wire/api_bodies.hpp"

namespace virga {

namespace {

constexpr int k_poll_ms = 50;
constexpr std::uint32_t k_bar_width = 30;

std::string node_list(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

/// The terminal: lines that stay, and one line at the bottom that is repainted.
class Screen {
 public:
  explicit Screen(Time begin) : begin_(begin), terminal_(stdout_is_terminal()) {}

  void line(Time at, const std::string& text) {
    clear_bar();
    const std::int64_t ms = std::max<std::int64_t>(0, (at - begin_).ns / 1'000'000);
    fmt::print("{:>4}.{:01} s  {}\n", ms / 1000, ms % 1000 / 100, text);
    paint();
  }
  /// The job's own words, set apart from ours.
  void job_line(const std::string& text) {
    clear_bar();
    fmt::print("        | {}\n", text);
    paint();
  }
  void set_bar(std::string text) {
    clear_bar();
    bar_ = std::move(text);
    paint();
  }
  void drop_bar() {
    clear_bar();
    bar_.clear();
  }
  bool is_terminal() const { return terminal_; }

 private:
  void clear_bar() {
    if (terminal_ && !bar_.empty()) fmt::print("\r\033[K");
  }
  void paint() {
    if (terminal_ && !bar_.empty()) fmt::print("          {}", bar_);
    std::fflush(stdout);
  }

  Time begin_;
  bool terminal_;
  std::string bar_;
};

class Watch {
 public:
  Watch(Client& client, WatchOptions options) : client_(client), options_(options) {}

  int run() {
    Result<JobBody> body = job();
    if (!body) return complain(body.error());
    screen_.emplace(body->job.submitted);
    config_ = client_.get_as<Config>("/v1/config").value_or(Config{});
    LogFile log(body->job);
    screen_->line(body->job.submitted, fmt::format("job {} ({}) asks for {} nodes", options_.job, body->job.spec->name,
                                                   body->job.spec->nodes));
    while (true) {
      // The log is read after the state, so that what a job wrote before it ended is shown before its end.
      body = job();
      if (!body) return complain(body.error());
      Result<VmsBody> vms = client_.get_as<VmsBody>("/v1/vms");
      if (!vms) return complain(vms.error());
      show_nodes(*vms);
      show_state(body->job, body->now);
      show_checkpoint(body->job.checkpoint);
      read_log(log);
      if (is_final(body->job.state)) break;
      usleep(k_poll_ms * 1'000);
    }
    flush_partial();
    screen_->drop_bar();
    show_end(body->job);
    if (options_.until_released && !wait_for_release(body->now)) return 1;
    summarise(body->job, log);
    return body->job.state == JobState::completed ? 0 : std::max<int>(1, static_cast<int>(body->job.exit.code));
  }

 private:
  Result<JobBody> job() { return client_.get_as<JobBody>(fmt::format("/v1/jobs/{}", options_.job)); }

  const Pool* pool(const std::string& name) const {
    for (const Pool& p : config_.pools) {
      if (p.name == name) return &p;
    }
    return nullptr;
  }

  void show_nodes(const VmsBody& body) {
    std::vector<std::string> reserved;
    std::string from;
    for (const Vm& vm : body.vms) {
      auto [known, fresh] = seen_.try_emplace(vm.id, VmState::requested);
      if (fresh && vm.gang) {
        reserved.push_back(vm.name);
        from = vm.pool;
      }
      last_seen_[vm.id] = vm;
    }
    if (!reserved.empty()) {
      const Pool* p = pool(from);
      const Money price{p != nullptr ? p->node_price().micro_usd * static_cast<std::int64_t>(reserved.size()) : 0};
      screen_->line(body.now, fmt::format("gang of {} reserved in pool {}: {} ({} at {} an hour)", reserved.size(),
                                          from, node_list(reserved), p != nullptr ? p->sku.name : "", usd_text(price)));
    }
    for (const Vm& vm : body.vms) {
      if (!vm.evicted_at.is_never() && evicted_.insert(vm.id).second) {
        screen_->line(body.now, fmt::format("the cloud takes {} back: what runs on it ends in {}", vm.name,
                                            seconds_text(vm.evicted_at - body.now)));
      }
      VmState& known = seen_[vm.id];
      if (known == vm.state) continue;
      if (vm.state == VmState::booting) screen_->line(vm.granted, fmt::format("{} boots at {}", vm.name, vm.address));
      if (vm.state == VmState::ready) {
        const std::string after =
            known == VmState::ready ? "" : fmt::format(" after {}", seconds_text(vm.ready - vm.requested));
        screen_->line(vm.ready, fmt::format("{} is ready{}", vm.name, after));
      }
      if (vm.state == VmState::releasing)
        screen_->line(body.now, fmt::format("{} evaporates ({})", vm.name, vm.release_reason));
      known = vm.state;
    }
    for (auto it = seen_.begin(); it != seen_.end();) {
      const bool there =
          std::any_of(body.vms.begin(), body.vms.end(), [&](const Vm& vm) { return vm.id == it->first; });
      if (there) {
        ++it;
        continue;
      }
      screen_->line(body.now, fmt::format("{} is gone", last_seen_[it->first].name));
      it = seen_.erase(it);
    }
  }

  void show_state(const Job& job, Time now) {
    if (job.state == state_ && job.incarnation == incarnation_) return;
    const JobState before = state_;
    state_ = job.state;
    incarnation_ = job.incarnation;
    std::vector<std::string> names;
    for (const JobNode& node : job.nodes) names.push_back(node.name);
    switch (job.state) {
      case JobState::pending:
        screen_->line(now, fmt::format("PENDING: {}", job.detail.empty() ? name_of(job.reason) : job.detail));
        break;
      case JobState::configuring:
        screen_->line(now, fmt::format("CONFIGURING: bound to {}", node_list(names)));
        break;
      case JobState::running:
        if (before == JobState::pending)
          screen_->line(job.started, fmt::format("CONFIGURING: bound to {}", node_list(names)));
        screen_->line(job.started, fmt::format("RUNNING on {} nodes, {} after it was submitted", names.size(),
                                               seconds_text(job.started - job.submitted)));
        break;
      case JobState::completing:
        screen_->line(now, "COMPLETING");
        break;
      default:
        break;  // show_end()
    }
  }

  void show_checkpoint(const Checkpoint& checkpoint) {
    if (checkpoint.count == checkpoints_) return;
    checkpoints_ = checkpoint.count;
    screen_->line(checkpoint.at,
                  fmt::format("checkpoint of step {} is complete ({} bytes)", checkpoint.step, checkpoint.bytes));
  }

  void read_log(LogFile& log) {
    for (std::string chunk = log.read_more(); !chunk.empty(); chunk = log.read_more()) partial_ += chunk;
    std::size_t begin = 0;
    for (std::size_t end; (end = partial_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      show_job_line(partial_.substr(begin, end - begin));
    }
    partial_.erase(0, begin);
  }

  void flush_partial() {
    if (!partial_.empty()) show_job_line(partial_);
    partial_.clear();
  }

  void show_job_line(const std::string& line) {
    std::optional<Progress> p = parse_progress(line);
    if (!p) return screen_->job_line(line);
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    const Time now = Time::from_seconds(t.tv_sec) + Duration{t.tv_nsec};
    if (!first_progress_) {
      first_progress_ = p;
      first_progress_at_ = now;
    }
    last_progress_ = p;
    if (screen_->is_terminal()) {
      screen_->set_bar(progress_bar(*p, *first_progress_, now - first_progress_at_, k_bar_width));
    } else {
      screen_->job_line(line);
    }
  }

  void show_end(const Job& job) {
    std::string text{name_of(job.state)};
    if (job.exit.signal != 0)
      text += fmt::format(", killed by signal {}", job.exit.signal);
    else
      text += fmt::format(", exit code {}", job.exit.code);
    if (!job.detail.empty()) text += ": " + job.detail;
    screen_->line(job.ended, text);
  }

  /// Waits for the nodes to be idle long enough to go; false after the time-out.
  bool wait_for_release(Time since) {
    while (true) {
      Result<VmsBody> vms = client_.get_as<VmsBody>("/v1/vms");
      if (!vms) {
        complain(vms.error());
        return false;
      }
      show_nodes(*vms);
      if (vms->vms.empty()) return true;
      if (since + options_.timeout < vms->now) {
        complain({Code::timeout, fmt::format("{} nodes are still there", vms->vms.size())});
        return false;
      }
      usleep(k_poll_ms * 1'000);
    }
  }

  void summarise(const Job& job, const LogFile& log) {
    fmt::print("\n");
    Result<AccountedVmsBody> accounted = client_.get_as<AccountedVmsBody>("/v1/accounting/vms");
    Duration node_time;
    Money cost;
    std::size_t nodes = 0;
    std::string sku;
    bool is_lent = false;
    if (accounted) {
      for (const VmRecord& vm : accounted->vms) {
        auto mine = std::find_if(job.nodes.begin(), job.nodes.end(), [&](const JobNode& n) { return n.vm == vm.id; });
        if (mine == job.nodes.end()) continue;
        ++nodes;
        const Duration held = (vm.released.is_set() ? vm.released : job.ended) - vm.granted;
        const Pool* p = pool(vm.pool);
        node_time = node_time + held;
        sku = vm.sku;
        is_lent = p == nullptr || p->cloud != "host";
        cost += is_lent ? vm.cost : price_for(p->sku.price_per_hour, held);
      }
    }
    fmt::print("reserved    {} nodes of {}, {} of node time in all\n", nodes, sku, seconds_text(node_time));
    if (first_progress_ && !first_progress_->loss.empty()) {
      fmt::print("loss        {} at step {}, {} at step {}\n", first_progress_->loss, first_progress_->step,
                 last_progress_->loss, last_progress_->step);
    }
    if (is_lent) {
      fmt::print("price       {} for that node time (list price)\n", usd_text(cost));
    } else {
      fmt::print("price       {} for the same node time of {} on Azure, on demand (list price; here it was free)\n",
                 usd_text(cost), sku);
    }
    fmt::print("log         {}\n", log.path());
    fmt::print("accounting  sacct -j {}\n", job.id.value);
  }

  Client& client_;
  WatchOptions options_;
  Config config_;
  std::optional<Screen> screen_;
  std::map<VmId, VmState> seen_;
  std::map<VmId, Vm> last_seen_;
  std::set<VmId> evicted_;
  std::uint64_t checkpoints_ = 0;
  JobState state_ = JobState::completed;
  std::uint32_t incarnation_ = 0;
  std::string partial_;
  std::optional<Progress> first_progress_;
  std::optional<Progress> last_progress_;
  Time first_progress_at_;
};

}  // namespace

int watch_verb(const WatchOptions& options) {
  Result<Client> client = Client::from_environment();
  if (!client) return complain(client.error());
  return Watch(*client, options).run();
}

}  // namespace virga
