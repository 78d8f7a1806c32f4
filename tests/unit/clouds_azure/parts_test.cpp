// The parts that decide without a network: what an error means, how fast calls may go, which node lives in which set.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>

#include "clouds/azure/address_range.hpp"
#include "clouds/azure/budget.hpp"
#include "clouds/azure/error_class.hpp"
#include "clouds/azure/set_body.hpp"
#include "clouds/azure/set_plan.hpp"
#include "wire/json_codec.hpp"

using virga::AzureSettings;
using virga::Duration;
using virga::GangId;
using virga::JsonDocument;
using virga::JsonNode;
using virga::name_of;
using virga::Pool;
using virga::Purchase;
using virga::Refusal;
using virga::ReserveGang;
using virga::Time;
using virga::VmId;
using virga::azure::ApiVersion;
using virga::azure::ArmError;
using virga::azure::ArmErrorKind;
using virga::azure::Budget;
using virga::azure::CallKind;
using virga::azure::classify_answer;
using virga::azure::classify_operation;
using virga::azure::instances_body;
using virga::azure::patch_body;
using virga::azure::plan_gang;
using virga::azure::put_body;
using virga::azure::refusal_of;
using virga::azure::spaces_of;
using virga::azure::touches_infiniband;

namespace {

std::string body(std::string_view code, std::string_view message, std::string_view more = "") {
  return R"({"error":{"code":")" + std::string(code) + R"(","message":")" + std::string(message) + "\"" +
         std::string(more) + "}}";
}

constexpr std::string_view k_quota_message =
    "Operation could not be completed as it results in exceeding approved standardNDSH100v5Family Cores quota. "
    "Additional details - Deployment Model: Resource Manager, Location: eastus, Current Limit: 192, Current Usage: 96, "
    "Additional Required: 960, (Minimum) New Limit Required: 1056. Submit a request for Quota increase at https://x";
constexpr std::string_view k_throttle_details =
    R"(,"details":[{"code":"TooManyRequests","target":"UpdateVMScaleSetResource","message":"{}"}])";

struct Row {
  int status;
  std::string text;
  ArmErrorKind kind;
  bool may_recover = false;
};

}  // namespace

TEST_CASE("errors: what each answer of Azure means") {
  using K = ArmErrorKind;
  const Row rows[] = {
      {429, body("OperationNotAllowed", "too many", k_throttle_details), K::throttled},
      {429, body("SubscriptionRequestsThrottled", "wait"), K::throttled},
      {429, "", K::throttled},
      {429, "<html><body>429</body></html>", K::throttled},
      {409, body("OperationNotAllowed", "The server rejected", k_throttle_details), K::throttled},
      {409, body("OperationNotAllowed", "too many requests have been received"), K::throttled},
      {409, body("OperationNotAllowed", k_quota_message), K::quota},
      {409, body("QuotaExceeded", "no more cores"), K::quota},
      {400, body("InvalidTemplateDeployment", "see details", R"(,"details":[{"code":"QuotaExceeded"}])"), K::quota},
      {400, body("SubnetIsFull", "no more addresses"), K::quota},
      {409, body("SkuNotAvailable", "not here"), K::capacity},
      {409, body("AllocationFailed", "no machines"), K::capacity},
      {409, body("ZonalAllocationFailed", "no machines"), K::capacity},
      {409, body("OverconstrainedAllocationRequest", "too tight"), K::capacity},
      {409, body("OverconstrainedZonalAllocationRequest", "too tight"), K::capacity},
      {409, body("SpotPriceGreaterThanProvidedMaxPrice", "dear"), K::request},
      {400, body("MaxPriceValueInvalid", "dear"), K::request},
      {400, body("AzureSpotIsNotSupportedForThisVMSize", "no"), K::request},
      {400, body("AzureSpotVMNotSupportedInAvailabilitySet", "no"), K::request},
      {409, body("OSProvisioningTimedOut", "late"), K::fault, true},
      {409, body("NicReservedForAnotherVm", "wait"), K::dependency},
      {400, body("PrivateIPAddressIsAllocated", "wait"), K::dependency},
      {429, body("RetryableErrorDueToAnotherOperation", "wait"), K::throttled},
      {409, body("RetryableErrorDueToAnotherOperation", "wait"), K::dependency},
      {409, body("OperationNotAllowed", "set is marked for deletion. You can only retry"), K::dependency},
      {409, body("OperationNotAllowed", "Changing property 'x' is not allowed"), K::request},
      {409, body("Conflict", "something else"), K::dependency},
      {400, body("InvalidParameter", "wrong"), K::request},
      {404, body("ResourceNotFound", "gone"), K::request},
      {401, body("ExpiredAuthenticationToken", "old"), K::credentials},
      {401, R"({"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret"})", K::credentials},
      {403, body("AuthorizationFailed", "may not"), K::credentials},
      {403, body("RequestDisallowedByPolicy", "may not"), K::request},
      {500, "<html><head><title>500</title></head></html>", K::fault},
      {502, "", K::fault},
      {503, R"({"error":{"code":"ServerTimeout","mess)", K::fault},
      {503, "[1,2]", K::fault},
      {503, R"({"error":7})", K::fault},
      {400, R"({"error":{"code":"InvalidPar)", K::request},
      {408, body("RequestTimeout", "slow"), K::fault},
  };
  for (const Row& row : rows) {
    CAPTURE(row.status);
    CAPTURE(row.text);
    const ArmError error = classify_answer(row.status, {}, row.text);
    CHECK(name_of(error.kind) == name_of(row.kind));
    CHECK(error.may_recover == row.may_recover);
    CHECK_FALSE(error.text().empty());
    CHECK(error.text().find('\n') == std::string::npos);
  }
}

