// Uniform scale sets through the stand-in's front door.
#include <boost/json.hpp>

#include "unit/arm/client.hpp"

namespace virga::arm::test {

TEST_CASE("a scale set's life: made, grown by one PATCH, shrunk by instance ids, deleted") {
  Client azure;
  azure.make_group("g");
  const Reply made = azure.put(k_sets + "/s", set_body(2));
  CHECK(made.status() == 201);
  CHECK(made.text("properties.provisioningState") == "Creating");
  CHECK(made.text("id") == azure.prefix + k_sets + "/s");
  CHECK(made.text("properties.virtualMachineProfile.osProfile.adminUsername") == "virga");
  CHECK(made.text("properties.virtualMachineProfile.osProfile.customData") == "");
  CHECK(made.text("properties.virtualMachineProfile.osProfile.adminPassword") == "");
  CHECK(azure.operation_of(made).text("status") == "InProgress");
  CHECK(azure.operation_of(made).header("Retry-After") == "5");
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(made).text("status") == "Succeeded");
  CHECK(azure.get(k_sets + "/s").text("properties.provisioningState") == "Succeeded");

  const Reply grown = azure.patch(k_sets + "/s", R"({"sku": {"capacity": 5}})");
  CHECK(grown.status() == 200);
  azure.pass(Duration::minutes(11));
  const Reply list = azure.get(k_sets + "/s/virtualMachines?$expand=instanceView");
  REQUIRE(list.items().size() == 5);
  const auto& vm = list.items()[4].as_object();
  CHECK(text_at(vm, "instanceId") == "4");
  CHECK(text_at(vm, "name") == "s_4");
  CHECK(text_at(vm, "tags.job") == "7");
  CHECK(text_at(vm, "properties.vmId").size() == 36);
  CHECK(text_at(vm, "properties.provisioningState") == "Succeeded");
  const auto& statuses = *array_at(vm, "properties.instanceView.statuses");
  CHECK(text_at(statuses[1].as_object(), "code") == "PowerState/running");

  const Reply cut = azure.post(k_sets + "/s/delete", R"({"instanceIds": ["1", "3"]})");
  CHECK(cut.status() == 202);
  CHECK(azure.get(k_sets + "/s").number("sku.capacity") == 3);
  azure.pass(Duration::minutes(1));
  CHECK(azure.get(k_sets + "/s/virtualMachines").items().size() == 3);
  CHECK(azure.get(k_sets + "/s/virtualMachines/3").status() == 404);
  CHECK(azure.post(k_sets + "/s/delete", R"({"instanceIds": ["1"]})").code() == "InvalidParameter");

  CHECK(azure.del(k_sets + "/s?forceDeletion=true").status() == 202);
  CHECK(azure.put(k_sets + "/s", set_body(1)).status() == 409);
  azure.pass(Duration::seconds(6));
  CHECK(azure.get(k_sets + "/s").code() == "ResourceNotFound");
  CHECK(azure.del(k_sets + "/s").status() == 204);
  CHECK(azure.azure.world().machines.all().empty());
}

TEST_CASE("paths are compared without case and ids come back canonical") {
  Client azure;
  azure.make_group("Grp");
  azure.put("/resourcegroups/grp/PROVIDERS/microsoft.compute/virtualmachinescalesets/S", set_body(1));
  const Reply set = azure.get("/resourceGroups/GRP/providers/Microsoft.Compute/virtualMachineScaleSets/s");
  CHECK(set.status() == 200);
  CHECK(set.text("id").find("/resourceGroups/grp/providers/Microsoft.Compute/virtualMachineScaleSets/S") !=
        std::string::npos);
}

TEST_CASE("quota is refused at once with its numbers, capacity only by the operation") {
  Client azure(R"(
[quota.h100]
family = "standardNDSH100v5Family"
vcpus = 384
[capacity.east]
region = "eastus"
size = "Standard_ND96isr_H100_v5"
vms = 3
)");
  azure.make_group("g");
  const Reply refused = azure.put(k_sets + "/s", set_body(5));
  CHECK(refused.status() == 409);
  CHECK(refused.code() == "OperationNotAllowed");
  CHECK(refused.text("error.message")
            .find("Current Limit: 384, Current Usage: 0, Additional Required: 480, (Minimum) "
                  "New Limit Required: 480") != std::string::npos);
  CHECK(azure.get(k_sets + "/s").status() == 404);
  const Reply short_of = azure.put(k_sets + "/s", set_body(4));
  CHECK(short_of.status() == 201);
  azure.pass(Duration::minutes(11));
  const Reply operation = azure.operation_of(short_of);
  CHECK(operation.text("status") == "Failed");
  CHECK(operation.code() == "AllocationFailed");
  CHECK(azure.get(k_sets + "/s").number("sku.capacity") == 0);
  CHECK(azure.get(k_sets + "/s").text("properties.provisioningState") == "Failed");
  const Reply fits = azure.patch(k_sets + "/s", R"({"sku": {"capacity": 3}})");
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(fits).text("status") == "Succeeded");
  const Reply usages = azure.get("/providers/Microsoft.Compute/locations/eastus/usages");
  bool seen = false;
  for (const auto& item : usages.items()) {
    if (text_at(item.as_object(), "name.value") != "standardNDSH100v5Family") continue;
    seen = true;
    CHECK(number_at(item.as_object(), "currentValue", 0) == 288);
    CHECK(number_at(item.as_object(), "limit", 0) == 384);
  }
  CHECK(seen);
}

