#include "wire/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "wire/program.hpp"

namespace virga {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t k_kept_bytes_max = 16 << 20;
constexpr int k_look_again_ms_max = 10;

struct Streams {
  int out;
  int err;
};

JobIdentity own_identity() {
  JobIdentity self{geteuid(), getegid(), {}};
  self.groups.resize(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
  if (getgroups(static_cast<int>(self.groups.size()), self.groups.data()) < 0) self.groups.clear();
  return self;
}

Result<pid_t> start_with(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                         Streams streams, bool own_session) {
  const auto cannot = [&](int error) {
    return fail(Code::unavailable, "cannot run " + argv.front() + ": " + std::strerror(error));
  };
  const std::string path = find_program(argv.front(), environment);
  if (path.empty()) return cannot(ENOENT);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0) return cannot(errno);
  const StartedProgram program = start_program({.path = path,
                                                .argv = argv,
                                                .environment = environment,
                                                .in = nothing,
                                                .out = streams.out,
                                                .err = streams.err,
                                                .identity = own_identity(),
                                                .own_session = own_session});
  close(nothing);
  if (program.pid < 0) return cannot(program.error);
  return program.pid;
}

/// Reads both streams to their ends, or until `limit`. False: the limit came.
bool collect(Streams streams, Clock::time_point limit, CommandEnd& end) {
  pollfd fds[2] = {{streams.out, POLLIN, 0}, {streams.err, POLLIN, 0}};
  std::string* texts[2] = {&end.out, &end.err};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const auto left = std::chrono::ceil<milliseconds>(limit - Clock::now()).count();
    if (left <= 0) return false;
    if (poll(fds, 2, static_cast<int>(left)) <= 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[1 << 16];
      const ssize_t n = read(fds[i].fd, buffer, sizeof(buffer));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        fds[i].fd = -1;
      } else if (texts[i]->size() < k_kept_bytes_max) {
        texts[i]->append(buffer, static_cast<std::size_t>(n));
      }
    }
  }
  return true;
}

/// It has closed its streams; it may still hang before its end. False: the limit came. No status: somebody else has
/// waited for it.
bool wait_for(pid_t pid, Clock::time_point limit, std::optional<int>& status) {
  for (int pause_ms = 1;; pause_ms = std::min(2 * pause_ms, k_look_again_ms_max)) {
    int now = 0;
    const pid_t ended = waitpid(pid, &now, WNOHANG);
    if (ended == pid) status = now;
    if (ended == pid || (ended < 0 && errno != EINTR)) return true;
    if (Clock::now() >= limit) return false;
    poll(nullptr, 0, pause_ms);
  }
}

CommandEnd not_started(std::string why) { return {CommandEnd::How::not_started, -1, "", std::move(why)}; }

}  // namespace

std::string CommandEnd::why() const {
  std::string text = err;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const auto line = text.rfind('\n');
  if (line != std::string::npos) text.erase(0, line + 1);
  return text.empty() ? "exit code " + std::to_string(exit_code) : text;
}

CommandEnd run_command(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                       milliseconds within) {
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return not_started(std::string("pipe: ") + std::strerror(errno));
  if (pipe2(err, O_CLOEXEC) != 0) {
    const int error = errno;
    close(out[0]);
    close(out[1]);
    return not_started(std::string("pipe: ") + std::strerror(error));
  }
  const auto limit = Clock::now() + within;
  const auto pid = start_with(argv, environment, {out[1], err[1]}, false);
  close(out[1]);
  close(err[1]);
  CommandEnd end;
  std::optional<int> status;
  if (!pid) {
    end = not_started(pid.error().message);
  } else if (collect({out[0], err[0]}, limit, end) && wait_for(*pid, limit, status)) {
    if (status) end.exit_code = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
  } else {
    kill(-*pid, SIGKILL);
    waitpid(*pid, nullptr, WNOHANG);
    end.how = CommandEnd::How::stopped_at_limit;
    end.err += "\n" + argv.front() + " did not end within " + std::to_string(within.count() / 1000) + " s";
  }
  close(out[0]);
  close(err[0]);
  return end;
}

Result<pid_t> start_command(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                            int log) {
  return start_with(argv, environment, {log, log}, true);
}

std::vector<std::string> own_environment_with(std::vector<std::string> variables) {
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  return variables;
}

}  // namespace virga
