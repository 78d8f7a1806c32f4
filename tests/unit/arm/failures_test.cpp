// Failures that are asked for: of what is not carried out nothing is seen, and of what begins no operation none fails
// later. Deletions, power and secrets, where they go wrong easily.
#include <boost/json.hpp>

#include "unit/arm/client.hpp"

namespace virga::arm::test {
namespace {

const std::string k_vms = "/resourceGroups/g/providers/Microsoft.Compute/virtualMachines";
const std::string k_held = "/resourceGroups/g/providers/Microsoft.Compute/capacityReservationGroups";
const std::string k_network = "/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n";
const std::string k_deployment = "/resourceGroups/g/providers/Microsoft.Resources/deployments/d";

const std::string k_vm_body =
    R"({"location": "eastus", "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"},
        "osProfile": {"adminPassword": "hush", "customData": "aHVzaA=="}}})";

void fail_next(Client& azure, const std::string& operation, const std::string& kind) {
  REQUIRE(azure
              .admin("failure", R"({"operation": ")" + operation + R"(", "kind": ")" + kind +
                                    R"(", "code": "Asked", "recovers_after_s": 600})")
              .status() == 200);
}

/// Sends it with an injected `async`, and checks that its operation fails with that.
void check_fails_later(Client& azure, const std::string& operation, const std::string& method,
                       const std::string& target, const std::string& body = "") {
  INFO(operation);
  fail_next(azure, operation, "async");
  const Reply reply = azure.send(method, target, body);
  CHECK(reply.status() < 300);
  azure.pass(Duration::minutes(1));
  CHECK(azure.operation_of(reply).text("status") == "Failed");
  CHECK(azure.operation_of(reply).code() == "Asked");
}

}  // namespace

TEST_CASE("async: the operation fails, and nothing is changed") {
  Client azure;
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(2));
  azure.put(k_vms + "/v", k_vm_body);
  azure.put(k_network, R"({"location": "eastus", "properties": {"subnets": [{"name": "a"}]}})");
  azure.put(k_held + "/h", R"({"location": "eastus"})");
  const std::string reservation = k_held + "/h/capacityReservations/r";
  const std::string two = R"({"location": "eastus", "sku": {"name": "Standard_D4s_v5", "capacity": 2}})";
  azure.pass(Duration::minutes(11));
  auto& world = azure.azure.world();
  const std::uint32_t used = world.machines.quota_used("eastus", "cores");

  check_fails_later(azure, "DELETE virtualMachineScaleSets", "DELETE", k_sets + "/s");
  CHECK(azure.get(k_sets + "/s").text("properties.provisioningState") == "Succeeded");
  check_fails_later(azure, "PATCH virtualMachineScaleSets", "PATCH", k_sets + "/s",
                    R"({"sku": {"capacity": 0}, "tags": {"job": "8"}})");
  CHECK(azure.get(k_sets + "/s").number("sku.capacity") == 2);
  CHECK(azure.get(k_sets + "/s").text("tags.job") == "7");
  check_fails_later(azure, "POST virtualMachineScaleSets/delete", "POST", k_sets + "/s/delete",
                    R"({"instanceIds": ["0"]})");
  check_fails_later(azure, "DELETE virtualMachines", "DELETE", k_vms + "/v");
  check_fails_later(azure, "PATCH virtualMachines", "PATCH", k_vms + "/v", R"({"tags": {"a": "b"}})");
  CHECK(azure.get(k_vms + "/v").text("tags.a") == "");
  check_fails_later(azure, "DELETE virtualNetworks", "DELETE", k_network);
  check_fails_later(azure, "DELETE virtualNetworks/subnets", "DELETE", k_network + "/subnets/a");
  CHECK(azure.get(k_network + "/subnets/a").status() == 200);
  check_fails_later(azure, "PUT capacityReservationGroups/capacityReservations", "PUT", reservation, two);
  CHECK(azure.get(reservation).status() == 404);
  check_fails_later(azure, "DELETE resourceGroups", "DELETE", "/resourceGroups/g");
  CHECK(azure.get("/resourceGroups/g").text("properties.provisioningState") == "Succeeded");
  CHECK(world.machines.all().size() == 3);
  CHECK(world.machines.quota_used("eastus", "cores") == used);

  CHECK(azure.put(reservation, two).status() == 201);
  check_fails_later(azure, "DELETE capacityReservationGroups/capacityReservations", "DELETE", reservation);
  CHECK(azure.get(reservation).status() == 200);
  check_fails_later(azure, "PUT deployments", "PUT", k_deployment,
                    R"({"properties": {"template": {"resources": [{"type": "Microsoft.Compute/images", "name": "i",
        "apiVersion": "2022-08-01", "location": "eastus"}]}}})");
  CHECK(azure.get(k_deployment).text("properties.provisioningState") == "Failed");
  CHECK(azure.get("/resourceGroups/g/providers/Microsoft.Compute/images/i").status() == 404);
}

