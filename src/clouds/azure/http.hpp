// One HTTPS request after the other, over a connection that is kept. One object a thread.
//
//   HttpConnection http({ca_file, Duration::seconds(10), Duration::seconds(60)}, stopper);
//   Result<HttpAnswer> answer = http.send({"GET", url, {}, {"Authorization: Bearer …"}});
//
// Every answer that came whole is a success here, whatever its status. Errors: unavailable (no connection, cut off),
// timeout, exhausted (an answer larger than k_body_most). Certificates are always checked; one that is refused is an
// error that is not retryable.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "clouds/azure/stopper.hpp"

namespace virga::azure {

inline constexpr std::size_t k_body_most = std::size_t{64} << 20;

struct HttpOptions {
  std::string ca_file;  ///< empty: the system's authorities
  Duration connect_timeout;
  Duration timeout;  ///< of a whole request
};

struct HttpRequest {
  std::string method;
  std::string url;
  std::string body = {};
  std::vector<std::string> headers = {};  ///< "Name: value"
};

struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers = {};  ///< names in lower case
  std::string body = {};

  /// Of the first header of that name, which is given in lower case; empty without one.
  std::string header(std::string_view name) const;
  /// Retry-After in seconds; zero if there is none, or a date.
  Duration retry_after() const;
};

class HttpConnection {
 public:
  HttpConnection(HttpOptions options, const Stopper& stopper);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  Result<HttpAnswer> send(const HttpRequest& request);

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace virga::azure