TEST_CASE("errors: only Azure's own word says that something is not there") {
  for (const std::string_view code : {"ResourceNotFound", "ResourceGroupNotFound", "NotFound", "InstanceIdNotFound"}) {
    CHECK(classify_answer(404, {}, body(code, "gone")).says_absent());
  }
  for (const std::string_view code : {"SubscriptionNotFound", "MissingSubscription", "InvalidResourceType"}) {
    CHECK_FALSE(classify_answer(404, {}, body(code, "gone")).says_absent());
  }
  CHECK_FALSE(classify_answer(404, {}, "<html>no such page</html>").says_absent());
  CHECK_FALSE(classify_answer(404, {}, "").says_absent());
  CHECK_FALSE(classify_answer(403, {}, body("ResourceNotFound", "hidden")).says_absent());
}

TEST_CASE("errors: numbers of a quota, pauses, operations, and refusals") {
  const ArmError quota = classify_answer(409, {}, body("OperationNotAllowed", k_quota_message));
  REQUIRE(quota.numbers.has_value());
  CHECK(quota.numbers->limit == 192);
  CHECK(quota.numbers->usage == 96);
  CHECK(quota.numbers->required == 960);
  CHECK(quota.retry_after == Duration{});
  const ArmError none = classify_answer(
      409, {}, body("QuotaExceeded", "quota: Current Limit: 0, Current Usage: 0, Additional Required: 96"));
  CHECK(none.retry_after == Duration::minutes(60));
  CHECK(classify_answer(429, Duration::seconds(17), "").retry_after == Duration::seconds(17));
  CHECK(classify_answer(409, {}, body("NicReservedForAnotherVm", "")).retry_after == Duration::seconds(180));

  const ArmError failed =
      classify_operation(R"({"status":"Failed","error":{"code":"AllocationFailed","message":"no room"}})");
  CHECK(failed.kind == ArmErrorKind::capacity);
  CHECK_FALSE(failed.may_recover);
  CHECK(classify_operation(R"({"status":"Failed"})").may_recover);
  CHECK(classify_operation("").kind == ArmErrorKind::fault);

  CHECK(refusal_of(ArmErrorKind::capacity) == Refusal::capacity);
  CHECK(refusal_of(ArmErrorKind::quota) == Refusal::quota);
  CHECK(refusal_of(ArmErrorKind::throttled) == Refusal::throttled);
  CHECK(refusal_of(ArmErrorKind::credentials) == Refusal::setup);
}

TEST_CASE("networks: their ranges, and whether InfiniBand's addresses are among them") {
  const auto spaces = [](const std::string& prefixes) {
    return spaces_of(R"({"properties": {"addressSpace": {"addressPrefixes": [)" + prefixes + "]}}}");
  };
  CHECK(spaces(R"("10.0.0.0/16", "fd00::/8", "192.168.0.0/24")").size() == 2);
  CHECK(spaces_of("<html>").empty());
  CHECK(touches_infiniband(spaces(R"("10.0.0.0/16", "172.16.4.0/24")")));
  CHECK(touches_infiniband(spaces(R"("172.0.0.0/8")")));
  CHECK_FALSE(touches_infiniband(spaces(R"("172.17.0.0/16", "172.160.0.0/16")")));
}

