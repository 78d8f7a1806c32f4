#include "clouds/host/spawn.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>

namespace virga::host {

std::int64_t monotonic_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

Result<Spawned> spawn(const std::vector<std::string>& arguments) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  UniqueFd out(ends[0]), in(ends[1]);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, in.get(), 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);

  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  int number = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (number != 0) return fail_errno("start " + arguments[0], number);
  return Spawned{pid, std::move(out)};
}

BootReport read_report(int fd, std::int64_t deadline_ms) {
  BootReport report;
  report.error = {Code::internal, "ended without a word", false};
  std::string text;
  for (;;) {
    std::int64_t left = deadline_ms - monotonic_ms();
    pollfd wait_for{fd, POLLIN, 0};
    int ready = left > 0 ? poll(&wait_for, 1, static_cast<int>(std::min<std::int64_t>(left, 1'000'000))) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      report.ok = false;
      report.error = {Code::timeout, "did not end in time", true};
      return report;
    }
    char buffer[1024];
    ssize_t n = read(fd, buffer, sizeof buffer);
    if (n <= 0) return report;
    text.append(buffer, static_cast<std::size_t>(n));
    for (std::size_t end; (end = text.find('\n')) != std::string::npos; text.erase(0, end + 1)) {
      std::string line = text.substr(0, end);
      if (line == "ok") report.ok = true;
      if (line.compare(0, 5, "step ") == 0) report.step = line.substr(5);
      if (line.compare(0, 7, "failed ") == 0) {
        bool exhausted = line.compare(7, 10, "exhausted ") == 0;
        report.ok = false;
        report.error = {exhausted ? Code::exhausted : Code::internal, line.substr(line.find(' ', 7) + 1), exhausted};
      }
    }
  }
}

}  // namespace virga::host