TEST_CASE("a failure that needs an operation fails a call without one at once") {
  Client azure;
  for (const char* kind : {"async", "never_ends", "recovers"}) {
    fail_next(azure, "PUT resourceGroups", kind);
    const Reply reply = azure.put("/resourceGroups/g", R"({"location": "eastus"})");
    CHECK(reply.status() == 500);
    CHECK(reply.code() == "Asked");
    CHECK(azure.get("/resourceGroups/g").status() == 404);
  }
}

TEST_CASE("recovers: also a VM is Failed first, and Succeeded later") {
  Client azure;
  azure.make_group("g");
  fail_next(azure, "PUT virtualMachines", "recovers");
  const Reply made = azure.put(k_vms + "/v", k_vm_body);
  azure.pass(Duration::minutes(10));
  CHECK(azure.operation_of(made).code() == "Asked");
  const Reply failed = azure.get(k_vms + "/v?$expand=instanceView");
  CHECK(failed.text("properties.provisioningState") == "Failed");
  azure.pass(Duration::minutes(11));
  CHECK(azure.get(k_vms + "/v").text("properties.provisioningState") == "Succeeded");
}

TEST_CASE("a group that is deleted twice does not take its successor along") {
  Client azure;
  azure.make_group("g");
  azure.del("/resourceGroups/g");
  azure.pass(Duration::seconds(15));
  const Reply second = azure.del("/resourceGroups/g");
  CHECK(second.status() == 202);
  azure.pass(Duration::seconds(5));
  CHECK(azure.operation_of(second).text("status") == "Succeeded");
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(1));
  azure.pass(Duration::minutes(1));
  CHECK(azure.get("/resourceGroups/g").status() == 200);
  CHECK(azure.get(k_sets + "/s").status() == 200);
}

TEST_CASE("start lets running VMs run, and a deallocated one is not restarted") {
  Client azure;
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(2));
  azure.pass(Duration::minutes(11));
  const auto& machines = azure.azure.world().machines;
  const Time booted = machines.all().at(1).booted;
  const Reply started = azure.post(k_sets + "/s/start");
  CHECK(machines.all().at(1).power == Power::running);
  azure.pass(Duration::minutes(1));
  CHECK(azure.operation_of(started).text("status") == "Succeeded");
  CHECK(machines.all().at(1).booted == booted);
  azure.post(k_sets + "/s/virtualMachines/1/deallocate");
  CHECK(azure.post(k_sets + "/s/virtualMachines/1/restart").status() == 409);
  CHECK(azure.post(k_sets + "/s/restart").status() == 409);
  CHECK(machines.all().at(2).power == Power::deallocated);
  CHECK(azure.post(k_sets + "/s/virtualMachines/0/restart").status() == 202);
  CHECK(machines.all().at(1).power == Power::starting);
}

TEST_CASE("a set is Succeeded only when its last operation has ended") {
  Client azure("[boot.default]\nleast = \"2m\"\nmean_extra = \"0s\"\nmost = \"2m\"\n");
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(1));
  azure.pass(Duration::minutes(1));
  azure.patch(k_sets + "/s", R"({"sku": {"capacity": 2}})");
  azure.pass(Duration::minutes(1));
  CHECK(azure.get(k_sets + "/s").text("properties.provisioningState") == "Updating");
  azure.pass(Duration::minutes(1));
  CHECK(azure.get(k_sets + "/s").text("properties.provisioningState") == "Succeeded");
}

