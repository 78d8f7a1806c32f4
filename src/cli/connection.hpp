// One blocking HTTP/1.1 connection over a Unix or TCP socket (client.hpp is what commands use).
//
//   Connection c(address);
//   Connection::Reply reply = c.exchange("GET", "/v1/ping", "");
//
// A connection is opened when it is needed and kept; close() starts afresh.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace virga {

struct Address {
  std::string socket_path;  ///< or host and port:
  std::string host;
  std::string port;
  std::string token;

  std::string text() const { return socket_path.empty() ? "http://" + host + ":" + port : socket_path; }
};

class Connection {
 public:
  explicit Connection(Address address) : address_(std::move(address)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(); }

  struct Answer {
    int status = 0;
    std::string body;
  };
  /// What went wrong below HTTP. `sent` tells whether the other side may have seen the request.
  struct Failure {
    Error error;
    bool absent = false;  ///< nothing is there, and nothing was: no socket
    bool sent = false;
  };
  using Reply = tl::expected<Answer, Failure>;

  Reply exchange(std::string_view method, std::string_view target, std::string_view body);
  /// Hands a successful answer's body to `each` as it comes, until that returns false or the other side ends it
  /// (then the answer's body is empty). Other answers are returned whole.
  Reply stream(std::string_view target, const std::function<bool(std::string_view)>& each);
  void close();
  /// Asked from time to time while an answer does not come: when it says no, the connection counts as broken. A frozen
  /// controller keeps its connections, so nothing else would end the wait.
  void while_waiting(std::function<bool()> goes_on) { goes_on_ = std::move(goes_on); }

  const Address& address() const { return address_; }

 private:
  tl::expected<void, Failure> open();
  tl::expected<void, Failure> open_unix();
  tl::expected<void, Failure> open_tcp();
  tl::expected<void, Failure> send(std::string_view method, std::string_view target, std::string_view body);
  Reply receive(const std::function<bool(std::string_view)>* each);
  /// 0 at the end of the stream, -1 with errno; waits at most `timeout_ms` (-1: for ever).
  long read_some(char* into, std::size_t size, int timeout_ms);
  /// The same, asking while_waiting() meanwhile.
  long read_patiently(char* into, std::size_t size, int timeout_ms);
  tl::unexpected<Failure> broken(const std::string& what, bool sent);

  Address address_;
  std::function<bool()> goes_on_;
  int fd_ = -1;
  std::string unread_;  ///< bytes after the answer before
};

}  // namespace virga
