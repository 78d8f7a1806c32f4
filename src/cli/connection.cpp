#include "cli/connection.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <cstring>

#include "wire/unix_address.hpp"

namespace virga {
namespace {

namespace http = boost::beast::http;

/// A live stream says something (at least a heartbeat) every 15 s; after this long it is dead.
constexpr int k_stream_silence_ms = 60'000;
/// Whether to wait on is asked often at first, since a takeover is quick, and then less and less.
constexpr int k_first_doubts = 4;
constexpr int k_doubt_first_ms = 500;
constexpr int k_doubt_most_ms = 5'000;
constexpr std::uint32_t k_header_bytes_max = 64 * 1024;

std::string error_text(int number) { return std::strerror(number); }

}  // namespace

tl::unexpected<Connection::Failure> Connection::broken(const std::string& what, bool sent) {
  close();
  return tl::make_unexpected(Failure{
      {Code::unavailable, "the connection to virgad at " + address_.text() + " broke: " + what, true}, false, sent});
}

void Connection::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  unread_.clear();
}

tl::expected<void, Connection::Failure> Connection::open_unix() {
  const Result<sockaddr_un> name = unix_address(address_.socket_path);
  if (!name) return tl::make_unexpected(Failure{name.error()});
  fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0) return broken(error_text(errno), false);
  int result;
  do {
    result = ::connect(fd_, reinterpret_cast<const sockaddr*>(&*name), sizeof *name);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return {};
  int number = errno;
  close();
  if (number == EACCES || number == EPERM) {
    return tl::make_unexpected(Failure{{Code::denied, "no right to use virgad's socket " + address_.socket_path +
                                                          "; it is another user's: set VIRGA_HOME to your own"}});
  }
  bool absent = number == ENOENT || number == ENOTDIR;
  std::string why = absent ? "there is no socket " : "nobody answers at the socket ";
  return tl::make_unexpected(Failure{
      {Code::unavailable, "virgad is not running: " + why + address_.socket_path + "; start it with `virga up`", true},
      absent,
      false});
}

tl::expected<void, Connection::Failure> Connection::open_tcp() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string why = "unknown host";
  if (int error = ::getaddrinfo(address_.host.c_str(), address_.port.c_str(), &hints, &found); error != 0) {
    why = ::gai_strerror(error);
  }
  for (const addrinfo* a = found; a != nullptr && fd_ < 0; a = a->ai_next) {
    fd_ = ::socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
    if (fd_ >= 0 && ::connect(fd_, a->ai_addr, a->ai_addrlen) == 0) break;
    why = error_text(errno);
    close();
  }
  if (found != nullptr) ::freeaddrinfo(found);
  if (fd_ < 0) {
    return tl::make_unexpected(Failure{{Code::unavailable,
                                        "no virgad at " + address_.text() + " (VIRGA_API): " + why +
                                            "; start it with `virga up` there, or unset VIRGA_API",
                                        true}});
  }
  int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return {};
}

tl::expected<void, Connection::Failure> Connection::open() {
  if (fd_ >= 0) {
    // A kept connection that the other side has closed meanwhile is replaced before anything is sent on it.
    char byte;
    long n = ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    close();
  }
  return address_.socket_path.empty() ? open_tcp() : open_unix();
}

