#include "clouds/azure/arm_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "clouds/azure/crash_switch.hpp"
#include "clouds/azure/json_path.hpp"

namespace virga::azure {
namespace {

constexpr std::string_view k_api_versions[] = {"2022-08-01", "2026-03-01", "2022-07-02", "2022-07-01", "2018-10-01",
                                               "2021-04-01", "2021-07-01", "2022-12-01", "2022-04-01", "2022-03-03"};
constexpr int k_tries_most = 4;
constexpr Duration k_first_pause = Duration::seconds(1);
constexpr Duration k_worth_a_line = Duration::seconds(10);  ///< waits shorter than this are everyday
constexpr Duration k_poll_default = Duration::seconds(5);
constexpr Duration k_poll_longest = Duration::seconds(60);

ArmError fault(std::string_view code, std::string message) {
  return {.kind = ArmErrorKind::fault, .code = std::string(code), .message = std::move(message), .retry_after = {}};
}

std::optional<std::uint32_t> number_in(std::string_view text) {
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

/// "Microsoft.Compute/UpdateVMScaleSetResource;11", several with commas or in headers of their own.
void read_policies(std::string_view text, Remaining& remaining) {
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view one = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    const std::size_t semicolon = one.find(';');
    if (semicolon == std::string_view::npos) continue;
    const auto left = number_in(one.substr(semicolon + 1));
    if (!left) continue;
    auto& lowest = one.substr(0, semicolon).ends_with("Resource") ? remaining.resource : remaining.subscription;
    lowest = lowest ? std::min(*lowest, *left) : *left;
  }
}

Remaining remaining_of(const HttpAnswer& answer) {
  constexpr std::string_view k_front = "x-ms-ratelimit-remaining-subscription-";
  Remaining remaining;
  for (const auto& [name, value] : answer.headers) {
    if (name.starts_with(k_front)) remaining.front = number_in(value);
    if (name == "x-ms-ratelimit-remaining-resource") read_policies(value, remaining);
  }
  return remaining;
}

/// "https://host:port" of a URL.
std::string_view origin_of(std::string_view url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return url.substr(0, std::min(url.find('/', scheme + 3), url.size()));
}

/// The token goes to the endpoint and to its regional hosts, and to nobody else whatever an answer says.
bool may_have_token(std::string_view url, std::string_view endpoint) {
  const std::string_view origin = origin_of(url);
  const std::string_view own = origin_of(endpoint);
  if (origin == own) return true;
  constexpr std::size_t k_scheme = std::string_view("https://").size();
  return origin.starts_with("https://") && origin.find('@') == std::string_view::npos && own.size() > k_scheme &&
         origin.ends_with("." + std::string(own.substr(k_scheme)));
}

std::string text_at(JsonNode node, std::string_view name) { return text(at(node, name)); }

/// For the log: without the subscription, which is the same in all.
std::string name_of_call(const ArmCall& call) {
  constexpr std::string_view k_provider = "/providers/";
  const std::string path = call.path.substr(0, call.path.find('?'));
  if (call.kind == CallKind::operation) return "operation " + path.substr(path.rfind('/') + 1);
  const std::size_t provider = path.rfind(k_provider);
  const std::size_t group = path.find("/resourceGroups/");
  if (provider != std::string::npos) return call.method + " " + path.substr(provider + k_provider.size());
  return call.method + " " + (group == std::string::npos ? path : path.substr(group + 1));
}

}  // namespace

struct ArmClient::Try {
  int failures = 0;
  bool token_renewed = false;
  Duration waited;
};

ArmClient::ArmClient(Access& access, Duration timeout_most)
    : access_(access),
      http_({access.settings.ca_file, std::min(access.settings.connect_timeout, timeout_most),
             std::min(access.settings.request_timeout, timeout_most)},
            access.stopper) {}

std::string ArmClient::group_path() const {
  return fmt::format("/subscriptions/{}/resourceGroups/{}", access_.settings.subscription,
                     access_.settings.resource_group);
}

std::string ArmClient::set_path(const std::string& set) const {
  return fmt::format("{}/providers/Microsoft.Compute/virtualMachineScaleSets/{}", group_path(), set);
}

Arm<std::string> ArmClient::url_of(const ArmCall& call) const {
  const std::string& endpoint = access_.settings.endpoint;
  if (call.path.starts_with('/')) {
    return fmt::format("{}{}?api-version={}{}", endpoint, call.path,
                       k_api_versions[static_cast<std::size_t>(call.version)], call.query);
  }
  if (!may_have_token(call.path, endpoint)) {
    return failed(fault("ForeignAddress",
                        fmt::format("Azure's answer leads to {}, which is not {}", origin_of(call.path), endpoint)));
  }
  return call.path;
}

bool ArmClient::wait_for_budget(const ArmCall& call) {
  for (;;) {
    Duration wait;
    {
      std::lock_guard lock(access_.budget_mutex);
      wait = access_.budget.wait_for(call.kind, call.resource, Stopper::now());
    }
    if (wait.ns <= 0) return !access_.stopper.stopped();
    if (!access_.stopper.sleep(wait)) return false;
  }
}

Arm<HttpAnswer> ArmClient::send_once(const ArmCall& call, const std::string& url, std::string& token) {
  if (!wait_for_budget(call)) return failed(fault(k_stopped, "the cloud is being closed"));
  auto bearer = access_.tokens.get(http_);
  if (!bearer) return failed(bearer.error());
  token = *bearer;
  HttpRequest request{call.method, url, call.body, {"Authorization: Bearer " + token, "Accept: application/json"}};
  if (!call.body.empty()) request.headers.push_back("Content-Type: application/json");
  const std::uint64_t number = begin_call();
  auto answer = http_.send(request);
  end_call(number);
  if (!answer) {
    ArmError error = fault("Connection", fmt::format("{} {}: {}", call.method, origin_of(url), answer.error().message));
    if (!answer.error().retryable) error.kind = ArmErrorKind::request;
    return failed(std::move(error));
  }
  {
    std::lock_guard lock(access_.budget_mutex);
    access_.budget.observe(call.kind, call.resource, remaining_of(*answer), Stopper::now());
  }
  if (answer->status >= 200 && answer->status < 300) return *std::move(answer);
  return failed(classify_answer(answer->status, answer->retry_after(), answer->body));
}

/// Waits, if the call is worth another try.
bool ArmClient::may_retry(const ArmCall& call, const ArmError& error, Try& tries) {
  if (!call.is_patient || error.code == k_stopped || access_.stopper.stopped()) return false;
  const bool waits = error.kind == ArmErrorKind::throttled || error.kind == ArmErrorKind::dependency;
  if (waits) {
    const Duration pause = std::max(error.retry_after, Duration::seconds(1));
    if (tries.waited + pause > access_.settings.throttle_patience) return false;
    tries.waited = tries.waited + pause;
    if (error.kind == ArmErrorKind::throttled) {
      std::lock_guard lock(access_.budget_mutex);
      access_.budget.block(call.kind, call.resource, Stopper::now() + pause);
    }
    if (pause >= k_worth_a_line) access_.complaints.add(name_of_call(call), error);
    return access_.stopper.sleep(pause);
  }
  if (error.kind != ArmErrorKind::fault || ++tries.failures >= k_tries_most) return false;
  access_.complaints.add(name_of_call(call), error);
  const Duration pause = k_first_pause * (std::int64_t{1} << (tries.failures - 1));
  return access_.stopper.sleep(std::max(pause, std::min(error.retry_after, access_.settings.throttle_patience)));
}

Arm<HttpAnswer> ArmClient::call(const ArmCall& call) {
  const auto url = url_of(call);
  if (!url) return failed(url.error());
  Try tries;
  for (;;) {
    std::string token;
    auto answer = send_once(call, *url, token);
    if (answer) return answer;
    if (answer.error().status == 401 && !tries.token_renewed && !token.empty()) {
      tries.token_renewed = true;
      access_.tokens.drop(token);
      continue;
    }
    if (!may_retry(call, answer.error(), tries)) return answer;
  }
}

Arm<void> ArmClient::finish(const HttpAnswer& begun, Time deadline, const std::function<bool()>& give_up) {
  std::string url = begun.header("azure-asyncoperation");
  const bool by_operation = !url.empty();
  if (!by_operation) url = begun.header("location");
  if (url.empty() || (!by_operation && begun.status != 201 && begun.status != 202)) return {};
  const std::string resource = url.substr(0, url.find('?'));
  Duration pause = begun.retry_after();
  for (;;) {
    if (pause.ns <= 0) pause = k_poll_default;
    pause = std::min({pause, k_poll_longest, std::max(deadline - Stopper::now(), Duration::milliseconds(1))});
    if (!access_.stopper.sleep(pause, give_up)) return failed(fault(k_stopped, "the cloud is being closed"));
    if (give_up()) return failed(fault(k_given_up, "no longer wanted"));
    if (Stopper::now() >= deadline) return failed(fault(k_timed_out, "the operation did not end in time"));
    auto answer = call({.path = url, .kind = CallKind::operation, .resource = resource});
    if (!answer) return failed(answer.error());
    pause = answer->retry_after();
    if (!by_operation) {
      if (answer->status == 202) continue;
      return {};
    }
    const auto document = JsonDocument::parse(answer->body);
    const std::string status = document ? text_at(document->root(), "status") : "";
    if (status == "Succeeded") return {};
    if (status == "Failed" || status == "Canceled") return failed(classify_operation(answer->body));
  }
}

Arm<void> ArmClient::list(ArmCall first, const std::function<void(JsonNode)>& item) {
  constexpr int k_pages_most = 10'000;
  ArmCall page = std::move(first);
  for (int i = 0; i < k_pages_most; ++i) {
    auto answer = call(page);
    if (!answer) return failed(answer.error());
    const auto document = JsonDocument::parse(answer->body);
    const JsonNode root = document ? document->root() : JsonNode();
    const JsonNode value = root && root.kind() == JsonNode::Kind::object ? root.find("value") : JsonNode();
    if (!value || value.kind() != JsonNode::Kind::array) {
      return failed(fault("BadAnswer", "a list without \"value\" from " + page.path));
    }
    for (std::size_t at = 0; at < value.size(); ++at) item(value.element(at));
    page.path = text_at(root, "nextLink");
    page.query.clear();
    if (page.path.empty()) return {};
  }
  return failed(fault("BadAnswer", "a list without an end"));
}

}  // namespace virga::azure
