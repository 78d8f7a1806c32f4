// The bearer token of all threads: fetched once, kept, and renewed before its end.
//
//   TokenSource tokens(settings, stopper);
//   Arm<std::string> token = tokens.get(http);
//   tokens.drop(*token);                       // Azure did not take it
//
// With a service principal it comes from the login endpoint (OAuth 2.0 client credentials), with a managed identity
// from the metadata service of the VM that the controller runs on. Nothing of it is ever logged or part of a message.
#pragma once

#include <mutex>
#include <string>

#include "clouds/azure/error_class.hpp"
#include "clouds/azure/http.hpp"
#include "clouds/azure/settings.hpp"

namespace virga::azure {

template <class T>
using Arm = tl::expected<T, ArmError>;

inline tl::unexpected<ArmError> failed(ArmError error) { return tl::unexpected<ArmError>(std::move(error)); }

class TokenSource {
 public:
  TokenSource(const AzureSettings& settings, Stopper& stopper) : settings_(settings), stopper_(stopper) {}

  /// Blocks while another thread fetches one.
  Arm<std::string> get(HttpConnection& http);
  void drop(const std::string& token);

 private:
  Arm<HttpAnswer> ask_login(HttpConnection& http) const;
  Arm<HttpAnswer> ask_metadata(HttpConnection& http);
  Arm<void> renew(HttpConnection& http);

  const AzureSettings& settings_;
  Stopper& stopper_;
  std::mutex mutex_;
  std::string token_;
  Time renew_at_;
};

}  // namespace virga::azure
