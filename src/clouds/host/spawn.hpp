// Starting virga-node from virgad, whose threads forbid a plain fork.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "clouds/host/sys.hpp"

namespace virga::host {

/// A program whose standard output is `out`, a Unix socket, in a session of its own, so that it outlives us and hears
/// no Ctrl-C.
struct Spawned {
  pid_t pid = 0;
  UniqueFd out;
};
Result<Spawned> spawn(const std::vector<std::string>& arguments);

/// Follows the lines "step NAME", "ok" and "failed CODE MESSAGE" that launchers and the fabric write.
struct BootReport {
  std::string step;  ///< the last one that was begun
  bool ok = false;
  Error error;  ///< if not ok
};
/// Reads to the end, or until `deadline_ms` of the monotonic clock; then the error is Code::timeout.
BootReport read_report(int fd, std::int64_t deadline_ms);

std::int64_t monotonic_ms();

}  // namespace virga::host
