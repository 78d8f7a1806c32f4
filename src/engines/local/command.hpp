// Running a program to its end, with a limit.
//
//   CommandEnd end = run_command({"mount", "-t", "nfs", source, path}, {}, std::chrono::seconds(30));
//   if (!end.ok()) report(end.why());          // "mount.nfs: access denied by server"
//
// For the node's own helpers (mount, rclone), started as the administrator. Blocks: never on the agent's thread while
// it serves.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace virga {

struct CommandEnd {
  int exit_code = -1;  ///< -1: not started, killed by a signal, or stopped at the limit
  std::string out;     ///< the first MiB of standard output
  std::string err;     ///< the same of standard error, or what this machine had to say

  bool ok() const { return exit_code == 0; }
  /// The last line that it wrote to standard error, or else its exit code.
  std::string why() const;
};

/// `argv[0]` is looked up in PATH; `variables` ("NAME=value") are added to this process's environment.
CommandEnd run_command(const std::vector<std::string>& argv, const std::vector<std::string>& variables,
                       std::chrono::milliseconds limit);

/// Starts a program that goes on, in a session of its own, and writes both its streams to `log`.
Result<pid_t> start_command(const std::vector<std::string>& argv, const std::vector<std::string>& variables, int log);

}  // namespace virga