TEST_CASE("one placement group holds a hundred, and cannot be had back") {
  Client azure;
  azure.make_group("g");
  CHECK(azure.put(k_sets + "/s", set_body(101)).code() == "InvalidParameter");
  CHECK(azure.put(k_sets + "/s", set_body(1)).status() == 201);
  CHECK(azure.patch(k_sets + "/s", R"({"properties": {"singlePlacementGroup": false}})").status() == 200);
  CHECK(azure.patch(k_sets + "/s", R"({"properties": {"singlePlacementGroup": true}})").code() ==
        "OperationNotAllowed");
}

TEST_CASE("addresses come from the subnet, and are found through the interfaces") {
  Client azure;
  azure.make_group("g");
  const std::string network = "/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n";
  CHECK(azure
            .put(network, R"({"location": "eastus", "properties": {"addressSpace": {"addressPrefixes": ["10.7.0.0/16"]},
                 "subnets": [{"name": "nodes", "properties": {"addressPrefix": "10.7.1.0/28"}}]}})")
            .status() == 201);
  const std::string subnet = azure.get(network + "/subnets/nodes").text("id");
  CHECK(subnet == azure.prefix + network + "/subnets/nodes");
  const std::string profile = R"(, "networkProfile": {"networkInterfaceConfigurations": [{"name": "nic", "properties":
      {"primary": true, "ipConfigurations": [{"name": "c", "properties": {"subnet": {"id": ")" +
                              subnet + R"("}}}]}}]})";
  CHECK(azure.put(k_sets + "/big", set_body(12, profile)).code() == "SubnetIsFull");
  CHECK(azure.put(k_sets + "/s", set_body(3, profile)).status() == 201);
  const Reply cards = azure.get(k_sets + "/s/networkInterfaces");
  REQUIRE(cards.items().size() == 3);
  const auto& card = cards.items()[2].as_object();
  CHECK(text_at(card, "properties.virtualMachine.id") == azure.prefix + k_sets + "/s/virtualMachines/2");
  const auto& configuration = array_at(card, "properties.ipConfigurations")->at(0).as_object();
  CHECK(text_at(configuration, "properties.privateIPAddress") == "10.7.1.6");
  CHECK(azure.get(k_sets + "/s/virtualMachines/1/networkInterfaces").items().size() == 1);
  std::string elsewhere = profile;
  elsewhere.replace(elsewhere.find("/nodes"), 6, "/nowhere");
  CHECK(azure.put(k_sets + "/t", set_body(1, elsewhere)).code() == "InvalidResourceReference");
}

TEST_CASE("long lists come in pages") {
  Client azure("page_size = 10");
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(25));
  Reply page = azure.get(k_sets + "/s/virtualMachines");
  std::size_t seen = page.items().size();
  while (!page.text("nextLink").empty()) {
    REQUIRE(seen < 100);
    page = azure.get(page.text("nextLink").substr(16));
    seen += page.items().size();
  }
  CHECK(seen == 25);
}

TEST_CASE("the same seed gives the same answers, ids included") {
  const auto run = [] {
    Client azure("seed = 7");
    azure.make_group("g");
    std::string all = azure.put(k_sets + "/s", set_body(5)).raw.body;
    azure.pass(Duration::minutes(2));
    return all + azure.get(k_sets + "/s/virtualMachines?$expand=instanceView").raw.body;
  };
  CHECK(run() == run());
}

TEST_CASE("power: stopped machines are billed, deallocated ones are not, and start again") {
  Client azure;
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(2));
  azure.pass(Duration::minutes(11));
  azure.post(k_sets + "/s/poweroff", R"({"instanceIds": ["0"]})");
  azure.post(k_sets + "/s/virtualMachines/1/deallocate");
  const auto& machines = azure.azure.world().machines;
  CHECK(machines.all().at(1).power == Power::stopped);
  CHECK(machines.all().at(2).power == Power::deallocated);
  azure.pass(Duration::minutes(60));
  CHECK(machines.all().at(1).billed_until(azure.now) == Duration::minutes(71));
  CHECK(machines.all().at(2).billed_until(azure.now) == Duration::minutes(11));
  const Reply started = azure.post(k_sets + "/s/start", R"({"instanceIds": ["0", "1"]})");
  CHECK(azure.operation_of(started).text("status") == "InProgress");
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(started).text("status") == "Succeeded");
  CHECK(machines.all().at(2).power == Power::running);
}

TEST_CASE("an operation does not wait for ever for machines that something else happened to") {
  Client azure;
  azure.make_group("g");
  const Reply restarted = azure.put(k_sets + "/a", set_body(2));
  azure.pass(Duration::seconds(10));
  const Reply restart = azure.post(k_sets + "/a/restart", R"({"instanceIds": ["0", "1"]})");
  const Reply stopped = azure.put(k_sets + "/b", set_body(2));
  azure.post(k_sets + "/b/poweroff", R"({"instanceIds": ["0"]})");
  azure.post(k_sets + "/b/virtualMachines/1/deallocate");
  const Reply deleted = azure.put(k_sets + "/c", set_body(2));
  azure.post(k_sets + "/c/delete", R"({"instanceIds": ["*"]})");
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(restarted).text("status") == "Succeeded");
  CHECK(azure.operation_of(restart).text("status") == "Succeeded");
  CHECK(azure.operation_of(stopped).text("status") == "Succeeded");
  CHECK(azure.operation_of(deleted).code() == "OperationPreempted");
  CHECK(azure.get(k_sets + "/c").number("sku.capacity") == 0);
}

}  // namespace virga::arm::test
