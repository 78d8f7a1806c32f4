#include "unit/http/world.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace virga::test {

RawSocket::RawSocket(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
}

RawSocket::RawSocket(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
}

void RawSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    long n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the other side may have had enough
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void RawSocket::end_input() { ::shutdown(fd_, SHUT_WR); }

std::string RawSocket::read_until(std::string_view text) {
  for (;;) {
    if (std::size_t at = seen_.find(text); at != seen_.npos) {
      std::string out = seen_.substr(0, at + text.size());
      seen_.erase(0, at + text.size());
      return out;
    }
    char bytes[65536];
    pollfd p{fd_, POLLIN, 0};
    long n = ::poll(&p, 1, 20'000) == 1 ? ::recv(fd_, bytes, sizeof bytes, 0) : -1;
    if (n <= 0) return std::exchange(seen_, {});
    seen_.append(bytes, static_cast<std::size_t>(n));
  }
}

}  // namespace virga::test
