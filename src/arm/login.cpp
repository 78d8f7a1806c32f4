#include "arm/login.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/document.hpp"
#include "arm/text.hpp"
#include "wire/encodings.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

Answer answer_of(const json::object& body) {
  Answer answer;
  answer.body = json_text(body);
  return answer;
}

/// az takes a loginEndpoint that ends in /adfs as a cloud of its own, and then asks no public host.
Answer endpoints(const Scenario& scenario, const Target& target, const std::string& base_url) {
  json::object authentication = {{"loginEndpoint", base_url + "/adfs"},
                                 {"audiences", json::array({json::string(base_url + "/"), json::string(base_url)})},
                                 {"tenant", scenario.tenant},
                                 {"identityProvider", "ADFS"}};
  json::object cloud = {{"galleryEndpoint", base_url + "/gallery"},
                        {"graphEndpoint", base_url + "/graph"},
                        {"portalEndpoint", base_url + "/portal"},
                        {"authentication", authentication}};
  if (target.query_value("api-version") < std::string_view("2019")) return answer_of(cloud);
  cloud["name"] = "virga-arm";
  cloud["resourceManager"] = base_url;
  cloud["suffixes"] = json::object();
  Answer answer;
  answer.body = json::serialize(json::array({std::move(cloud)}));
  return answer;
}

Answer discovery(const Target& target, const std::string& base_url) {
  const std::string tenant = target.segments.front();
  const bool adfs = same_word(tenant, "adfs");
  const std::string root = base_url + "/" + tenant + "/oauth2" + (adfs ? "" : "/v2.0");
  return answer_of({{"issuer", base_url + "/" + tenant},
                    {"authorization_endpoint", root + "/authorize"},
                    {"token_endpoint", base_url + "/" + tenant + "/oauth2/v2.0/token"},
                    {"device_authorization_endpoint", root + "/devicecode"},
                    {"jwks_uri", base_url + "/" + tenant + "/discovery/keys"},
                    {"response_types_supported", json::array({"code", "id_token", "token"})},
                    {"subject_types_supported", json::array({"pairwise"})},
                    {"id_token_signing_alg_values_supported", json::array({"RS256"})},
                    {"token_endpoint_auth_methods_supported", json::array({"client_secret_post"})}});
}

std::int64_t client_time(const Request& request, Time now) {
  return (request.received.is_set() ? request.received : now).whole_seconds();
}

Answer oauth_refusal(int status, std::string_view error, std::string_view description) {
  Answer answer = answer_of({{"error", error}, {"error_description", description}});
  answer.status = status;
  return answer;
}

}  // namespace

std::int64_t Login::life_seconds() const {
  return std::max<std::int64_t>(1, scenario_.token_life.whole_seconds() / scenario_.speed);
}

std::string Login::new_token(const std::string& principal, const std::string& audience, const Request& request,
                             Time now) {
  constexpr std::size_t k_tokens_most = 10'000;
  if (issued_.size() >= k_tokens_most) std::erase_if(issued_, [&](const auto& t) { return t.second.expires <= now; });
  const Time expires = now + scenario_.token_life;
  const std::int64_t issued = client_time(request, now);
  const json::object claims = {{"aud", audience},
                               {"iss", "https://sts.windows.net/" + scenario_.tenant + "/"},
                               {"iat", issued},
                               {"nbf", issued},
                               {"exp", issued + life_seconds()},
                               {"appid", principal},
                               {"oid", principal},
                               {"tid", scenario_.tenant},
                               {"uti", new_guid(random_)}};
  std::string token = to_base64_url(R"({"typ":"JWT","alg":"none"})") + "." + to_base64_url(json_text(claims)) + "." +
                      to_base64_url("unsigned");
  issued_[token] = {principal, expires};
  return token;
}

Answer Login::token(const Request& request, const std::string& base_url, Time now) {
  const Target form = parse_target("/?" + request.body);
  if (!form.is_sound) return oauth_refusal(400, "invalid_request", "The request body is no form of UTF-8 text.");
  const std::string client(form.query_value("client_id"));
  if (form.query_value("grant_type") != "client_credentials") {
    return oauth_refusal(400, "unsupported_grant_type", "The stand-in grants client_credentials only.");
  }
  if (client.empty()) return oauth_refusal(400, "invalid_request", "The request body must contain 'client_id'.");
  const bool secret_is_right =
      scenario_.client_secret.empty() || form.query_value("client_secret") == scenario_.client_secret;
  if (!secret_is_right) {
    return oauth_refusal(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.");
  }
  std::string audience(form.query_value("resource"));
  if (audience.empty()) audience = base_url;
  const std::int64_t seconds = life_seconds();
  return answer_of({{"token_type", "Bearer"},
                    {"expires_in", seconds},
                    {"ext_expires_in", seconds},
                    {"access_token", new_token(client, audience, request, now)}});
}

std::optional<Answer> Login::answer(const Request& request, const Target& target, const std::string& base_url,
                                    Time now) {
  const std::string path = lower_case(target.path);
  if (path == "/metadata/endpoints") return endpoints(scenario_, target, base_url);
  if (path.ends_with("/.well-known/openid-configuration")) return discovery(target, base_url);
  if (path.ends_with("/discovery/keys")) return answer_of({{"keys", json::array()}});
  const bool asks_token = path.ends_with("/oauth2/v2.0/token") || path.ends_with("/oauth2/token");
  if (asks_token && request.method == "POST") return token(request, base_url, now);
  return std::nullopt;
}

Answer Login::managed_identity(const Request& request, const Target& target, std::string_view identity, Time now) {
  const std::string resource(target.query_value("resource"));
  if (resource.empty()) {
    return oauth_refusal(400, "invalid_request", "Required query variable 'resource' is missing.");
  }
  const std::int64_t seconds = life_seconds();
  const std::int64_t issued = client_time(request, now);
  return answer_of({{"access_token", new_token(std::string(identity), resource, request, now)},
                    {"client_id", identity},
                    {"expires_in", std::to_string(seconds)},
                    {"expires_on", std::to_string(issued + seconds)},
                    {"ext_expires_in", std::to_string(seconds)},
                    {"not_before", std::to_string(issued)},
                    {"resource", resource},
                    {"token_type", "Bearer"}});
}

Result<std::string> Login::check(std::string_view authorization, Time now) const {
  constexpr std::string_view k_scheme = "bearer ";
  if (authorization.empty()) {
    return fail(Code::denied, "Authentication failed. The 'Authorization' header is missing.");
  }
  if (!same_word(authorization.substr(0, k_scheme.size()), k_scheme) || authorization.size() == k_scheme.size()) {
    return fail(Code::denied, "Authentication failed. The 'Authorization' header is provided in an invalid format.");
  }
  const std::string token(authorization.substr(k_scheme.size()));
  const auto found = issued_.find(token);
  if (found == issued_.end()) return token;
  if (found->second.expires <= now) return fail(Code::denied, "The access token expiry UTC time is earlier than now.");
  return found->second.principal;
}

}  // namespace virga::arm
