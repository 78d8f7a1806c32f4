#include "engines/local/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace virga {
namespace {

constexpr std::size_t k_kept_bytes_max = 1 << 20;

/// Argument vectors as exec wants them; the strings must outlive it.
class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {
    for (std::string& word : words_) pointers_.push_back(word.data());
    pointers_.push_back(nullptr);
  }
  Words(const Words&) = delete;
  Words& operator=(const Words&) = delete;
  char** get() { return pointers_.data(); }

 private:
  std::vector<std::string> words_;
  std::vector<char*> pointers_;
};

std::vector<std::string> environment_with(const std::vector<std::string>& variables) {
  std::vector<std::string> all = variables;  // the first of a name is the one that counts
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  return all;
}

struct Streams {
  int out;
  int err;
};

/// Default signals, a session of its own (so that all of it can be ended), descriptors as given.
int spawn_program(const std::vector<std::string>& argv, const std::vector<std::string>& variables, Streams streams,
                  pid_t& pid) {
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, streams.out, 1);
  posix_spawn_file_actions_adddup2(&files, streams.err, 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  Words words(argv);
  Words environment(environment_with(variables));
  const int error = posix_spawnp(&pid, argv[0].c_str(), &files, &attributes, words.get(), environment.get());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error;
}

/// Reads both streams to their ends, or until `deadline`. False: the deadline came.
bool collect(int out, int err, std::chrono::steady_clock::time_point deadline, CommandEnd& end) {
  pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* texts[2] = {&end.out, &end.err};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
    if (left <= 0) return false;
    if (poll(fds, 2, static_cast<int>(left)) < 0 && errno != EINTR) return false;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].fd < 0 || fds[i].revents == 0) continue;
      char buffer[16384];
      const ssize_t n = read(fds[i].fd, buffer, sizeof(buffer));
      if (n <= 0) {
        fds[i].fd = -1;
      } else if (texts[i]->size() < k_kept_bytes_max) {
        texts[i]->append(buffer, static_cast<std::size_t>(n));
      }
    }
  }
  return true;
}

}  // namespace

std::string CommandEnd::why() const {
  std::string text = err;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  const auto line = text.rfind('\n');
  if (line != std::string::npos) text.erase(0, line + 1);
  return text.empty() ? "exit code " + std::to_string(exit_code) : text;
}

CommandEnd run_command(const std::vector<std::string>& argv, const std::vector<std::string>& variables,
                       std::chrono::milliseconds limit) {
  CommandEnd end;
  int out[2];
  int err[2];
  if (pipe2(out, O_CLOEXEC) != 0) return {-1, "", std::string("pipe: ") + std::strerror(errno)};
  if (pipe2(err, O_CLOEXEC) != 0) {
    close(out[0]);
    close(out[1]);
    return {-1, "", std::string("pipe: ") + std::strerror(errno)};
  }
  pid_t pid = -1;
  const int error = spawn_program(argv, variables, {out[1], err[1]}, pid);
  close(out[1]);
  close(err[1]);
  if (error == 0) {
    const bool ended = collect(out[0], err[0], std::chrono::steady_clock::now() + limit, end);
    if (!ended) {
      kill(-pid, SIGKILL);
      end.err += "\n" + argv[0] + " did not end within " + std::to_string(limit.count() / 1000) + " s";
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    end.exit_code = ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  } else {
    end.err = "cannot run " + argv[0] + ": " + std::strerror(error);
  }
  close(out[0]);
  close(err[0]);
  return end;
}

Result<pid_t> start_command(const std::vector<std::string>& argv, const std::vector<std::string>& variables, int log) {
  pid_t pid = -1;
  const int error = spawn_program(argv, variables, {log, log}, pid);
  if (error != 0) return fail(Code::unavailable, "cannot run " + argv[0] + ": " + std::strerror(error));
  return pid;
}

}  // namespace virga
