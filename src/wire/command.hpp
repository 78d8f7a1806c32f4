// Running a program to its end, with a limit.
//
//   CommandEnd end = run_command({"mount", "-t", "nfs", source, path}, own_environment_with({}), seconds(30));
//   if (!end.ok()) report(end.why());          // "mount.nfs: access denied by server"
//
// For the node's own helpers (mount, rclone, the tools of the health checks), started as whoever the agent is. Blocks:
// never on the agent's thread while it serves.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace virga {

struct CommandEnd {
  enum class How : std::uint8_t { exited, not_started, stopped_at_limit };
  How how = How::exited;
  int exit_code = -1;  ///< of a program that exited, -1 if its end was not seen; 128 and the signal's number for one
                       ///< that was killed
  std::string out;     ///< the first 16 MiB of standard output: a kernel's log may be long
  std::string err;     ///< the same of standard error, or what this machine had to say

  bool ok() const { return exit_code == 0; }
  /// The last line that it wrote to standard error, or else its exit code.
  std::string why() const;
};

/// `argv[0]` is looked up in the PATH of `environment`. What is not over at the limit is killed, with all of its
/// process group, and not waited for: it may hang in the kernel. It stays in our session: children of another one are
/// taken for orphans by the host cloud, which reaps them, and with them their exit codes.
CommandEnd run_command(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                       std::chrono::milliseconds within);

/// Starts a program that goes on, in a session of its own, and writes both its streams to `log`.
Result<pid_t> start_command(const std::vector<std::string>& argv, const std::vector<std::string>& environment, int log);

/// This process's environment, in which `variables` ("NAME=value") come first and so count.
std::vector<std::string> own_environment_with(std::vector<std::string> variables);

}  // namespace virga
