// The processes below a process, as /proc tells: how a job's processes are found, signalled and ended.
//
//   auto below = descendants_of(getpid());
//   kill_descendants(getpid());            // one round; repeat until waitpid() says that no child is left
//
// A supervisor is a child subreaper, so whatever its job starts, double forks and new sessions included, stays below
// it.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <set>
#include <vector>

namespace virga {

/// Living processes below `root`, parents before their children. Those in `spared`, and what is below them, are left
/// out.
std::vector<pid_t> descendants_of(pid_t root, const std::set<pid_t>& spared = {});

struct SignalCount {
  std::size_t sent = 0;
  std::size_t refused = 0;  ///< no right to signal it
};
SignalCount signal_descendants(pid_t root, int signal);
/// Stops all of them until no new one appears, then kills them: a process that forks as fast as it can does not escape,
/// and no pid can change hands between looking and killing, as stopped parents reap nobody.
SignalCount kill_descendants(pid_t root, const std::set<pid_t>& spared = {});

}  // namespace virga
