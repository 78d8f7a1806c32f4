// `virga up` starts the controller of this instance; `virga down` lets everything evaporate.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "cli/client.hpp"
#include "cli/job_list.hpp"
#include "cli/verbs/verb.hpp"
#include "wire/api_bodies.hpp"
#include "wire/config_toml.hpp"
#include "wire/error_codes.hpp"

namespace virga {

namespace {

constexpr int k_start_timeout_ms = 60'000;

Status make_folder(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), geteuid() == 0 ? 0755 : 0700) != 0 && errno != EEXIST) {
      return fail(Code::internal, fmt::format("cannot make folder {}: {}", part, std::strerror(errno)));
    }
    if (slash == std::string::npos) return {};
  }
}

/// The file a user edits; written once, so that there is something to edit.
Status ensure_config(const Home& home) {
  const int fd = open(home.config().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) {
    if (errno == EEXIST) return {};
    return fail(Code::internal, fmt::format("cannot write {}: {}", home.config(), std::strerror(errno)));
  }
  const std::string text = default_config_text();
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int why = errno;
  close(fd);
  if (written) return {};
  unlink(home.config().c_str());
  return fail(Code::exhausted, fmt::format("cannot write {}: {}", home.config(), std::strerror(why)));
}

/// virgad's exit code says what kind of error it met; ours shall say the same.
Code code_of_exit(int status) {
  for (std::size_t i = 0; i < std::size(EnumNames<Code>::names); ++i) {
    const auto code = static_cast<Code>(i);
    if (exit_code(code) == status) return code;
  }
  return Code::internal;
}

/// Starts virgad in a session of its own; its first line on the pipe says how it went.
Result<std::string> start_daemon(const VerbHooks& hooks, const Home& home) {
  const int log = open(home.log().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log < 0) return fail(Code::internal, fmt::format("cannot write {}: {}", home.log(), std::strerror(errno)));
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return fail(Code::internal, "cannot make a pipe");
  const std::string program = hooks.bin_dir + "/virgad";
  const pid_t pid = fork();
  if (pid == 0) {
    setsid();
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    // The descriptor that survives exec: virgad closes it once it has spoken.
    const int ready = dup(pipe_ends[1]);
    const std::string fd = std::to_string(ready);
    if (chdir("/") != 0) _exit(127);
    execl(program.c_str(), "virgad", "--home", home.path.c_str(), "--ready-fd", fd.c_str(), nullptr);
    dprintf(ready, "cannot start %s: %s\n", program.c_str(), std::strerror(errno));
    _exit(127);
  }
  close(pipe_ends[1]);
  close(log);
  if (pid < 0) return fail(Code::internal, fmt::format("cannot start {}: {}", program, std::strerror(errno)));

  std::string said;
  char buffer[4096];
  pollfd readable{pipe_ends[0], POLLIN, 0};
  while (true) {
    const int polled = poll(&readable, 1, k_start_timeout_ms);
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) {
      close(pipe_ends[0]);
      return fail(Code::timeout, fmt::format("virgad did not become ready within a minute; see {}", home.log()));
    }
    const ssize_t n = read(pipe_ends[0], buffer, sizeof buffer);
    if (n <= 0) break;
    said.append(buffer, static_cast<std::size_t>(n));
    if (said == "ready\n") break;
  }
  close(pipe_ends[0]);
  while (said.ends_with('\n')) said.pop_back();
  if (said == "ready") return said;
  int status = 0;
  waitpid(pid, &status, 0);
  if (said.empty()) said = fmt::format("virgad ended before it was ready; see {}", home.log());
  return fail(code_of_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1), said);
}

void print_up(const StatusBody& status, bool already, const std::string& bin_dir) {
  fmt::print("{} {} in {} (pid {})\n", status.cluster, already ? "is up already" : "is up", status.home, status.pid);
  for (const PoolStatus& pool : status.pools) {
    fmt::print("  pool {}: up to {} nodes of {} on {}, {} now\n", pool.name, pool.max, pool.sku, pool.cloud,
               pool.vms_by_state.total);
  }
  const char* path = getenv("PATH");
  const bool on_path =
      path != nullptr && (":" + std::string(path) + ":").find(":" + bin_dir + ":") != std::string::npos;
  if (!on_path) fmt::print("Slurm's commands for it: eval \"$({}/virga env)\"\n", bin_dir);
}

