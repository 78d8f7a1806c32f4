// What Slurm's own accounts say of a job that has ended: what its script used, and its steps. Slurm 22.05 has that in
// slurmdbd only, so it is asked for by sacct.
//
//   Accounts accounts({.environment = cluster.environment(), .folder = home.slurm() + "/usage", …}, sink);
//   accounts.note(key, 50000013);        // before the job's end is told; → JobAccounted, some time later
//
// All of that is beside the way of a job's end: a thread of its own asks for all jobs that ended meanwhile by one
// sacct, at most once a second, and again later for what slurmdbd has not heard yet. A slurmdbd that is away, or hangs,
// makes it later and nothing else. What is still to be told lies in the folder, a small file for each, until some time
// after it was told: who comes back tells it again rather than not at all, and the brain counts it once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/event.hpp"
#include "ports/event_sink.hpp"
#include "wire/agent_protocol.hpp"

namespace virga::slurm {

/// One job in Slurm's accounts.
struct AccountedJob {
  bool whole = false;  ///< it and all of its steps have an end there
  Usage usage;         ///< of the batch script
  std::vector<Step> steps;
};

/// Arguments of sacct. `mark` tells its columns apart: names of steps are the users', and may hold anything.
std::vector<std::string> sacct_arguments(const std::vector<std::uint32_t>& ids, const std::string& mark);
/// By Slurm's number. Lines that make no sense are left out.
std::map<std::uint32_t, AccountedJob> parse_accounts(std::string_view text, const std::string& mark);
/// "01:02.345", "1-02:03:04"; nothing for what is no time.
std::optional<Duration> parse_cpu_time(std::string_view text);

struct AccountsOptions {
  std::vector<std::string> environment;  ///< of sacct
  std::string folder;
  std::function<Status()> keep = [] { return Status(); };  ///< starts what answers sacct, if it does not run
  std::function<void(const std::string&)> say = [](const std::string&) {};
};

class Accounts {
 public:
  /// Goes on with what the folder has.
  Accounts(AccountsOptions options, EventSink& sink);
  ~Accounts();
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  /// This incarnation was Slurm's job `id`, and has ended. Durable when it returns.
  Status note(const JobKey& key, std::uint32_t id);

 private:
  using Clock = std::chrono::steady_clock;
  struct Asked {
    std::uint32_t id = 0;
    Clock::time_point since;  ///< slurmdbd could have answered
    Clock::time_point due;
    std::chrono::milliseconds pause{0};  ///< until it is asked for again
    bool told = false;                   ///< and `due` is when its file goes
  };

  std::string path_of(const JobKey& key) const;
  void load();
  void loop();
  std::vector<std::uint32_t> take_due();
  bool ask(const std::vector<std::uint32_t>& ids);
  void start_anew();
  void tell(const std::map<std::uint32_t, AccountedJob>& known, const std::vector<std::uint32_t>& asked);

  AccountsOptions options_;
  EventSink& sink_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<JobKey, Asked> asked_;
  bool stopping_ = false;
  bool trouble_told_ = false;
  std::chrono::milliseconds retry_after_{0};
  Clock::time_point not_before_;  ///< the next sacct
  std::thread thread_;
};

}  // namespace virga::slurm
