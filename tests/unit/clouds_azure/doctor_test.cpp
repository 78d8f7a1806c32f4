// virga doctor azure against virga-arm: what is wrong is found, with its remedy, and nothing is written.
#include "clouds/azure/doctor.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <fstream>

#include "unit/clouds_azure/stand_in.hpp"

namespace virga::azure_test {
namespace {

Pool pool(const std::string& name, std::uint32_t max_nodes) {
  Pool pool;
  pool.name = name;
  pool.cloud = "azure";
  pool.sku.name = "Standard_ND96isr_H100_v5";
  pool.max_nodes = max_nodes;
  return pool;
}

/// "" if there is no such check.
std::string verdict_of(const CheckReport& report, const std::string& what, const std::string& text = "") {
  for (const Check& check : report.checks) {
    if (check.what != what || check.text.find(text) == std::string::npos) continue;
    if (check.verdict == Verdict::warning || check.verdict == Verdict::failed) CHECK_FALSE(check.remedy.empty());
    return std::string(name_of(check.verdict));
  }
  return "";
}

AzureSettings settings_of(const ArmProcess& arm) {
  AzureSettings settings = arm.settings();
  chmod(settings.secret_file.c_str(), 0600);
  return settings;
}

}  // namespace

TEST_CASE("azure doctor: a subscription that is ready, before and after the group is made") {
  ArmProcess arm;
  const AzureSettings settings = settings_of(arm);
  const CheckReport fresh = examine_azure(settings, {pool("nd", 16)});
  for (const Check& check : fresh.checks) CHECK_MESSAGE(check.verdict != Verdict::failed, check.what, check.text);
  CHECK(verdict_of(fresh, "group", "not there yet") == "ok");
  CHECK(arm.sets() == 0);
  CHECK(arm.call("GET", "?api-version=2021-04-01") == 404);  // nothing was written
  arm.call("PUT", "?api-version=2021-04-01", R"({"location": "eastus"})");
  const std::string network = "/providers/Microsoft.Network/virtualNetworks/virga?api-version=2022-07-01";
  arm.call("PUT", network, R"({"location": "eastus", "properties": {"addressSpace": {"addressPrefixes":
    ["10.1.0.0/16", "172.16.0.0/12"]},
    "subnets": [{"name": "nodes", "properties": {"addressPrefix": "10.1.0.0/28"}}]}})");
  Pool far = pool("far", 3);
  far.cloud = "host";
  const CheckReport report = examine_azure(settings, {pool("nd", 12), far});
  CHECK(verdict_of(report, "group", "is there") == "ok");
  CHECK(verdict_of(report, "permissions") == "ok");
  CHECK(verdict_of(report, "network", "172.16.0.0/16") == "failed");
  CHECK(verdict_of(report, "subnet", "room for 11 nodes, the pools' max_nodes are 12") == "failed");
  CHECK(verdict_of(report, "pool far size") == "");
  CHECK(verdict_of(examine_azure(settings, {pool("nd", 11)}), "subnet", "11 are needed") == "ok");
  AzureSettings other = settings;
  other.subnet = "more";
  CHECK(verdict_of(examine_azure(other, {}), "subnet", "does not lie in network virga") == "failed");
  CHECK(verdict_of(examine_azure(other, {}), "pools", "no pool is Azure's") == "warning");
}

