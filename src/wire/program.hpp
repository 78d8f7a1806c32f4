// Starting one program as the job's user.
//
//   StartedProgram child = start_program({.path = "/bin/true", .argv = {"true"}, …});
//   if (child.pid < 0) report(child.error);       // execve() and all before it: known when spawn() returns
//
// vfork() underneath: no copy of page tables, and the caller sleeps until the program runs or has failed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "wire/identity.hpp"

namespace virga {

struct ProgramStart {
  std::string path;
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  int in = -1;
  int out = -1;
  int err = -1;
  JobIdentity identity;
  mode_t umask = 022;
  bool terminal = false;                 ///< `in` is a terminal, which its session takes for its own
  std::vector<std::uint32_t> cpus = {};  ///< the processors that it may run on; empty: as this process
  std::string pid_variable = {};         ///< the name of one that holds its own process number; "": none
  bool own_session = true;               ///< else only a process group of its own
};

struct StartedProgram {
  pid_t pid = -1;
  bool in_exec = false;  ///< `error` is execve()'s, not that of a step before it
  int error = 0;
};

/// The child gets a session of its own (if wanted), default signals, the three descriptors and this process's working
/// directory; and the limits that SLURM_RLIMIT_* in its environment ask for, without these variables.
StartedProgram start_program(const ProgramStart& request);

/// Looks `command` up in the PATH of `environment` as execvp() does; "" if there is no such program.
std::string find_program(const std::string& command, const std::vector<std::string>& environment);

}  // namespace virga
