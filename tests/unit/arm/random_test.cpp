// Requests that no sane client sends, in any order: the stand-in answers each of them, and its books stay right.
#include <boost/json.hpp>
#include <cstdlib>
#include <map>

#include "arm/text.hpp"
#include "unit/arm/client.hpp"

namespace virga::arm::test {
namespace {

template <std::size_t N>
std::string one_of(Prng& random, const char* const (&words)[N]) {
  return words[random.below(N)];
}

std::string random_target(Prng& random) {
  constexpr const char* k_groups[] = {
      "", "", "/resourceGroups/g", "/resourceGroups/g", "/resourcegroups/G", "/resourceGroups/h", "/resourceGroups"};
  constexpr const char* k_types[] = {"virtualMachineScaleSets",
                                     "virtualmachinescalesets",
                                     "virtualMachines",
                                     "capacityReservationGroups",
                                     "interconnectBlocks",
                                     "locations",
                                     "skus",
                                     "proximityPlacementGroups"};
  constexpr const char* k_names[] = {"/a", "/b", "/c", "/eastus", ""};
  constexpr const char* k_more[] = {"",
                                    "",
                                    "",
                                    "/virtualMachines",
                                    "/virtualMachines/0",
                                    "/virtualMachines/1/restart",
                                    "/delete",
                                    "/restart",
                                    "/deallocate",
                                    "/start",
                                    "/poweroff",
                                    "/instanceView",
                                    "/networkInterfaces",
                                    "/usages",
                                    "/skus",
                                    "/capacityReservations/r",
                                    "/virtualMachines/0/simulateEviction",
                                    "/operations/x",
                                    "/reimage",
                                    "/%2F%zz",
                                    "/%ff",
                                    "/a%00b"};
  constexpr const char* k_networks[] = {"/virtualNetworks/n",   "/virtualNetworks/n/subnets/s",
                                        "/networkInterfaces/c", "/virtualNetworks/n/subnets",
                                        "/virtualNetworks",     "/networkInterfaces"};
  constexpr const char* k_queries[] = {"",
                                       "&$expand=instanceView",
                                       "&forceDeletion=true",
                                       "&$skiptoken=99999999999",
                                       "&$filter=eq '/x",
                                       "&api-version=%0d%0aX: y"};
  std::string target = "/subscriptions/11111111-1111-1111-1111-111111111111" + one_of(random, k_groups);
  const std::uint64_t kind = random.below(10);
  if (kind < 7)
    target +=
        "/providers/Microsoft.Compute/" + one_of(random, k_types) + one_of(random, k_names) + one_of(random, k_more);
  if (kind == 7) target += "/providers/Microsoft.Network" + one_of(random, k_networks);
  if (kind == 8) target += "/providers/Microsoft.Resources/deployments/d";
  if (kind == 9 && random.chance(1, 3)) target += "/providers/Microsoft.Batch/virtualMachines/v";
  return target + "?api-version=2022-08-01" + one_of(random, k_queries);
}

/// JSON of the words that the stand-in reads, with values that need not fit.
boost::json::value random_value(Prng& random, int depth) {
  constexpr const char* k_keys[] = {"location",
                                    "sku",
                                    "name",
                                    "capacity",
                                    "properties",
                                    "virtualMachineProfile",
                                    "osProfile",
                                    "customData",
                                    "networkProfile",
                                    "networkInterfaceConfigurations",
                                    "ipConfigurations",
                                    "subnet",
                                    "subnets",
                                    "id",
                                    "addressPrefix",
                                    "priority",
                                    "hardwareProfile",
                                    "vmSize",
                                    "zones",
                                    "tags",
                                    "instanceIds",
                                    "template",
                                    "resources",
                                    "orchestrationMode",
                                    "networkInterfaces",
                                    "singlePlacementGroup",
                                    "dependsOn",
                                    "variables",
                                    "type",
                                    "apiVersion",
                                    "a",
                                    "capacityReservation",
                                    "capacityReservationGroup"};
  constexpr const char* k_texts[] = {"eastus",
                                     "Standard_D4s_v5",
                                     "Standard_ND96isr_H100_v5",
                                     "Spot",
                                     "Flexible",
                                     "0",
                                     "*",
                                     "10.0.0.0/29",
                                     "[reference('a')]",
                                     "[",
                                     "",
                                     "1",
                                     "?",
                                     "a/b",
                                     "[variables('a')]",
                                     "Microsoft.Compute/images",
                                     "2022-08-01"};
  const std::uint64_t kind = random.below(depth > 5 ? 4 : 9);
  if (kind == 0) return nullptr;
  if (kind == 1) return random.between(-3, 12);
  if (kind == 2) return random.chance(1, 2);
  if (kind == 3) return boost::json::string(one_of(random, k_texts));
  if (kind == 4) {
    boost::json::array array;
    for (std::uint64_t i = random.below(3); i > 0; --i) array.push_back(random_value(random, depth + 1));
    return array;
  }
  boost::json::object object;
  for (std::uint64_t i = random.below(7); i > 0; --i) object[one_of(random, k_keys)] = random_value(random, depth + 1);
  return object;
}

std::string random_body(Prng& random) {
  const std::uint64_t kind = random.below(12);
  if (kind < 5)
    return set_body(static_cast<int>(random.below(8)), random.chance(1, 2) ? R"(, "priority": "Spot")" : "");
  if (kind == 5) return R"({"location": "eastus", "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}}})";
  if (kind == 6) return "{";
  if (kind == 7) {
    boost::json::object subnet;
    constexpr const char* k_names[] = {"", "?", "s", "t", "a/b", "#"};
    subnet["name"] = one_of(random, k_names);
    subnet["properties"] = random_value(random, 4);
    return R"({"location": "eastus", "properties": {"subnets": [)" + boost::json::serialize(subnet) + "]}}";
  }
  if (kind == 8) {
    return R"({"properties": {"template": {"variables": )" + boost::json::serialize(random_value(random, 3)) +
           R"(, "resources": )" + boost::json::serialize(random_value(random, 3)) + "}}}";
  }
  boost::json::value value = random_value(random, 0);
  if (random.chance(2, 3)) {
    boost::json::object sound = boost::json::parse(set_body(2)).get_object();
    if (value.is_object()) merge(sound, value.get_object());
    value = sound;
  }
  return boost::json::serialize(value);
}

