// What the stand-in says of sizes, images, providers and permissions, as a scenario has it, and that it acts on it.
#include <algorithm>
#include <boost/json.hpp>

#include "unit/arm/client.hpp"

namespace virga::arm::test {
namespace {

constexpr const char* k_scenario = R"(
clock_skew = "10m"
unregistered = ["microsoft.compute"]
missing_images = ["pub:off:one"]
actions = ["*/read", "Microsoft.Network/*"]
[restriction.whole]
region = "eastus"
size = "Standard_ND96isr_H100_v5"
reason = "QuotaId"
[restriction.zones]
size = "Standard_NC24ads_A100_v4"
zones = ["1", "3"]
)";

std::string restrictions_of(Client& azure, const std::string& region, std::string_view size) {
  const Reply skus = azure.get("/providers/Microsoft.Compute/skus?$filter=location%20eq%20'" + region + "'");
  for (const auto& sku : skus.items()) {
    if (sku.at("name").as_string() == size) return boost::json::serialize(sku.at("restrictions"));
  }
  return "no such size";
}

}  // namespace

TEST_CASE("arm: restrictions are listed, and sizes that have them are refused as Azure refuses them") {
  Client azure(k_scenario);
  azure.make_group("g");
  CHECK(restrictions_of(azure, "eastus", k_h100) ==
        R"([{"type":"Location","values":["eastus"],"restrictionInfo":{"locations":["eastus"],"zones":[]},)"
        R"("reasonCode":"QuotaId"}])");
  CHECK(restrictions_of(azure, "eastus2", k_h100) == "[]");
  CHECK(restrictions_of(azure, "eastus2", "Standard_NC24ads_A100_v4") ==
        R"([{"type":"Zone","values":["eastus2"],"restrictionInfo":{"locations":["eastus2"],"zones":["1","3"]},)"
        R"("reasonCode":"NotAvailableForSubscription"}])");
  const Reply refused = azure.put(k_sets + "/s", set_body(2));
  CHECK(refused.status() == 409);
  CHECK(refused.code() == "SkuNotAvailable");
  CHECK(azure.put(k_sets + "/empty", set_body(0)).status() == 201);  // nothing is asked for yet
  CHECK(azure.patch(k_sets + "/empty", R"({"sku": {"capacity": 1}})").code() == "SkuNotAvailable");
  // A zone that is shut concerns who names it.
  const std::string body = set_body(1, "", "Standard_NC24ads_A100_v4");
  CHECK(azure.put(k_sets + "/anywhere", body).status() == 201);
  CHECK(azure.put(k_sets + "/one", R"({"zones": ["2", "3"], )" + body.substr(1)).code() == "SkuNotAvailable");
  CHECK(azure.put(k_sets + "/two", R"({"zones": ["2"], )" + body.substr(1)).status() == 201);
}

TEST_CASE("arm: providers, images and permissions are as the scenario has them") {
  Client azure(k_scenario);
  azure.make_group("g");
  CHECK(azure.get("/providers/Microsoft.Compute").text("registrationState") == "NotRegistered");
  CHECK(azure.get("/providers/Microsoft.Network").text("registrationState") == "Registered");
  const std::string images =
      "/providers/Microsoft.Compute/locations/eastus/publishers/pub/artifacttypes/vmimage/offers/off/skus/";
  CHECK(azure.get(images + "ONE/versions").code() == "PlatformImageNotFound");
  CHECK(azure.get(images + "two/versions").status() == 200);
  const Reply permissions = azure.get("/resourceGroups/g/providers/Microsoft.Authorization/permissions");
  REQUIRE(permissions.items().size() == 1);
  CHECK(boost::json::serialize(permissions.items()[0].at("actions")) == R"(["*/read","Microsoft.Network/*"])");
  CHECK(azure.get("/resourceGroups/none/providers/Microsoft.Authorization/permissions").code() ==
        "ResourceGroupNotFound");
}

TEST_CASE("arm: a restriction without a size is a mistake") {
  const auto parsed = parse_scenario("[restriction.x]\nregion = \"eastus\"\n", "s.toml");
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().message.find("restriction.x.size: missing") != std::string::npos);
}

}  // namespace virga::arm::test
