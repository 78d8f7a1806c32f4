#include "clouds/azure/error_class.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "clouds/azure/json_path.hpp"

namespace virga::azure {
namespace {

struct Rule {
  std::string_view code;
  ArmErrorKind kind;
  Duration retry_after = {};
  bool may_recover = false;
};

constexpr Duration k_hour = Duration::minutes(60);
// A pause of zero leaves the pace to the brain, which doubles its own from refusal to refusal: capacity and quota often
// come back within seconds, when somebody's machines are released.
constexpr Rule k_rules[] = {
    {"TooManyRequests", ArmErrorKind::throttled},
    {"SubscriptionRequestsThrottled", ArmErrorKind::throttled},
    {"OperationNotAllowedThrottled", ArmErrorKind::throttled},
    {"ResourceRequestsThrottled", ArmErrorKind::throttled},
    {"QuotaExceeded", ArmErrorKind::quota},
    {"SubnetIsFull", ArmErrorKind::quota},
    {"SkuNotAvailable", ArmErrorKind::capacity, k_hour},  // not offered: the region, the subscription, Spot now
    {"AllocationFailed", ArmErrorKind::capacity},
    {"ZonalAllocationFailed", ArmErrorKind::capacity},
    {"OverconstrainedAllocationRequest", ArmErrorKind::capacity},
    {"OverconstrainedZonalAllocationRequest", ArmErrorKind::capacity},
    {"SpotPriceGreaterThanProvidedMaxPrice", ArmErrorKind::request, k_hour},
    {"MaxPriceValueInvalid", ArmErrorKind::request, k_hour},
    {"AzureSpotIsNotSupportedForThisVMSize", ArmErrorKind::request, k_hour},
    {"AzureSpotVMNotSupportedInAvailabilitySet", ArmErrorKind::request, k_hour},
    {"AzureSpotFeatureNotEnabledForSubscription", ArmErrorKind::request, k_hour},
    {"RequestDisallowedByPolicy", ArmErrorKind::request},
    {"OSProvisioningTimedOut", ArmErrorKind::fault, {}, true},
    {"OSProvisioningClientError", ArmErrorKind::fault, {}, true},
    {"VMStartTimedOut", ArmErrorKind::fault, {}, true},
    {"InternalExecutionError", ArmErrorKind::fault, {}, true},
    {"InternalOperationError", ArmErrorKind::fault, {}, true},
    {"NicReservedForAnotherVm", ArmErrorKind::dependency, Duration::seconds(180)},
    {"PrivateIPAddressIsAllocated", ArmErrorKind::dependency, Duration::seconds(10)},
    {"RetryableErrorDueToAnotherOperation", ArmErrorKind::dependency, Duration::seconds(10)},
    {"RetryableError", ArmErrorKind::dependency, Duration::seconds(10)},
    {"AnotherOperationInProgress", ArmErrorKind::dependency, Duration::seconds(10)},
    {"OperationPreempted", ArmErrorKind::dependency, Duration::seconds(10)},
    {"ResourceGroupBeingDeleted", ArmErrorKind::dependency, Duration::seconds(30)},
    {"InvalidAuthenticationToken", ArmErrorKind::credentials},
    {"ExpiredAuthenticationToken", ArmErrorKind::credentials},
    {"AuthenticationFailed", ArmErrorKind::credentials},
    {"AuthorizationFailed", ArmErrorKind::credentials},
    {"LinkedAuthorizationFailed", ArmErrorKind::credentials},
    {"InvalidSubscriptionId", ArmErrorKind::request},
    {"invalid_client", ArmErrorKind::credentials},
    {"unauthorized_client", ArmErrorKind::credentials},
    {"invalid_grant", ArmErrorKind::credentials},
};

const Rule* rule_of(std::string_view code) {
  const auto* const found =
      std::find_if(std::begin(k_rules), std::end(k_rules), [&](const Rule& r) { return r.code == code; });
  return found == std::end(k_rules) ? nullptr : found;
}

std::string one_line(std::string_view text) {
  constexpr std::size_t k_longest = 500;
  std::string result(text.substr(0, k_longest));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (text.size() > k_longest) result += "...";
  return result;
}

/// The first code with a rule among the error, its details and its inner error; Azure nests them at will.
const Rule* search(JsonNode error, int depth) {
  constexpr int k_deepest = 5;
  if (depth > k_deepest) return nullptr;
  const JsonNode details = at(error, "details");
  for (std::size_t i = 0; i < count(details); ++i) {
    if (const Rule* rule = search(details.element(i), depth + 1)) return rule;
  }
  if (const JsonNode inner = at(error, "innererror")) {
    if (const Rule* rule = search(inner, depth + 1)) return rule;
  }
  return rule_of(text(at(error, "code")));
}

std::optional<std::uint64_t> number_after(const std::string& text, std::string_view label) {
  const std::size_t at = text.find(label);
  if (at == std::string::npos) return std::nullopt;
  std::size_t start = at + label.size();
  while (start < text.size() && (text[start] == ' ' || text[start] == ':')) ++start;
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data() + start, text.data() + text.size(), number);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

std::optional<QuotaNumbers> quota_numbers(const std::string& message) {
  const auto limit = number_after(message, "current limit");
  const auto usage = number_after(message, "current usage");
  const auto required = number_after(message, "additional required");
  if (!limit || !usage || !required) return std::nullopt;
  return QuotaNumbers{*limit, *usage, *required};
}

void apply(ArmError& error, const Rule& rule) {
  error.kind = rule.kind;
  error.code = rule.code;
  error.retry_after = std::max(error.retry_after, rule.retry_after);
  error.may_recover = rule.may_recover;
}

/// What the status alone says.
ArmErrorKind kind_of_status(int status) {
  if (status == 429) return ArmErrorKind::throttled;
  if (status == 401 || status == 403) return ArmErrorKind::credentials;
  if (status == 408 || status >= 500) return ArmErrorKind::fault;
  if (status == 409 || status == 412 || status == 423) return ArmErrorKind::dependency;
  return status >= 400 ? ArmErrorKind::request : ArmErrorKind::fault;
}

void classify_outer_code(ArmError& error) {
  const std::string message = lower(error.message);
  if (error.code != "OperationNotAllowed") return;
  error.kind = ArmErrorKind::request;
  if (message.find("quota") != std::string::npos) error.kind = ArmErrorKind::quota;
  if (message.find("too many requests") != std::string::npos) error.kind = ArmErrorKind::throttled;
  if (message.find("marked for deletion") != std::string::npos) {
    error.kind = ArmErrorKind::dependency;
    error.retry_after = std::max(error.retry_after, Duration::seconds(5));
  }
}

ArmError classify(int status, Duration retry_after, std::string_view body, ArmErrorKind otherwise) {
  ArmError error{.kind = otherwise, .status = status, .code = {}, .message = {}, .retry_after = retry_after};
  const Result<JsonDocument> document = JsonDocument::parse(body);
  const JsonNode root = document ? document->root() : JsonNode();
  const JsonNode inside = at(root, "error");
  const bool names_error =
      inside && (inside.kind() == JsonNode::Kind::string || inside.kind() == JsonNode::Kind::object);
  if (!names_error) {
    error.code = status == 0 ? "" : fmt::format("HTTP {}", status);
    error.message = body.empty() ? "an empty answer" : "no JSON that names an error: " + one_line(body.substr(0, 120));
    return error;
  }
  if (inside.kind() == JsonNode::Kind::string) {  // of the login and of the metadata service
    error.code = text(inside);
    error.message = one_line(text(at(root, "error_description")));
    if (const Rule* rule = rule_of(error.code); rule != nullptr && status != 429) apply(error, *rule);
    return error;
  }
  error.code = text(at(inside, "code"));
  error.message = one_line(text(at(inside, "message")));
  if (const Rule* rule = search(inside, 0)) {
    apply(error, *rule);
  } else {
    classify_outer_code(error);
  }
  if (status == 429) error.kind = ArmErrorKind::throttled;
  if (error.kind == ArmErrorKind::quota) {
    error.numbers = quota_numbers(lower(error.message));
    if (error.numbers && error.numbers->limit == 0) error.retry_after = std::max(error.retry_after, k_hour);
  }
  return error;
}

}  // namespace

bool ArmError::says_absent() const {
  constexpr std::string_view k_not_asked[] = {"SubscriptionNotFound", "MissingSubscription", "InvalidResourceType",
                                              "InvalidResourceNamespace"};
  if (status != 404 || code.starts_with("HTTP ")) return false;  // the latter is a page of somebody else's
  return std::find(std::begin(k_not_asked), std::end(k_not_asked), code) == std::end(k_not_asked);
}

ArmError classify_answer(int status, Duration retry_after, std::string_view body) {
  return classify(status, retry_after, body, kind_of_status(status));
}

ArmError classify_operation(std::string_view body) {
  ArmError error = classify(0, {}, body, ArmErrorKind::fault);
  // Without a known code it is the provider's own failure, and those have been seen to go over.
  if (error.kind == ArmErrorKind::fault) error.may_recover = true;
  return error;
}

Refusal refusal_of(ArmErrorKind kind) {
  switch (kind) {
    case ArmErrorKind::throttled:
      return Refusal::throttled;
    case ArmErrorKind::quota:
      return Refusal::quota;
    case ArmErrorKind::capacity:
      return Refusal::capacity;
    case ArmErrorKind::request:
    case ArmErrorKind::credentials:
      return Refusal::setup;
    case ArmErrorKind::dependency:
    case ArmErrorKind::fault:
      return Refusal::fault;
  }
  return Refusal::fault;
}

}  // namespace virga::azure
