// Listening sockets: the Unix socket that appears whole or not at all, and the optional TCP one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace virga {

/// A listening Unix socket. It is bound under another name and renamed, so that whoever sees it can connect. One that a
/// dead process left is replaced; a living one is Code::conflict with its pid.
class UnixListener {
 public:
  static Result<UnixListener> open(const std::string& path, std::uint32_t mode);
  /// The caller owns the descriptor from now on.
  int take_fd();
  /// Removes the socket from the file system, if it is still this one.
  void remove_name() const;

  UnixListener(UnixListener&& other) noexcept;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener();

 private:
  UnixListener(int fd, std::string path, std::uint64_t inode) : fd_(fd), path_(std::move(path)), inode_(inode) {}
  int fd_;
  std::string path_;
  std::uint64_t inode_;
};

/// `address` is host:port, the host also as [::1]; port 0 takes a free one. Returns the descriptor.
Result<int> listen_tcp(const std::string& address);
std::uint16_t port_of(int fd);

}  // namespace virga