void list_living_jobs(Client& client) {
  Result<JobsBody> jobs = get_jobs(client, "/v1/jobs?state=CONFIGURING,RUNNING,COMPLETING");
  if (!jobs) return;
  for (const Job& job : jobs->jobs) {
    fmt::print(stderr, "  {} {} of {}: {} on {} nodes\n", job.id.value, job.spec->name, job.owner.user,
               name_of(job.state), job.nodes.size());
  }
}

bool process_lives(std::uint32_t pid) { return pid != 0 && (kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM); }

bool is_zombie(std::uint32_t pid) {
  std::ifstream stat(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(stat, line);
  const std::size_t paren = line.rfind(')');
  return paren != std::string::npos && paren + 2 < line.size() && line[paren + 2] == 'Z';
}

/// Those of this machine see in the journal that all is over, and end as well.
void wait_for_followers(const StandbyBody& standby) {
  constexpr int k_tries = 500;
  for (const FollowerBody& follower : standby.followers) {
    if (follower.controller.host != standby.self.host) continue;
    const std::uint32_t pid = follower.controller.pid;
    for (int tries = 0; tries < k_tries && process_lives(pid) && !is_zombie(pid); ++tries) usleep(10'000);
  }
}

/// Where a leader dies of the request itself, its followers read it in the journal, and go.
bool are_all_gone(const StatusBody& status) {
  const auto is_gone = [](std::uint32_t pid) { return !process_lives(pid) || is_zombie(pid); };
  if (!status.standby || !is_gone(status.pid)) return false;
  for (const FollowerBody& follower : status.standby->followers) {
    if (follower.controller.host != status.standby->self.host || !is_gone(follower.controller.pid)) return false;
  }
  return true;
}

}  // namespace

int up_verb(const VerbHooks& hooks, bool json) {
  Result<Home> home = home_from_environment();
  if (!home) return complain(home.error());
  Client client = Client::on_socket(home->api_socket());
  client.set_patience({});
  bool already = true;
  Result<StatusBody> status = client.get_as<StatusBody>("/v1/status");
  if (!status && status.error().code != Code::unavailable) return complain(status.error());
  if (!status) {
    already = false;
    if (Status made = make_folder(home->path); !made) return complain(made.error());
    if (Status made = ensure_config(*home); !made) return complain(made.error());
    if (Result<std::string> started = start_daemon(hooks, *home); !started) return complain(started.error());
    status = client.get_as<StatusBody>("/v1/status");
    if (!status) return complain(status.error());
  }
  if (json) {
    fmt::print("{}\n", to_json_text(*status));
  } else {
    print_up(*status, already, hooks.bin_dir);
  }
  return 0;
}

int down_verb(bool cancel_jobs) {
  Result<Client> client = Client::from_environment();
  if (!client) return complain(client.error());
  client->set_patience({});
  Result<StatusBody> status = client->get_as<StatusBody>("/v1/status");
  if (!status) {
    if (status.error().code != Code::unavailable) return complain(status.error());
    fmt::print("nothing to take down: no controller runs at {}\n", client->address());
    return 0;
  }
  // Where the leader dies of it, the one that follows is waited for, and goes in its place.
  if (status->standby) client->set_patience(Client::k_patience_takeover);
  Result<NoBody> asked = client->post_as<NoBody>("/v1/shutdown", ShutdownBody{cancel_jobs}, Client::Retry::safe);
  if (!asked && asked.error().code == Code::unavailable && are_all_gone(*status)) {
    fmt::print("{} is down\n", status->cluster);
    return 0;
  }
  if (!asked) {
    complain(asked.error());
    if (asked.error().code != Code::conflict) return 1;
    list_living_jobs(*client);
    fmt::print(stderr, "virga: 'virga down --cancel' cancels them\n");
    return 1;
  }
  client->set_patience({});
  if (Result<StatusBody> now = client->get_as<StatusBody>("/v1/status")) status = std::move(now);
  std::uint32_t left = status->vms.total;
  if (left > 0) fmt::print("releasing {} nodes\n", left);
  // The controller ends when the last VM is gone; until then it answers.
  while (process_lives(status->pid) && !is_zombie(status->pid)) {
    if (Result<StatusBody> now = client->get_as<StatusBody>("/v1/status"); now && now->vms.total != left) {
      left = now->vms.total;
      fmt::print("{} nodes left\n", left);
      std::fflush(stdout);
    }
    usleep(10'000);
  }
  if (status->standby) wait_for_followers(*status->standby);
  fmt::print("{} is down\n", status->cluster);
  return 0;
}

}  // namespace virga
