#include "http/listen.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "wire/unix_address.hpp"

namespace virga {
namespace {

constexpr int k_backlog = 4096;

tl::unexpected<Error> system_failure(const std::string& what) {
  int number = errno;
  Code code = number == EACCES || number == EPERM    ? Code::denied
              : number == ENOSPC || number == EMFILE ? Code::exhausted
                                                     : Code::internal;
  return fail(code, what + ": " + std::strerror(number));
}

/// Nothing if the path is free or holds a socket that nobody listens on.
Status check_path(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};
    return system_failure("cannot look at " + path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return fail(Code::conflict,
                path + " is taken by something that is no socket; remove it, or choose another VIRGA_HOME");
  }
  Result<sockaddr_un> address = unix_address(path);
  if (!address) return unexpected(address.error());
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return system_failure("cannot make a socket");
  // EAGAIN: alive, with a full queue.
  bool alive = ::connect(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0 || errno == EAGAIN;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (alive) ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  ::close(fd);
  if (!alive) return {};
  return fail(Code::conflict, "virgad is running already: process " + std::to_string(peer.pid) + " listens on " + path);
}

}  // namespace

Result<UnixListener> UnixListener::open(const std::string& path, std::uint32_t mode) {
  if (Status free = check_path(path); !free) return unexpected(free.error());
  std::string early = path + "." + std::to_string(::getpid());
  Result<sockaddr_un> address = unix_address(early);
  if (!address) return unexpected(address.error());
  int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return system_failure("cannot make a socket");
  UnixListener listener(fd, path, 0);
  ::unlink(early.c_str());
  struct stat info {};
  // The mode is set before anybody can connect: listen() comes after it.
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::chmod(early.c_str(), mode) != 0 || ::listen(fd, k_backlog) != 0 || ::lstat(early.c_str(), &info) != 0 ||
      ::rename(early.c_str(), path.c_str()) != 0) {
    auto failure = system_failure("cannot make the socket " + path);
    ::unlink(early.c_str());
    return failure;
  }
  listener.inode_ = info.st_ino;
  return listener;
}

UnixListener::UnixListener(UnixListener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(other.path_), inode_(other.inode_) {}

UnixListener::~UnixListener() {
  if (fd_ >= 0) ::close(fd_);
}

int UnixListener::take_fd() { return std::exchange(fd_, -1); }

void UnixListener::remove_name() const {
  struct stat info {};
  if (::lstat(path_.c_str(), &info) == 0 && info.st_ino == inode_) ::unlink(path_.c_str());
}

Result<int> listen_tcp(const std::string& address) {
  std::size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon == address.npos ? 0 : colon);
  std::string port = colon == address.npos ? "" : address.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || port.empty() || port.find_first_not_of("0123456789") != port.npos) {
    return fail(Code::invalid, "listen is '" + address + "', which must be host:port, such as 127.0.0.1:6820");
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return fail(Code::invalid, "listen is '" + address + "': " + ::gai_strerror(error));
  }
  int fd = ::socket(found->ai_family, found->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, found->ai_protocol);
  int on = 1;
  bool bound = fd >= 0 && ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
               ::bind(fd, found->ai_addr, found->ai_addrlen) == 0 && ::listen(fd, k_backlog) == 0;
  ::freeaddrinfo(found);
  if (bound) return fd;
  auto failure = errno == EADDRINUSE
                     ? fail(Code::conflict, "listen is '" + address + "', where another program listens already")
                     : system_failure("cannot listen on " + address);
  if (fd >= 0) ::close(fd);
  return failure;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  if (address.ss_family == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

}  // namespace virga
