// Reaping and ending of a supervisor's processes.
#include "engines/local/offspring.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engines/local/process_tree.hpp"

namespace virga {
namespace {

constexpr int k_round_ms_max = 100;
/// A process that we may not signal (a set-user-id program, where the agent is an ordinary user) is left to itself
/// then.
constexpr int k_refused_rounds_max = 50;

Duration duration_of(const timeval& t) {
  return Duration::nanoseconds(std::int64_t{t.tv_sec} * 1'000'000'000 + std::int64_t{t.tv_usec} * 1000);
}

}  // namespace

ExitStatus exit_status_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {0, static_cast<std::uint32_t>(WTERMSIG(wait_status))};
  return {static_cast<std::uint32_t>(WEXITSTATUS(wait_status)), 0};
}

Offspring::Offspring() {
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, nullptr);
  signal_fd_ = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

Offspring::~Offspring() {
  if (signal_fd_ >= 0) close(signal_fd_);
}

void Offspring::reap(const std::function<void(pid_t, int)>& ended) {
  signalfd_siginfo info[8];
  while (read(signal_fd_, info, sizeof(info)) > 0) {
  }
  for (;;) {
    int status = 0;
    rusage used{};
    pid_t pid = wait4(-1, &status, WNOHANG, &used);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) {
      any_ = pid == 0;
      break;
    }
    usage_.user_cpu = usage_.user_cpu + duration_of(used.ru_utime);
    usage_.system_cpu = usage_.system_cpu + duration_of(used.ru_stime);
    usage_.max_rss_bytes = std::max(usage_.max_rss_bytes, static_cast<std::uint64_t>(used.ru_maxrss) * 1024);
    ended(pid, status);
  }
  if (!killing_ || !any_) return;
  SignalCount count = kill_descendants(getpid());
  refused_rounds_ = count.sent == 0 && count.refused > 0 ? refused_rounds_ + 1 : 0;
  if (refused_rounds_ > k_refused_rounds_max) any_ = false;
  round_ms_ = std::min(round_ms_ * 2, k_round_ms_max);
}

void Offspring::signal_all(int signal) {
  signal_descendants(getpid(), SIGCONT);
  signal_descendants(getpid(), signal);
}

void Offspring::kill_all() {
  if (killing_) return;
  killing_ = true;
  kill_descendants(getpid());
}

}  // namespace virga
