// The health checks of a node: what its hardware shows, against what its size should have.
//
//   HealthReport report = check_health({.limits = *limits, .full = true}, real_tools("/folder"), {});
//   if (const HealthFinding* sick = report.first_failure()) say(sick->check, sentence_of(*sick));
//
//   gpu_count     as many GPUs answer as the size has
//   gpu_ecc       none has uncorrectable memory errors
//   gpu_throttle  none is slowed down by heat or by its power supply
//   gpu_xid       the kernel's log has no fault of a GPU's hardware
//   nvlink        each GPU has its number of active links
//   infiniband    as many ports are active at their rate
//   ib_flapping   no port went down more than once since the last check
//   all_reduce    an all-reduce over the GPUs reaches its bandwidth; only in full checks: it takes half a minute
//
// A check that fails is done once more before it counts. A tool that is not there, hangs or says something else than
// expected is a failure of its check; the kernel's log and counters, which not every node may read, are not: they are
// told as not measured. Checks of what a size does not have are left out.
//
// Jobs wait for the checks, so they have a limit: a tool that hangs is not asked again, and all tools together get
// HealthQuestion::within, after which what is left is failed.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/enum_names.hpp"
#include "wire/health_table.hpp"

namespace virga {

struct ToolOutput {
  enum class End : std::uint8_t { exited, missing, timed_out };
  End end = End::exited;
  int exit_code = 0;
  std::string text;  ///< standard output and standard error
};

/// How the checks reach the node.
struct HealthTools {
  std::function<ToolOutput(const std::vector<std::string>& argv, std::chrono::milliseconds within)> run;
  /// A file below /sys, by its path from there; nothing if it cannot be read.
  std::function<std::optional<std::string>(const std::string& path)> read;
};

/// Tools of this machine. Those of `folder`, if it is not empty, come first, and what it has in its folder sys/ counts
/// instead of /sys; at last comes where Azure's images keep nccl-tests.
HealthTools real_tools(const std::string& folder);

enum class HealthState : std::uint8_t { ok, failed, not_measured };
template <>
struct EnumNames<HealthState> {
  static constexpr std::string_view names[] = {"ok", "failed", "not_measured"};
};

struct HealthFinding {
  std::string check;
  HealthState state = HealthState::ok;
  std::string measured;
  std::string expected;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("check", s.check);
    v("state", s.state);
    v("measured", s.measured);
    v("expected", s.expected);
  }
};

/// How often each InfiniBand port has gone down since the node started.
using LinkDowns = std::map<std::string, std::uint64_t>;

struct HealthReport {
  std::vector<HealthFinding> findings;
  LinkDowns link_downs;

  /// Null: the node is healthy.
  const HealthFinding* first_failure() const;
};

struct HealthQuestion {
  HealthLimits limits;
  bool full = false;
  std::chrono::seconds within{120};  ///< the all-reduce of full checks has its own limit
};

/// `before`: what the last report of this node said.
HealthReport check_health(const HealthQuestion& question, const HealthTools& tools, const LinkDowns& before);

/// "7 GPUs, expected 8"
std::string sentence_of(const HealthFinding& finding);

}  // namespace virga
