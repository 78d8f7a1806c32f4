#include "clouds/azure/token_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "wire/encodings.hpp"
#include "wire/json_codec.hpp"

namespace virga::azure {
namespace {

constexpr int k_metadata_tries = 5;
constexpr Duration k_margin = Duration::minutes(5);  ///< a token is renewed that long before its end

ArmError credentials_error(std::string message) {
  return {.kind = ArmErrorKind::credentials, .code = "Credentials", .message = std::move(message), .retry_after = {}};
}

ArmError connection_error(const std::string& where, const Error& error) {
  return {.kind = error.retryable ? ArmErrorKind::fault : ArmErrorKind::request,
          .code = "Connection",
          .message = where + ": " + error.message,
          .retry_after = {}};
}

/// expires_in is a number of the login endpoint, and a text of the metadata service.
std::int64_t seconds_of(JsonNode node) {
  if (!node) return 0;
  if (const auto number = node.kind() == JsonNode::Kind::integer ? node.signed_integer() : std::nullopt) return *number;
  std::int64_t seconds = 0;
  if (node.kind() == JsonNode::Kind::string) {
    const std::string_view text = node.string();
    std::from_chars(text.data(), text.data() + text.size(), seconds);
  }
  return seconds;
}

}  // namespace

Arm<HttpAnswer> TokenSource::ask_login(HttpConnection& http) const {
  std::string secret;
  std::ifstream file(settings_.secret_file);
  if (!file || !std::getline(file, secret) || secret.empty()) {
    return failed(
        credentials_error("cloud.azure.secret_file " + settings_.secret_file + " cannot be read or is empty"));
  }
  while (!secret.empty() && (secret.back() == '\r' || secret.back() == ' ')) secret.pop_back();
  const std::string body = fmt::format("grant_type=client_credentials&client_id={}&client_secret={}&scope={}",
                                       percent_encoded(settings_.client_id), percent_encoded(secret),
                                       percent_encoded(settings_.endpoint + "/.default"));
  auto answer = http.send({"POST",
                           fmt::format("{}/{}/oauth2/v2.0/token", settings_.login_endpoint, settings_.tenant),
                           body,
                           {"Content-Type: application/x-www-form-urlencoded"}});
  if (!answer) return failed(connection_error(settings_.login_endpoint, answer.error()));
  return *std::move(answer);
}

/// The metadata service is small: it is asked again while it is busy, starts, or does not know the identity yet.
Arm<HttpAnswer> TokenSource::ask_metadata(HttpConnection& http) {
  std::string url = fmt::format("{}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={}", settings_.imds,
                                percent_encoded(settings_.endpoint));
  if (!settings_.client_id.empty()) url += "&client_id=" + percent_encoded(settings_.client_id);
  Duration pause = Duration::milliseconds(500);
  for (int attempt = 1;; ++attempt) {
    auto answer = http.send({"GET", url, {}, {"Metadata: true"}});
    const bool again =
        !answer || answer->status == 404 || answer->status == 410 || answer->status == 429 || answer->status >= 500;
    if (!again) return *std::move(answer);
    if (attempt == k_metadata_tries || !stopper_.sleep(pause)) {
      if (!answer) return failed(connection_error(settings_.imds, answer.error()));
      return *std::move(answer);
    }
    pause = pause * 2;
  }
}

Arm<void> TokenSource::renew(HttpConnection& http) {
  const bool by_secret = settings_.identity == AzureIdentity::secret;
  const Time asked = Stopper::now();
  auto answer = by_secret ? ask_login(http) : ask_metadata(http);
  if (!answer) return failed(std::move(answer.error()));
  if (answer->status != 200) {
    ArmError error = classify_answer(answer->status, answer->retry_after(), answer->body);
    if (answer->status < 500 && error.kind != ArmErrorKind::throttled) error.kind = ArmErrorKind::credentials;
    error.message =
        fmt::format("no token from {}: {}", by_secret ? settings_.login_endpoint : settings_.imds, error.message);
    return failed(std::move(error));
  }
  const auto document = JsonDocument::parse(answer->body);
  const JsonNode root = document ? document->root() : JsonNode();
  const bool is_object = root && root.kind() == JsonNode::Kind::object;
  const JsonNode token = is_object ? root.find("access_token") : JsonNode();
  if (!token || token.kind() != JsonNode::Kind::string) {
    return failed(credentials_error("the answer to a request for a token holds none"));
  }
  const Duration life = Duration::seconds(std::clamp<std::int64_t>(seconds_of(root.find("expires_in")), 1, 86'400));
  token_ = token.string();
  renew_at_ = asked + (life - std::min(k_margin, Duration{life.ns / 4}));
  return {};
}

Arm<std::string> TokenSource::get(HttpConnection& http) {
  std::lock_guard lock(mutex_);
  if (token_.empty() || Stopper::now() >= renew_at_) {
    const bool usable = !token_.empty();
    if (auto renewed = renew(http); !renewed && !usable) return failed(renewed.error());
  }
  return token_;  // one that could not be renewed is good for a while yet
}

void TokenSource::drop(const std::string& token) {
  std::lock_guard lock(mutex_);
  if (token_ == token) token_.clear();
}

}  // namespace virga::azure
