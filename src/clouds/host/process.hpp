// Processes by identity. A bare pid may be reused; a pid with its start time is one process for ever.
//
//   ProcessId init = identify(pid);
//   kill_and_wait(init);          // gone, with everything in its pid namespace
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "clouds/host/sys.hpp"

namespace virga::host {

struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start = 0;  ///< clock ticks since boot: field 22 of /proc/PID/stat

  explicit operator bool() const { return pid > 0; }
};

/// Start zero when no such process lives (a zombie is dead).
ProcessId identify(pid_t pid);
bool is_alive(ProcessId process);
/// A pidfd of exactly this process, readable once it is dead; invalid when it is gone already.
UniqueFd open_process(ProcessId process);
/// Waits without limit: a process that was killed goes, or the machine is broken.
void kill_and_wait(ProcessId process);
/// If this process is dead and a child of ours, takes its zombie away. Nothing else can be meant by a pidfd.
void reap(int pidfd);

/// Names this boot of the machine: start times of another boot mean nothing.
std::string boot_id();

/// Kills what carries `marker` ("NAME=value") in its environment, and all descendants of it, until none is left.
/// This is how a node without a pid namespace ends. `init` is spared, but not its descendants: orphans come to it, so
/// while it lives nothing can get away, not even what cleared its environment. Zero: it is dead.
void end_marked(const std::string& marker, pid_t init);
/// Reaps dead children that came to us, the subreaper, when their own parent died. They are told from children of our
/// own making by their session; `is_waited_for` names those of another session that somebody waits for.
void reap_orphans(const std::function<bool(pid_t)>& is_waited_for);

/// Runs a tool with `input` on its standard input; an Error holds what it wrote on standard error.
/// It enters the network namespace first, if one is given. Only for single-threaded programs (it forks).
Status run_tool(const std::vector<std::string>& arguments, std::string_view input, int network_namespace = -1);
/// `ip -batch -`. The whole batch fails with its first failing line.
Status run_ip(std::string_view batch, int network_namespace = -1);
/// Where `ip` is, also when PATH has no sbin; empty when the machine lacks it.
std::string ip_program();

}  // namespace virga::host