TEST_CASE("azure doctor: what a scenario makes wrong is found") {
  ArmProcess arm(R"(
client_secret = "s3cret"
clock_skew = "2m"
unregistered = ["Microsoft.Network"]
missing_images = ["microsoft-dsvm:ubuntu-hpc:2204"]
actions = ["*/read", "Microsoft.Network/*"]
[quota.h100]
family = "standardNDSH100v5Family"
vcpus = 300
[quota.spot]
family = "lowPriorityCores"
vcpus = 95
[restriction.zone]
size = "Standard_ND96isr_H100_v5"
zones = ["2"]
[restriction.all]
size = "Standard_ND96isr_H200_v5"
)");
  const AzureSettings settings = settings_of(arm);
  arm.call("PUT", "?api-version=2021-04-01", R"({"location": "eastus"})");
  Pool spot = pool("spot", 2);
  spot.purchase = Purchase::spot;
  Pool shut = pool("shut", 2);
  shut.sku.name = "Standard_ND96isr_H200_v5";
  shut.set_nodes_max = 300;
  Pool odd = pool("odd", 2);
  odd.sku.name = "Standard_Odd_v1";
  const CheckReport report = examine_azure(settings, {pool("nd", 16), spot, shut, odd});
  CHECK(report.has_failed());
  CHECK(verdict_of(report, "secret", "private") == "ok");
  CHECK(verdict_of(report, "clock", "behind Azure") == "warning");
  CHECK(verdict_of(report, "token") == "ok");
  CHECK(verdict_of(report, "provider Microsoft.Network", "is NotRegistered") == "failed");
  CHECK(verdict_of(report, "permissions", "not allowed: Microsoft.Compute/virtualMachineScaleSets/write") == "failed");
  CHECK(verdict_of(report, "permissions", "Microsoft.Compute/disks/delete") == "failed");
  CHECK(verdict_of(report, "image", "PlatformImageNotFound") == "failed");
  CHECK(verdict_of(report, "pool nd size", "NotAvailableForSubscription in zone 2") == "warning");
  CHECK(verdict_of(report, "pool nd quota", "3 more nodes") == "warning");
  CHECK(verdict_of(report, "pool nd regional quota") == "ok");
  CHECK(verdict_of(report, "pool spot spot quota", "0 more nodes") == "failed");
  CHECK(verdict_of(report, "pool spot quota") == "");
  CHECK(verdict_of(report, "pool shut size", "restricted in eastus: NotAvailableForSubscription") == "failed");
  CHECK(verdict_of(report, "pool shut scale sets", "set_nodes_max is 300") == "warning");
  CHECK(verdict_of(report, "pool odd size", "not offered in eastus") == "failed");
}

TEST_CASE("azure doctor: who we are, and whether anybody answers") {
  ArmProcess arm("client_secret = \"s3cret\"\n");
  AzureSettings settings = settings_of(arm);
  SUBCASE("a wrong secret that others can read") {
    std::ofstream(settings.secret_file) << "wrong\n";
    chmod(settings.secret_file.c_str(), 0644);
    const CheckReport report = examine_azure(settings, {});
    CHECK(verdict_of(report, "secret", "can be read by others") == "warning");
    CHECK(verdict_of(report, "token", "invalid_client") == "failed");
    CHECK(verdict_of(report, "subscription") == "skipped");
    CHECK(report.checks.back().what == "pools");
  }
  SUBCASE("no secret") {
    settings.secret_file = arm.folder() / "none";
    const CheckReport report = examine_azure(settings, {});
    CHECK(verdict_of(report, "secret", "cannot be read") == "failed");
    CHECK(verdict_of(report, "token") == "failed");
  }
  SUBCASE("a login that nobody serves") {
    settings.login_endpoint = "https://127.0.0.1:1";
    CHECK(verdict_of(examine_azure(settings, {}), "token", "127.0.0.1:1") == "failed");
  }
  SUBCASE("an endpoint that nobody serves") {
    settings.endpoint = "https://127.0.0.1:1";
    const CheckReport report = examine_azure(settings, {});
    CHECK(verdict_of(report, "endpoint") == "failed");
    CHECK(verdict_of(report, "token") == "skipped");
  }
  SUBCASE("a certificate that nobody trusts") {
    settings.ca_file = "";
    CHECK(verdict_of(examine_azure(settings, {}), "endpoint", "certificate") == "failed");
  }
  SUBCASE("another subscription, another region") {
    AzureSettings other = settings;
    other.subscription = "99999999-1111-1111-1111-111111111111";
    CHECK(verdict_of(examine_azure(other, {}), "subscription", "SubscriptionNotFound") == "failed");
    other = settings;
    other.region = "moon";
    const CheckReport report = examine_azure(other, {pool("nd", 1)});
    CHECK(verdict_of(report, "region", "no region moon") == "failed");
    CHECK(verdict_of(report, "pools") == "skipped");
  }
}

}  // namespace virga::azure_test
