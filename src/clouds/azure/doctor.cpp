#include "clouds/azure/doctor.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "clouds/azure/doctor_checks.hpp"
#include "clouds/azure/json_path.hpp"

namespace virga {
namespace azure {
namespace {

constexpr Duration k_timeout_most = Duration::seconds(20);
constexpr std::int64_t k_skew_bad_s = 300;  ///< what login services allow
constexpr std::int64_t k_skew_odd_s = 60;

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

void check_secret(Examination& e) {
  if (e.settings.identity == AzureIdentity::managed) return e.ok("secret", "none: the identity is managed");
  const std::string& path = e.settings.secret_file;
  struct stat about {};
  if (stat(path.c_str(), &about) != 0 || access(path.c_str(), R_OK) != 0) {
    return e.report.add({"secret", Verdict::failed, fmt::format("{} cannot be read: {}", path, std::strerror(errno)),
                         "write the client secret into it, and give it to the user whom virgad runs as"});
  }
  if ((about.st_mode & 077) != 0) {
    return e.report.add(
        {"secret", Verdict::warning, fmt::format("{} can be read by others", path), fmt::format("chmod 600 {}", path)});
  }
  e.ok("secret", path + " is readable and private");
}

/// Seconds by which Azure's clock is ahead of ours.
std::optional<std::int64_t> skew_of(const HttpAnswer& answer) {
  std::tm date{};
  const char* end = strptime(answer.header("date").c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (end == nullptr) return std::nullopt;
  return static_cast<std::int64_t>(timegm(&date)) - static_cast<std::int64_t>(std::time(nullptr));
}

void check_clock(Examination& e, const HttpAnswer& answer) {
  const auto skew = skew_of(answer);
  if (!skew) {
    return e.report.add({"clock", Verdict::warning, "the endpoint's answers have no date", "compare clocks by hand"});
  }
  const std::int64_t size = *skew < 0 ? -*skew : *skew;
  const std::string text = fmt::format("this machine is {} s {} Azure", size, *skew < 0 ? "ahead of" : "behind");
  if (size <= k_skew_odd_s) return e.ok("clock", "agrees with Azure's");
  e.report.add({"clock", size > k_skew_bad_s ? Verdict::failed : Verdict::warning, text,
                "set the clock: tokens are valid by date (timedatectl set-ntp true)"});
}

/// Anybody may ask for the endpoints; even a refusal shows that somebody is there, and his date.
bool check_endpoint(Examination& e, HttpConnection& http) {
  const auto answer = http.send({"GET", e.settings.endpoint + "/metadata/endpoints?api-version=2015-01-01"});
  if (!answer) {
    e.report.add({"endpoint", Verdict::failed, fmt::format("{}: {}", e.settings.endpoint, answer.error().message),
                  answer.error().retryable
                      ? "check cloud.azure.endpoint, and that a proxy or firewall lets this machine reach it"
                      : "check cloud.azure.ca_file and cloud.azure.endpoint: the certificate is not trusted"});
    return false;
  }
  e.ok("endpoint", e.settings.endpoint + " answers");
  check_clock(e, *answer);
  return true;
}

std::string remedy_for_token(const AzureSettings& settings, const ArmError& error) {
  const std::string text = error.text();
  if (error.code == "Connection") {
    return "check cloud.azure.login_endpoint, and that a proxy or firewall lets this machine reach it";
  }
  if (settings.identity == AzureIdentity::managed) {
    return "give this VM an identity (az vm identity assign), or write identity = \"secret\"";
  }
  if (contains(text, "AADSTS7000222") || contains(text, "expired")) {
    return fmt::format("the secret has expired: make a new one (az ad app credential reset --id {}) and write it to {}",
                       settings.client_id, settings.secret_file);
  }
  if (contains(text, "AADSTS700016") || contains(text, "unauthorized_client")) {
    return "check cloud.azure.client_id and cloud.azure.tenant: that directory has no such application";
  }
  if (contains(text, "AADSTS90002")) return "check cloud.azure.tenant: there is no such directory";
  return fmt::format("write the secret's value, not its id, into {}; a new one: az ad app credential reset --id {}",
                     settings.secret_file, settings.client_id);
}

bool check_token(Examination& e, HttpConnection& http) {
  const auto token = e.client.access().tokens.get(http);
  if (!token) {
    e.report.add({"token", Verdict::failed, token.error().text(), remedy_for_token(e.settings, token.error())});
    return false;
  }
  e.ok("token", "granted");
  return true;
}

bool check_subscription(Examination& e) {
  const auto answer = e.read(e.subscription_path(), ApiVersion::subscriptions);
  if (!answer) {
    e.report.add({"subscription", Verdict::failed, answer.error().text(),
                  fmt::format("check cloud.azure.subscription, and give the identity a role there "
                              "(az role assignment create --scope /subscriptions/{})",
                              e.settings.subscription)});
    return false;
  }
  const auto document = JsonDocument::parse(answer->body);
  const JsonNode root = document ? document->root() : JsonNode();
  const std::string name = text(at(root, "displayName"));
  const std::string state = text(at(root, "state"));
  if (!state.empty() && state != "Enabled") {
    e.report.add({"subscription", Verdict::failed, fmt::format("{} is {}", name, state),
                  "reactivate it in the portal; Azure makes nothing in it before"});
    return true;
  }
  e.ok("subscription", fmt::format("{} is visible", name.empty() ? e.settings.subscription : name));
  return true;
}

void check_providers(Examination& e) {
  for (const std::string name : {"Microsoft.Compute", "Microsoft.Network"}) {
    const std::string what = "provider " + name;
    const auto answer = e.read(e.subscription_path() + "/providers/" + name, ApiVersion::resources);
    if (!answer) {
      e.report.add({what, Verdict::failed, answer.error().text(), "let the identity read providers (role Reader)"});
      continue;
    }
    const auto document = JsonDocument::parse(answer->body);
    const std::string state = document ? text(at(document->root(), "registrationState")) : "";
    if (state == "Registered") {
      e.ok(what, "registered");
    } else {
      e.report.add({what, Verdict::failed, state.empty() ? "says nothing of its registration" : "is " + state,
                    fmt::format("az provider register --namespace {}", name)});
    }
  }
}

bool check_region(Examination& e) {
  std::vector<std::string> names;
  const auto listed = e.client.list({.path = e.subscription_path() + "/locations",
                                     .version = ApiVersion::subscriptions,
                                     .kind = CallKind::catalogue_read,
                                     .is_patient = false},
                                    [&](JsonNode region) { names.push_back(text(at(region, "name"))); });
  if (!listed) {
    e.report.add({"region", Verdict::failed, listed.error().text(), "let the identity read the subscription"});
    return false;
  }
  const auto same = [&](const std::string& name) { return lower(name) == lower(e.settings.region); };
  if (std::any_of(names.begin(), names.end(), same)) {
    e.ok("region", e.settings.region + " is known");
    return true;
  }
  e.report.add({"region", Verdict::failed, fmt::format("the subscription has no region {}", e.settings.region),
                "write one of `az account list-locations -o table` into cloud.azure.region, such as \"eastus\""});
  return false;
}

void skip(Examination& e, std::initializer_list<const char*> checks, const std::string& why) {
  for (const char* what : checks) e.report.add({what, Verdict::skipped, "needs " + why, {}});
}

void examine(Examination& e) {
  HttpConnection http({e.settings.ca_file, std::min(e.settings.connect_timeout, k_timeout_most), k_timeout_most},
                      e.client.access().stopper);
  check_secret(e);
  if (!check_endpoint(e, http)) {
    return skip(e, {"clock", "token", "subscription", "providers", "region", "group", "network", "image", "pools"},
                "the endpoint");
  }
  if (!check_token(e, http)) {
    return skip(e, {"subscription", "providers", "region", "group", "network", "image", "pools"}, "a token");
  }
  if (!check_subscription(e)) {
    return skip(e, {"providers", "region", "group", "network", "image", "pools"}, "the subscription");
  }
  check_providers(e);
  const bool has_region = check_region(e);
  check_group(e);
  check_network(e);
  if (!has_region) return skip(e, {"image", "pools"}, "the region");
  check_image(e);
  check_pools(e);
}

}  // namespace
}  // namespace azure

CheckReport examine_azure(const AzureSettings& settings, const std::vector<Pool>& pools) {
  azure::Access access(settings);
  azure::ArmClient client(access, azure::k_timeout_most);
  azure::Examination examination{client, settings, {}};
  std::copy_if(pools.begin(), pools.end(), std::back_inserter(examination.pools),
               [](const Pool& pool) { return pool.cloud == "azure"; });
  examination.ok("settings", fmt::format("subscription {}, region {}, {} {}", settings.subscription, settings.region,
                                         examination.pools.size(), examination.pools.size() == 1 ? "pool" : "pools"));
  azure::examine(examination);
  return std::move(examination.report);
}

}  // namespace virga