TEST_CASE("secrets are given back nowhere, and Location shows what a GET shows") {
  Client azure;
  azure.make_group("g");
  const std::string extension = R"(, "extensionProfile": {"extensions": [{"name": "e", "properties":
      {"settings": {"a": "b"}, "protectedSettings": {"k": "hush"}}}]})";
  const Reply set = azure.put(k_sets + "/s", set_body(1, extension));
  const Reply vm = azure.put(k_vms + "/v", k_vm_body);
  const std::string own = k_vms + "/v/extensions/e";
  azure.put(own, R"({"location": "eastus", "properties": {"protectedSettings": {"k": "hush"}}})");
  azure.pass(Duration::minutes(11));
  const auto shown = [&](const std::string& target) {
    const std::string text = azure.get(target).raw.body;
    for (const char* secret : {"secret", "aGVsbG8=", "hush", "aHVzaA==", "protectedSettings"}) {
      CHECK_MESSAGE(text.find(secret) == std::string::npos, target << " " << secret << " " << text);
    }
    return text;
  };
  CHECK(shown(set.header("Location").substr(16)) == shown(k_sets + "/s"));
  CHECK(shown(vm.header("Location").substr(16)) == shown(k_vms + "/v"));
  for (const std::string& target : {k_sets, k_vms, own, k_vms + "/v/extensions", k_sets + "/s/virtualMachines",
                                    std::string("/resourceGroups/g/resources")}) {
    shown(target);
  }
  const Reply deployed = azure.put(k_deployment, R"({"properties": {"template": {"resources": [], "outputs": {
      "s": {"type": "object", "value": "[reference(')" +
                                                     azure.prefix + k_sets + R"(/s')]"},
      "v": {"type": "object", "value": "[reference(')" +
                                                     azure.prefix + k_vms + R"(/v')]"}}}}})");
  CHECK(deployed.text("properties.outputs.v.value.vmId").size() == 36);
  shown(k_deployment);
}

TEST_CASE("deployments: conditions, defaults that are expressions, errors that come late") {
  Client azure;
  azure.make_group("g");
  const auto image = [](const std::string& name, const std::string& more) {
    return R"({"type": "Microsoft.Compute/images", "apiVersion": "2022-08-01", "name": ")" + name + "\", " + more + "}";
  };
  const auto deploy = [&](const std::string& members) {
    return azure.put(k_deployment, R"({"properties": {"template": {)" + members + "}}}");
  };
  const std::string images = "/resourceGroups/g/providers/Microsoft.Compute/images/";
  deploy(R"("parameters": {"where": {"defaultValue": "[resourceGroup().location]"}, "no": {"defaultValue": false}},
      "resources": [)" +
         image("never", R"("condition": "[parameters('no')]", "location": "eastus")") + ", " +
         image("made", R"("condition": true, "location": "[parameters('where')]")") + "]");
  CHECK(azure.get(images + "never").status() == 404);
  CHECK(azure.get(images + "made").text("location") == "eastus");

  const Reply outputs = deploy(R"("resources": [], "outputs": {"x": {"type": "string", "value": "[nope()]"}})");
  CHECK(outputs.text("properties.provisioningState") == "Failed");
  CHECK(outputs.text("properties.error.message").find("nope") != std::string::npos);

  const Reply late = deploy(R"("resources": [)" + image("one", R"("location": "eastus")") + ", " +
                            image("two", R"("location": "mars", "dependsOn": ["one"])") + "]");
  CHECK(late.status() < 300);
  CHECK(late.text("properties.provisioningState") == "Failed");
  CHECK(late.text("properties.error.code") == "LocationNotAvailableForResourceType");
  CHECK(azure.get(images + "one").status() == 200);
  CHECK(azure.get(images + "two").status() == 404);
}

}  // namespace virga::arm::test
