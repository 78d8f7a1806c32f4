#include "clouds/host/process.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "clouds/host/pidfd.hpp"

namespace virga::host {

namespace {

struct Stat {
  char state = '?';
  pid_t parent = 0;
  pid_t session = 0;
  std::uint64_t start = 0;
};

/// The name in field 2 may hold anything, so fields are counted after its last parenthesis.
bool read_stat(pid_t pid, Stat& stat) {
  auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return false;
  std::size_t at = text->rfind(')');
  if (at == std::string::npos) return false;
  unsigned long long start = 0;
  int parent = 0;
  int session = 0;
  int got = std::sscanf(text->c_str() + at + 1,
                        " %c %d %*s %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu", &stat.state,
                        &parent, &session, &start);
  stat.parent = parent;
  stat.session = session;
  stat.start = start;
  return got == 4;
}

bool is_dead(const Stat& stat) { return stat.state == 'Z' || stat.state == 'X'; }

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  DIR* folder = opendir("/proc");
  if (!folder) return pids;
  while (dirent* entry = readdir(folder)) {
    std::string_view name(entry->d_name);
    int pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
  }
  closedir(folder);
  return pids;
}

bool carries(pid_t pid, const std::string& marker) {
  auto environment = read_file(fmt::format("/proc/{}/environ", pid));
  if (!environment) return false;
  environment->insert(0, 1, '\0');
  environment->push_back('\0');
  std::string wanted;
  wanted.push_back('\0');
  wanted.append(marker).push_back('\0');
  return environment->find(wanted) != std::string::npos;
}

/// The marked ones and all below them, also those that dropped the marker from their environment.
std::vector<ProcessId> marked_trees(const std::string& marker, pid_t init) {
  std::map<pid_t, Stat> stats;
  std::set<pid_t> found;
  for (pid_t pid : all_pids()) {
    Stat stat;
    if (!read_stat(pid, stat) || is_dead(stat)) continue;
    stats[pid] = stat;
    if (carries(pid, marker)) found.insert(pid);
  }
  if (stats.count(init)) found.insert(init);
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [pid, stat] : stats) {
      if (found.count(stat.parent) && found.insert(pid).second) grown = true;
    }
  }
  std::vector<ProcessId> trees;
  for (pid_t pid : found) {
    if (pid != init) trees.push_back({pid, stats[pid].start});
  }
  return trees;
}

}  // namespace

ProcessId identify(pid_t pid) {
  Stat stat;
  if (pid <= 0 || !read_stat(pid, stat) || is_dead(stat)) return {pid, 0};
  return {pid, stat.start};
}

bool is_alive(ProcessId process) { return process.start != 0 && identify(process.pid).start == process.start; }

UniqueFd open_process(ProcessId process) {
  if (process.pid <= 0 || process.start == 0) return UniqueFd();
  UniqueFd fd(pidfd_open(process.pid, 0));
  // Checked after the opening: from here on the descriptor names the process that has this start time.
  if (fd && !is_alive(process)) fd.reset();
  return fd;
}

void kill_and_wait(ProcessId process) {
  UniqueFd fd = open_process(process);
  if (!fd) return;
  pidfd_send_signal(fd.get(), SIGKILL, nullptr, 0);
  pollfd wait_for{fd.get(), POLLIN, 0};
  while (poll(&wait_for, 1, -1) < 0 && errno == EINTR) {
  }
  reap(fd.get());
}

void reap(int pidfd) {
  siginfo_t info{};
  waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
}

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id");
  if (!text) return "";
  text->erase(text->find_last_not_of('\n') + 1);
  return *text;
}

void end_marked(const std::string& marker, pid_t init) {
  for (;;) {
    auto trees = marked_trees(marker, init);
    if (trees.empty()) return;
    for (ProcessId process : trees) {
      UniqueFd fd = open_process(process);
      if (fd) pidfd_send_signal(fd.get(), SIGKILL, nullptr, 0);
    }
    for (ProcessId process : trees) kill_and_wait(process);
  }
}

void reap_orphans(const std::function<bool(pid_t)>& is_waited_for) {
  siginfo_t info{};
  if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
  const pid_t own_session = getsid(0);
  for (pid_t pid : all_pids()) {
    Stat stat;
    if (!read_stat(pid, stat) || stat.state != 'Z' || stat.parent != getpid() || stat.session == own_session) continue;
    if (!is_waited_for(pid)) waitpid(pid, nullptr, WNOHANG);
  }
}

Status run_tool(const std::vector<std::string>& arguments, std::string_view input, int network_namespace) {
  int in[2];
  int err[2];
  if (pipe2(in, O_CLOEXEC) != 0) return fail_errno("pipe");
  UniqueFd in_read(in[0]), in_write(in[1]);
  if (pipe2(err, O_CLOEXEC) != 0) return fail_errno("pipe");
  UniqueFd err_read(err[0]), err_write(err[1]);

  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = fork();
  if (child < 0) return fail_errno("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (network_namespace >= 0 && setns(network_namespace, CLONE_NEWNET) != 0) _exit(126);
    dup2(in_read.get(), 0);
    dup2(err_write.get(), 1);
    dup2(err_write.get(), 2);
    execv(argv[0], argv.data());
    _exit(127);
  }
  in_read.reset();
  err_write.reset();
  signal(SIGPIPE, SIG_IGN);
  while (!input.empty()) {
    ssize_t n = write(in_write.get(), input.data(), input.size());
    if (n < 0) break;  // it ended early: its exit code and words tell why
    input.remove_prefix(static_cast<std::size_t>(n));
  }
  in_write.reset();
  std::string words;
  char buffer[1024];
  for (ssize_t n; (n = read(err_read.get(), buffer, sizeof buffer)) > 0;) {
    words.append(buffer, static_cast<std::size_t>(n));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    return fail(Code::internal, arguments[0] + " cannot be executed");
  std::replace(words.begin(), words.end(), '\n', ' ');
  return fail(Code::internal, fmt::format("{} failed: {}", arguments[0], words));
}

std::string ip_program() {
  for (const char* path : {"/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return "";
}

Status run_ip(std::string_view batch, int network_namespace) {
  std::string program = ip_program();
  if (program.empty()) return fail(Code::internal, "no `ip` program (Debian package iproute2)");
  return run_tool({program, "-batch", "-"}, batch, network_namespace);
}

}  // namespace virga::host