TEST_CASE("budget: a burst, then the documented pace, each resource for itself") {
  Budget budget;
  const Time start = Time::from_seconds(1000);
  const auto burst = [&](const std::string& set) {
    int calls = 0;
    while (calls < 1000 && budget.wait_for(CallKind::set_update, set, start) == Duration{}) ++calls;
    return calls;
  };
  CHECK(burst("a") == 11);  // one fewer than the twelve that are documented
  CHECK(burst("b") == 11);
  CHECK(budget.wait_for(CallKind::set_update, "a", start) == Duration::seconds(15));
  CHECK(budget.wait_for(CallKind::set_update, "a", start + Duration::seconds(14)) == Duration::seconds(1));
  CHECK(budget.wait_for(CallKind::set_update, "a", start + Duration::seconds(15)) == Duration{});
  CHECK(budget.wait_for(CallKind::set_update, "a", start + Duration::seconds(15)) == Duration::seconds(15));
  CHECK(budget.wait_for(CallKind::set_list, "a", start) == Duration{});
}

TEST_CASE("budget: all writes together keep to the front end's bucket") {
  Budget budget;
  const Time start = Time::from_seconds(1000);
  int calls = 0;
  for (int set = 0; set < 1000; ++set) {
    calls += budget.wait_for(CallKind::set_create, "s" + std::to_string(set), start) == Duration{} ? 1 : 0;
  }
  CHECK(calls == 199);
  CHECK(budget.wait_for(CallKind::operation, "o", start) == Duration{});  // reads have their own
}

TEST_CASE("budget: what Azure says is left counts when it is less, and a refusal blocks") {
  Budget budget;
  const Time start = Time::from_seconds(1000);
  CHECK(budget.wait_for(CallKind::set_get, "a", start) == Duration{});
  budget.observe(CallKind::set_get, "a", {.resource = 30}, start);
  budget.observe(CallKind::set_get, "a", {.resource = 1}, start);
  budget.observe(CallKind::set_get, "a", {.resource = 20}, start);  // never raises
  CHECK(budget.wait_for(CallKind::set_get, "a", start) == Duration::seconds(5));
  CHECK(budget.wait_for(CallKind::set_get, "b", start) == Duration{});
  budget.block(CallKind::set_delete, "a", start + Duration::seconds(40));
  CHECK(budget.wait_for(CallKind::set_delete, "a", start + Duration::seconds(10)) == Duration::seconds(30));
  CHECK(budget.wait_for(CallKind::set_delete, "a", start + Duration::seconds(40)) == Duration{});
}

