// Azure's management API as one thread uses it: within the budget, with a valid token, with patience.
//
//   ArmClient client(access);                       // one a thread; `access` is shared by all
//   Arm<HttpAnswer> made = client.call({.method = "PUT", .path = client.set_path("virga-c-nd-1"),
//                                       .version = ApiVersion::compute, .kind = CallKind::set_create,
//                                       .resource = "virga-c-nd-1", .body = body});
//   Arm<void> ended = client.finish(*made, Stopper::now() + Duration::minutes(30), [] { return false; });
//
// call() retries by itself what can be retried without harm, which is every call of this room: what cannot be reached,
// 5xx and cut-off answers a few times; throttling and what waits for another operation, up to
// settings.throttle_patience. The first 401 renews the token. Calls that are not patient are made once.
// finish() follows a long-running operation to its end, by Azure-AsyncOperation or else by Location.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "clouds/azure/budget.hpp"
#include "clouds/azure/complaints.hpp"
#include "clouds/azure/error_class.hpp"
#include "clouds/azure/http.hpp"
#include "clouds/azure/settings.hpp"
#include "clouds/azure/stopper.hpp"
#include "clouds/azure/token_source.hpp"
#include "wire/json_codec.hpp"

namespace virga::azure {

/// What all threads share.
struct Access {
  explicit Access(AzureSettings s, Complaints::Say say = {})
      : settings(std::move(s)), complaints(std::move(say)), tokens(settings, stopper) {}

  const AzureSettings settings;
  Stopper stopper;
  Complaints complaints;
  TokenSource tokens;
  std::mutex budget_mutex;
  Budget budget;
};

/// What is asked of which version; the dates are in arm_client.cpp.
enum class ApiVersion : std::uint8_t {
  compute,
  compute_newest,  ///< knows interconnects, block reservations, and lists VMs with their power states
  disks,
  network,
  set_interfaces,
  resources,
  skus,
  subscriptions,
  authorization,
  galleries,
};

struct ArmCall {
  std::string method = "GET";
  std::string path;  ///< from "/subscriptions/"; or a whole URL that Azure gave, with no version
  ApiVersion version = ApiVersion::compute;
  CallKind kind = CallKind::set_get;
  std::string resource = {};  ///< whose budget it draws on
  std::string body = {};
  std::string query = {};  ///< further parameters, "&$expand=instanceView"
  bool is_patient = true;  ///< false: somebody waits for the answer; only a token is renewed, nothing is tried again
};

class ArmClient {
 public:
  /// No request takes longer than `timeout_most`, whatever the settings say.
  explicit ArmClient(Access& access, Duration timeout_most = Duration::infinite());

  /// Any 2xx is a success.
  Arm<HttpAnswer> call(const ArmCall& call);
  /// `give_up` is asked a few times a second, and may make calls of its own; if true, the error has the code
  /// k_given_up.
  Arm<void> finish(const HttpAnswer& begun, Time deadline, const std::function<bool()>& give_up);
  /// All pages of a list.
  Arm<void> list(ArmCall call, const std::function<void(JsonNode)>& item);

  Access& access() { return access_; }
  std::string group_path() const;
  std::string set_path(const std::string& set) const;

 private:
  struct Try;
  Arm<HttpAnswer> send_once(const ArmCall& call, const std::string& url, std::string& token);
  bool may_retry(const ArmCall& call, const ArmError& error, Try& tries);
  bool wait_for_budget(const ArmCall& call);
  Arm<std::string> url_of(const ArmCall& call) const;

  Access& access_;
  HttpConnection http_;
};

inline constexpr std::string_view k_given_up = "GivenUp";
inline constexpr std::string_view k_timed_out = "OperationTimedOut";
inline constexpr std::string_view k_stopped = "Stopped";

}  // namespace virga::azure