/// Quotas count what is there.
void check_books(Client& azure) {
  std::map<std::string, std::uint64_t> vcpus;
  for (const auto& numbered : azure.azure.world().machines.all()) {
    const Machine& machine = numbered.second;  // clang 14 cannot capture a structured binding
    const AzureSize& size = *machine.spec.size;
    vcpus[machine.spec.spot ? std::string(k_spot_family) : size.family] += size.vcpus;
    const std::string& owner = machine.spec.set.empty() ? machine.spec.id : machine.spec.set;
    CHECK_MESSAGE(azure.azure.world().resources.find(owner) != nullptr,
                  machine.spec.id << " " << owner << " " << name_of(machine.provisioning));
  }
  for (const AzureSize& size : azure_sizes()) {
    CHECK(azure.azure.world().machines.quota_used("eastus", size.family) == vcpus[size.family]);
  }
  CHECK(azure.azure.world().machines.quota_used("eastus", std::string(k_spot_family)) ==
        vcpus[std::string(k_spot_family)]);
}

}  // namespace

TEST_CASE("random requests are answered, and the books stay right") {
  constexpr const char* k_methods[] = {"GET", "PUT", "PUT", "PUT", "PATCH", "POST", "POST", "DELETE", "HEAD", "BREW"};
  const char* given = std::getenv("VIRGA_SEED");
  const std::uint64_t seed = given == nullptr ? 20261124 : std::strtoull(given, nullptr, 10);
  INFO("VIRGA_SEED=" << seed);
  Prng random(seed);
  Client azure("throttle = false\nquota_vcpus = 3000\n[spot]\nmean_life = \"10m\"\n[boot.x]\nfail_per_mille = 100\n");
  azure.make_group("g");
  std::map<int, int> statuses;
  for (int i = 0; i < 6'000; ++i) {
    const std::string method = one_of(random, k_methods);
    const std::string target = random_target(random);
    const std::string body = random_body(random);
    const Reply reply = azure.send(method, target, body);
    ++statuses[reply.status()];
    const bool sound = reply.status() >= 200 && reply.status() < 500;
    CHECK_MESSAGE(sound, method << " " << target << " " << body << " gave " << reply.status());
    for (const Header& header : reply.raw.headers) {
      CHECK(header.value.find_first_of("\r\n") == std::string::npos);
    }
    azure.pass(random.exponential(Duration::seconds(10)));
    if (i % 50 == 0) azure.make_group_again("g");
    if (i % 100 == 0) check_books(azure);
  }
  CHECK(statuses[200] > 100);
  CHECK(statuses[201] > 20);
  CHECK(statuses[202] > 10);
}

}  // namespace virga::arm::test
