// Non-blocking socket that carries AgentMessages.
#include "wire/frame_channel.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "wire/unix_address.hpp"

namespace virga {
namespace {

constexpr std::size_t k_read_bytes = 64 * 1024;
constexpr int k_reads_per_turn_max = 16;  // so that one loud peer does not starve the others

}  // namespace

FrameChannel::FrameChannel(int fd) : fd_(fd) {
  int flags = fcntl(fd_, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) fcntl(fd_, F_SETFL, flags | O_NONBLOCK);
}
FrameChannel::~FrameChannel() {
  if (fd_ >= 0) close(fd_);
}
FrameChannel::FrameChannel(FrameChannel&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      broken_(other.broken_),
      out_(std::move(other.out_)),
      out_start_(std::exchange(other.out_start_, 0)),
      reader_(std::move(other.reader_)) {
  other.out_.clear();
}
FrameChannel& FrameChannel::operator=(FrameChannel&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(broken_, other.broken_);
  std::swap(out_, other.out_);
  std::swap(out_start_, other.out_start_);
  std::swap(reader_, other.reader_);
  return *this;
}

short FrameChannel::poll_events() const {
  return static_cast<short>(unsent() != 0 && !broken_ ? POLLIN | POLLOUT : POLLIN);
}

void FrameChannel::send(const AgentMessage& message) {
  if (broken_) return;
  out_ += encode_frame(message);
  flush();
}

void FrameChannel::flush() {
  while (!broken_ && out_start_ < out_.size()) {
    ssize_t n = ::send(fd_, out_.data() + out_start_, out_.size() - out_start_, MSG_NOSIGNAL);
    if (n > 0) {
      out_start_ += static_cast<std::size_t>(n);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno != EINTR) {
      broken_ = true;
    }
  }
  if (broken_ || out_start_ == out_.size()) {
    out_.clear();
    out_start_ = 0;
  } else if (out_start_ > out_.size() / 2) {
    out_.erase(0, out_start_);
    out_start_ = 0;
  }
}

bool FrameChannel::receive() {
  char buffer[k_read_bytes];
  for (int i = 0; i < k_reads_per_turn_max; ++i) {
    ssize_t n = recv(fd_, buffer, sizeof(buffer), 0);
    if (n > 0) {
      reader_.feed({buffer, static_cast<std::size_t>(n)});
      if (static_cast<std::size_t>(n) < sizeof(buffer)) return true;
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
    broken_ = true;
    return false;
  }
  return true;
}

Result<int> connect_to_agent(const std::string& socket_path) {
  const Result<sockaddr_un> address = unix_address(socket_path);
  if (!address) return unexpected(address.error());
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(Code::exhausted, std::string("cannot open a socket: ") + std::strerror(errno), true);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    int error = errno;
    close(fd);
    return fail(Code::unavailable, "no agent answers at " + socket_path + ": " + std::strerror(error), true);
  }
  return fd;
}

}  // namespace virga