TEST_CASE("budget: obeying it never takes more than a bucket has, whatever the calls") {
  const std::uint64_t seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Budget budget;
  Time now = Time::from_seconds(1000);
  std::vector<Time> taken;
  for (int i = 0; i < 2000; ++i) {
    now = now + Duration::milliseconds(static_cast<std::int64_t>(random() % 30'000));
    const Duration wait = budget.wait_for(CallKind::set_update, "a", now);
    if (wait == Duration{}) taken.push_back(now);
    if (wait == Duration{}) continue;
    // Waiting as told is always enough, and was needed.
    CHECK(budget.wait_for(CallKind::set_update, "a", now + wait - Duration::nanoseconds(1)) != Duration{});
    CHECK(budget.wait_for(CallKind::set_update, "a", now + wait) == Duration{});
    now = now + wait;
    taken.push_back(now);
  }
  // In any span no more than the bucket and what came back meanwhile: four a minute.
  for (std::size_t first = 0; first < taken.size(); ++first) {
    for (std::size_t last = first; last < std::min(taken.size(), first + 60); ++last) {
      const std::int64_t back = (taken[last] - taken[first]).ns / Duration::seconds(15).ns;
      REQUIRE(static_cast<std::int64_t>(last - first + 1) <= 12 + back);
    }
  }
}

TEST_CASE("plan: a node's number says its set") {
  AzureSettings settings;
  settings.cluster = "c1";
  ReserveGang command{GangId{1}, {}, {}};
  command.pool.name = "nd";
  command.pool.node_prefix = "nd";
  for (const int n : {1, 100, 101, 250, 2}) {
    command.vms.push_back({VmId{static_cast<std::uint64_t>(n)}, "nd" + std::to_string(n)});
  }
  const auto shares = plan_gang(command, settings);
  REQUIRE(shares.has_value());
  REQUIRE(shares->size() == 3);
  CHECK((*shares)[0].set == "virga-c1-nd-1");
  CHECK((*shares)[0].places == std::vector<std::size_t>{0, 1, 4});
  CHECK((*shares)[1].set == "virga-c1-nd-2");
  CHECK((*shares)[1].places == std::vector<std::size_t>{2});
  CHECK((*shares)[2].set == "virga-c1-nd-3");
  command.pool.set_nodes_max = 300;
  CHECK(plan_gang(command, settings)->size() == 1);
  command.pool.set_nodes_max = 0;
  command.pool.sku.name = "Standard_NC24ads_A100_v4";
  CHECK(plan_gang(command, settings)->size() == 1);  // Flexible: a thousand
  settings.pools["nd"].orchestration = virga::Orchestration::uniform;
  CHECK(plan_gang(command, settings)->size() == 3);
  command.pool.sku.name = "Standard_ND128isr_GB300_v6";
  CHECK(plan_gang(command, settings)->back().set == "virga-c1-nd-14");  // 250 is in the fourteenth rack

  for (const std::string name : {"nd", "nd0", "nd1x", "x1", "", "nd99999999999"}) {
    CAPTURE(name);
    command.vms = {{VmId{1}, name}};
    const auto refused = plan_gang(command, settings);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().message.find("nd1") != std::string::npos);
  }
  command.vms = {{VmId{1}, "nd1"}};
  settings.cluster = std::string(60, 'c');
  CHECK_FALSE(plan_gang(command, settings).has_value());
}

TEST_CASE("plan: what Azure is told") {
  AzureSettings settings;
  settings.cluster = "c_1";
  settings.subscription = "S";
  settings.resource_group = "g";
  settings.region = "eastus";
  Pool pool;
  pool.name = "nd";
  pool.sku.name = "Standard_ND96isr_H100_v5";
  const auto made = put_body(settings, pool, {"virga-c_1-nd-1", 100, "#!/bin/sh\n", "ssh-ed25519 AAAA"});
  CHECK(made.version == ApiVersion::compute);
  const auto document = JsonDocument::parse(made.text);
  REQUIRE(document.has_value());
  const JsonNode root = document->root();
  CHECK(root.find("sku").find("capacity").unsigned_integer() == 100);
  CHECK(root.find("tags").find("virga-cluster").string() == "c_1");
  const JsonNode properties = root.find("properties");
  CHECK(properties.find("singlePlacementGroup").boolean());
  CHECK_FALSE(properties.find("overprovision").boolean());
  CHECK(properties.find("platformFaultDomainCount").unsigned_integer() == 1);
  const JsonNode profile = properties.find("virtualMachineProfile");
  CHECK_FALSE(profile.find("priority"));
  CHECK(profile.find("osProfile").find("customData").string() == "IyEvYmluL3NoCg==");
  CHECK(profile.find("osProfile").find("computerNamePrefix").string() == "virga-c-1-nd-1-");
  const JsonNode image = profile.find("storageProfile").find("imageReference");
  CHECK(image.find("publisher").string() == "microsoft-dsvm");
  CHECK(image.find("version").string() == "latest");

  pool.purchase = Purchase::spot;
  settings.image = "/subscriptions/x/images/y";
  const auto spot = JsonDocument::parse(put_body(settings, pool, {"s", 1}).text);
  REQUIRE(spot.has_value());
  const JsonNode spot_profile = spot->root().find("properties").find("virtualMachineProfile");
  CHECK(spot_profile.find("priority").string() == "Spot");
  CHECK(spot_profile.find("evictionPolicy").string() == "Delete");
  CHECK(spot_profile.find("billingProfile").find("maxPrice").signed_integer() == -1);
  CHECK(spot_profile.find("storageProfile").find("imageReference").find("id").string() == settings.image);
  CHECK(patch_body(7) == R"({"sku":{"capacity":7}})");
  CHECK(instances_body({"0", "12"}) == R"({"instanceIds":["0","12"]})");
}
