// The agent's side of the health checks: runs them in a process of its own, one after the other, and keeps what they
// said.
//
//   HealthDesk desk(settings);                      // nothing: a node that is not checked is healthy
//   desk.begin(HealthDesk::Extent::full);           // forks the checker
//   poll desk.fd() for desk.poll_events(); then if (desk.read()) … desk.sick() …
//
// A checker that dies without a word counts as a failed check.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "engines/local/health_check.hpp"
#include "wire/agent_protocol.hpp"
#include "wire/frame_channel.hpp"

namespace virga {

struct HealthSettings {
  HealthLimits limits;
  std::string tools;  ///< folder that is first on the PATH of the checks; may be empty
};

class HealthDesk {
 public:
  enum class Extent : std::uint8_t { brief, full };

  explicit HealthDesk(std::optional<HealthSettings> settings) : settings_(std::move(settings)) {}

  /// Starts the checks; while some run, others follow them.
  void begin(Extent extent);
  /// No check has said yet what the node is like: it is not ready.
  bool is_first() const { return settings_ && !spoke_; }
  bool is_busy() const { return channel_.has_value(); }
  /// The last check failed.
  const std::optional<NodeSick>& sick() const { return sick_; }
  int fd() const { return channel_ ? channel_->fd() : -1; }
  short poll_events() const { return channel_ ? channel_->poll_events() : short{0}; }
  /// True if a round of checks is over, and no other one follows it.
  bool read();
  pid_t pid() const { return pid_; }
  /// No checks any more: the one that runs ends when its socket closes, or with this process.
  void end();

 private:
  void start(Extent extent);
  void heard(const HealthChecked& result);

  std::optional<HealthSettings> settings_;
  std::optional<FrameChannel> channel_;
  pid_t pid_ = -1;
  bool again_ = false;
  bool spoke_ = false;
  std::uint32_t round_ = 0;
  std::optional<NodeSick> sick_;
  LinkDowns link_downs_;
};

}  // namespace virga