tl::expected<void, Connection::Failure> Connection::send(std::string_view method, std::string_view target,
                                                         std::string_view body) {
  for (char c : target) {
    if (c <= ' ' || c == 0x7F)
      return tl::make_unexpected(Failure{{Code::internal, "a request's path holds a blank or control character"}});
  }
  if (auto opened = open(); !opened) return opened;
  std::string head;
  head.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: ");
  head.append(address_.socket_path.empty() ? address_.host + ":" + address_.port : "virga").append("\r\n");
  if (!address_.token.empty()) head.append("Authorization: Bearer ").append(address_.token).append("\r\n");
  // Of several controllers the leader is asked, so that who has submitted sees it at once.
  if (method == "GET") head.append("Virga-Ask: leader\r\n");
  if (method == "POST") {
    head.append("Content-Type: application/json\r\nContent-Length: ").append(std::to_string(body.size()));
    head.append("\r\n");
  }
  head.append("\r\n");
  iovec parts[2] = {{head.data(), head.size()}, {const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  std::size_t left = head.size() + body.size();
  bool sent = false;
  while (left > 0) {
    long n = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      // A refusal of the whole request (body too large) may lie there to be read.
      if ((errno == EPIPE || errno == ECONNRESET) && sent) return {};
      return broken(error_text(errno), sent);
    }
    sent = true;
    left -= static_cast<std::size_t>(n);
    for (std::size_t done = static_cast<std::size_t>(n); done > 0;) {
      std::size_t step = std::min(done, message.msg_iov->iov_len);
      message.msg_iov->iov_base = static_cast<char*>(message.msg_iov->iov_base) + step;
      message.msg_iov->iov_len -= step;
      done -= step;
      if (message.msg_iov->iov_len == 0 && message.msg_iovlen > 1) {
        ++message.msg_iov;
        --message.msg_iovlen;
      }
    }
  }
  return {};
}

long Connection::read_some(char* into, std::size_t size, int timeout_ms) {
  for (;;) {
    if (timeout_ms >= 0) {
      pollfd p{fd_, POLLIN, 0};
      int ready = ::poll(&p, 1, timeout_ms);
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) errno = ETIMEDOUT;
      if (ready <= 0) return -1;
    }
    long n = ::recv(fd_, into, size, 0);
    if (n < 0 && errno == EINTR) continue;
    return n;
  }
}

long Connection::read_patiently(char* into, std::size_t size, int timeout_ms) {
  if (!goes_on_) return read_some(into, size, timeout_ms);
  int step = k_doubt_first_ms;
  int doubts = 0;
  for (int waited = 0; timeout_ms < 0 || waited < timeout_ms; waited += step) {
    if (++doubts > k_first_doubts) step = std::min(step * 3 / 2, k_doubt_most_ms);
    const long n = read_some(into, size, step);
    if (n >= 0 || errno != ETIMEDOUT) return n;
    if (!goes_on_()) break;
  }
  errno = ETIMEDOUT;
  return -1;
}

Connection::Reply Connection::receive(const std::function<bool(std::string_view)>* each) {
  http::response_parser<http::string_body> parser;
  parser.eager(true);
  parser.header_limit(k_header_bytes_max);
  parser.body_limit(boost::none);
  bool ended = false;
  while (!parser.is_done()) {
    boost::beast::error_code error;
    std::size_t used = parser.put(boost::asio::buffer(unread_), error);
    unread_.erase(0, used);
    if (error && error != http::error::need_more) return broken("its answer is no HTTP: " + error.message(), true);
    bool streams = each != nullptr && parser.is_header_done() && parser.get().result_int() == 200;
    if (streams && !parser.get().body().empty()) {
      std::string piece = std::move(parser.get().body());
      parser.get().body().clear();
      if (!(*each)(piece)) {
        close();
        return Answer{200, ""};
      }
    }
    if (parser.is_done()) break;
    if (used > 0 && !unread_.empty()) continue;
    if (ended) return broken("it was closed within an answer", true);
    char bytes[64 * 1024];
    long n = read_patiently(bytes, sizeof bytes, streams ? k_stream_silence_ms : -1);
    if (n < 0) return broken(error_text(errno), true);
    if (n == 0 && !parser.got_some()) return broken("it was closed before an answer came", true);
    if (n == 0) {
      ended = true;
      parser.put_eof(error);
      if (error) return broken("it was closed within an answer", true);
    }
    unread_.append(bytes, static_cast<std::size_t>(n));
  }
  Answer answer{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
  if (!parser.keep_alive()) close();
  return answer;
}

Connection::Reply Connection::exchange(std::string_view method, std::string_view target, std::string_view body) {
  if (auto sent = send(method, target, body); !sent) return tl::make_unexpected(sent.error());
  return receive(nullptr);
}

Connection::Reply Connection::stream(std::string_view target, const std::function<bool(std::string_view)>& each) {
  if (auto sent = send("GET", target, ""); !sent) return tl::make_unexpected(sent.error());
  return receive(&each);
}

}  // namespace virga
