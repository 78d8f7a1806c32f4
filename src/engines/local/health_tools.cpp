// The tools and files of this machine, as the health checks use them.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "engines/local/health_check.hpp"
#include "engines/local/program.hpp"

namespace virga {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// A kernel's log may be long.
constexpr std::size_t k_text_bytes_max = 16 << 20;
constexpr const char* k_standard_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* k_azure_image_path = "/opt/nccl-tests/build:/opt/rccl-tests/build:/opt/rocm/bin";

std::vector<std::string> environment_with(const std::string& folder) {
  const char* inherited = std::getenv("PATH");
  std::string path = inherited != nullptr && *inherited != '\0' ? inherited : k_standard_path;
  if (!folder.empty()) path = folder + ":" + path;
  std::vector<std::string> environment{"PATH=" + path + ":" + k_azure_image_path, "LC_ALL=C"};
  for (const char* name : {"LD_LIBRARY_PATH", "CUDA_HOME", "NCCL_TOPO_FILE", "VIRGA_NODE_NAME", "VIRGA_VM"}) {
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  }
  return environment;
}

JobIdentity own_identity() {
  JobIdentity self{geteuid(), getegid(), {}};
  self.groups.resize(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
  if (getgroups(static_cast<int>(self.groups.size()), self.groups.data()) < 0) self.groups.clear();
  return self;
}

/// Reads until the other end is closed. False if that takes too long.
bool read_all(int fd, SteadyClock::time_point until, std::string& text) {
  char buffer[1 << 16];
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now()).count();
    if (left <= 0) return false;
    pollfd ready{fd, POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(left)) <= 0) continue;
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return true;
    if (text.size() < k_text_bytes_max) text.append(buffer, static_cast<std::size_t>(n));
  }
}

/// The tool has closed its output; it may still hang before its end. False if it had to be killed.
bool wait_for(pid_t pid, SteadyClock::time_point until, int& status) {
  constexpr useconds_t k_round_us = 10'000;
  for (;;) {
    const pid_t ended = waitpid(pid, &status, WNOHANG);
    if (ended == pid || (ended < 0 && errno != EINTR)) return true;
    if (SteadyClock::now() >= until) return false;
    usleep(k_round_us);
  }
}

ToolOutput run_tool(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                    std::chrono::seconds within) {
  ToolOutput output;
  output.end = ToolOutput::End::missing;
  const std::string path = find_program(argv.front(), environment);
  int ends[2];
  if (path.empty() || pipe2(ends, O_CLOEXEC) != 0) return output;
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const StartedProgram tool = start_program({.path = path,
                                             .argv = argv,
                                             .environment = environment,
                                             .in = nothing,
                                             .out = ends[1],
                                             .err = ends[1],
                                             .identity = own_identity()});
  close(nothing);
  close(ends[1]);
  if (tool.pid > 0) {
    const auto until = SteadyClock::now() + within;
    int status = 0;
    if (read_all(ends[0], until, output.text) && wait_for(tool.pid, until, status)) {
      output.end = ToolOutput::End::exited;
      output.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    } else {
      output.end = ToolOutput::End::timed_out;
      kill(-tool.pid, SIGKILL);  // it leads a session of its own
      // One that hangs in the kernel, as nvidia-smi on a dead GPU does, is not waited for.
      waitpid(tool.pid, &status, WNOHANG);
    }
  }
  close(ends[0]);
  return output;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

HealthTools real_tools(const std::string& folder) {
  const std::string own_sys = folder + "/sys/";
  const bool has_own_sys = !folder.empty() && access(own_sys.c_str(), X_OK) == 0;
  return {.run = [environment = environment_with(folder)](const auto& argv,
                                                          auto within) { return run_tool(argv, environment, within); },
          .read = [root = has_own_sys ? own_sys : "/sys/"](const std::string& path) { return read_file(root + path); }};
}

}  // namespace virga
