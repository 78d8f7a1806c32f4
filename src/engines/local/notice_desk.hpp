// The agent's side of the cloud's notices: keeps the watcher process alive and what it has said, and decides when an
// event may be approved.
//
//   NoticeDesk desk(service, {});                   // nothing: a node without a metadata service has no notices
//   desk.turn(now, any_job);                        // every turn of the agent's loop: starts the watcher, approves
//   poll desk.fd() for desk.poll_events(), at most desk.due(); then for (… : desk.read()) tell_engines(…);
//
// Approval starts the event at once, so an event is approved only when an engine has heard of it and the node has been
// without a job for a moment: a launch that was on its way is not cut off.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engines/local/notice_watch.hpp"
#include "wire/agent_protocol.hpp"
#include "wire/frame_channel.hpp"
#include "wire/metadata_client.hpp"

namespace virga {

class NoticeDesk {
 public:
  using Clock = std::chrono::steady_clock;

  NoticeDesk(std::optional<MetadataClient> service, const NoticeTimes& times)
      : service_(std::move(service)), times_(times) {}

  /// Starts the watcher if there should be one and its pause is over; approves what may be approved.
  void turn(Clock::time_point now, bool any_job);
  /// When turn() has something to do by itself.
  std::optional<Clock::time_point> due() const;
  int fd() const { return watcher_ ? watcher_->fd() : -1; }
  short poll_events() const { return watcher_ ? watcher_->poll_events() : short{0}; }
  /// Notices that are new.
  std::vector<NodeNotice> read();
  /// For an engine that has just said hello.
  std::vector<NodeNotice> pending() const;
  /// An engine has been told all that is pending: launches that it had sent before may still come.
  void told(Clock::time_point now);
  pid_t pid() const { return pid_; }
  /// No watcher any more: the one that runs ends when its socket closes, or with this process.
  void end();

 private:
  struct Pending {
    NodeNotice notice;
    bool told = false;
    bool approved = false;
  };

  std::optional<MetadataClient> service_;
  NoticeTimes times_;
  std::optional<FrameChannel> watcher_;
  pid_t pid_ = -1;
  Clock::time_point start_at_{};
  std::map<std::string, Pending> pending_;
  std::optional<Clock::time_point> free_since_;  ///< no job is on the node
};

}  // namespace virga
