// A non-blocking socket that carries AgentMessages, with bounded reading and buffered writing.
//
//   FrameChannel channel(fd);
//   channel.send(AgentHello{});                      // queued, and written as far as the socket takes it
//   if (!channel.receive()) …                        // the other side is gone
//   while (auto m = channel.next(); m && *m) handle(**m);
//   poll for channel.poll_events()
//
// The caller bounds what it sends by looking at unsent(): the channel itself never blocks and never drops.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "wire/agent_protocol.hpp"

namespace virga {

class FrameChannel {
 public:
  explicit FrameChannel(int fd);  ///< takes the descriptor over
  ~FrameChannel();
  FrameChannel(FrameChannel&& other) noexcept;
  FrameChannel& operator=(FrameChannel&& other) noexcept;

  int fd() const { return fd_; }
  bool broken() const { return broken_; }
  std::size_t unsent() const { return out_.size() - out_start_; }
  /// What to poll for: always reading, and writing while something is unsent.
  short poll_events() const;

  void send(const AgentMessage& message);
  void flush();
  /// Reads what is there. False once the other side has closed or failed; what came before is still in next().
  bool receive();
  Result<std::optional<AgentMessage>> next() { return reader_.next(); }

 private:
  int fd_ = -1;
  bool broken_ = false;
  std::string out_;
  std::size_t out_start_ = 0;
  FrameReader reader_;
};

/// Connects to an agent's socket; the result is non-blocking. Code::unavailable if nobody answers there.
Result<int> connect_to_agent(const std::string& socket_path);

}  // namespace virga
