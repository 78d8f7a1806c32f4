// VMs of their own and of Flexible sets, Spot and its notices, reservations, failures to inject, the bill.
#include <boost/json.hpp>

#include "unit/arm/client.hpp"

namespace virga::arm::test {
namespace {

const std::string k_vms = "/resourceGroups/g/providers/Microsoft.Compute/virtualMachines";
const std::string k_cards = "/resourceGroups/g/providers/Microsoft.Network/networkInterfaces";
const std::string k_held = "/resourceGroups/g/providers/Microsoft.Compute/capacityReservationGroups";

std::string vm_body(const std::string& size, const std::string& more = "") {
  return R"({"location": "eastus", "properties": {"hardwareProfile": {"vmSize": ")" + size + "\"}" + more + "}}";
}

const std::string k_spot = R"(, "priority": "Spot", "evictionPolicy": "Delete")";

}  // namespace

TEST_CASE("a VM takes its interface, and an interface in use is not given away") {
  Client azure;
  azure.make_group("g");
  CHECK(azure.put(k_cards + "/c", R"({"location": "eastus", "properties": {"ipConfigurations": [{"name": "i"}]}})")
            .status() == 201);
  const std::string card = azure.prefix + k_cards + "/c";
  const std::string network = R"(, "networkProfile": {"networkInterfaces": [{"id": ")" + card + "\"}]}";
  CHECK(azure.put(k_vms + "/a", vm_body("Standard_D4s_v5", network)).status() == 201);
  CHECK(azure.put(k_vms + "/b", vm_body("Standard_D4s_v5", network)).code() == "NicInUse");
  CHECK(azure.del(k_cards + "/c").code() == "NicInUse");
  azure.pass(Duration::minutes(11));
  const Reply vm = azure.get(k_vms + "/a?$expand=instanceView");
  CHECK(vm.text("properties.provisioningState") == "Succeeded");
  CHECK(array_at(*vm.body, "properties.instanceView.statuses")->size() == 2);
  CHECK(azure.azure.world().machines.all().begin()->second.address == "10.0.0.4");
  azure.del(k_vms + "/a");
  azure.pass(Duration::minutes(1));
  CHECK(azure.get(k_vms + "/a").status() == 404);
  CHECK(azure.del(k_cards + "/c").status() == 202);
}

TEST_CASE("a Flexible set makes VMs that live and die as VMs") {
  Client azure;
  azure.make_group("g");
  const std::string body = R"({"location": "eastus", "sku": {"name": "Standard_D4s_v5", "capacity": 2}, "properties":
      {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1,
       "virtualMachineProfile": {"priority": "Regular"}}})";
  CHECK(azure.put(k_sets + "/f", body).status() == 201);
  azure.pass(Duration::minutes(11));
  const Reply list = azure.get(k_vms);
  REQUIRE(list.items().size() == 2);
  const std::string id = text_at(list.items()[0].as_object(), "id");
  CHECK(text_at(list.items()[0].as_object(), "properties.virtualMachineScaleSet.id") == azure.prefix + k_sets + "/f");
  CHECK(azure
            .put(k_vms + "/extra", vm_body("Standard_D4s_v5",
                                           R"(, "virtualMachineScaleSet": {"id": ")" + azure.prefix + k_sets + "/f\"}"))
            .status() == 201);
  azure.put(k_sets + "/u", set_body(0));
  CHECK(azure
            .put(k_vms + "/wrong", vm_body("Standard_D4s_v5",
                                           R"(, "virtualMachineScaleSet": {"id": ")" + azure.prefix + k_sets + "/u\"}"))
            .code() == "InvalidParameter");
  azure.del(id);
  azure.pass(Duration::minutes(1));
  CHECK(azure.get(k_vms).items().size() == 2);
  CHECK(azure.get(k_sets + "/f").number("sku.capacity") == 1);
  azure.del(k_sets + "/f");
  azure.pass(Duration::minutes(1));
  CHECK(azure.get(k_vms).items().empty());
}

TEST_CASE("an eviction is announced, then the VM is gone and so is its share of the capacity") {
  Client azure;
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(3, k_spot));
  azure.pass(Duration::minutes(11));
  CHECK(azure.post(k_sets + "/s/virtualMachines/1/simulateEviction").status() == 204);
  Reply events = azure.metadata("GET", "/vm/s_1/metadata/scheduledevents?api-version=2020-07-01");
  REQUIRE(array_at(*events.body, "Events")->size() == 1);
  const auto& event = array_at(*events.body, "Events")->at(0).as_object();
  CHECK(text_at(event, "EventType") == "Preempt");
  CHECK(text_at(event, "NotBefore").ends_with("GMT"));
  CHECK(array_at(*azure.metadata("GET", "/vm/s_0/metadata/scheduledevents?api-version=2020-07-01").body, "Events")
            ->empty());
  CHECK(azure
            .metadata("POST", "/vm/s_1/metadata/scheduledevents?api-version=2020-07-01",
                      R"({"StartRequests": [{"EventId": "other"}]})")
            .status() == 400);
  azure.pass(Duration::seconds(29));
  CHECK(azure.get(k_sets + "/s/virtualMachines/1").status() == 200);
  azure.pass(Duration::seconds(1));
  CHECK(azure.get(k_sets + "/s/virtualMachines/1").status() == 404);
  CHECK(azure.get(k_sets + "/s").number("sku.capacity") == 2);
  azure.put(k_sets + "/regular", set_body(1));
  CHECK(azure.post(k_sets + "/regular/virtualMachines/0/simulateEviction").status() == 409);
}

TEST_CASE("Spot VMs whose policy is Deallocate stay, and hold the Spot quota") {
  Client azure("[eviction.one]\nat = \"20m\"\nset = \"s\"\ncount = 2\n");
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(3, R"(, "priority": "Spot")"));
  azure.pass(Duration::minutes(30));
  const auto& machines = azure.azure.world().machines;
  CHECK(machines.all().at(1).power == Power::deallocated);
  CHECK(machines.all().at(2).power == Power::deallocated);
  CHECK(machines.all().at(3).power == Power::running);
  CHECK(machines.quota_used("eastus", "lowPriorityCores") == 288);
  CHECK(machines.quota_used("eastus", "standardNDSH100v5Family") == 0);
  CHECK(azure.get(k_sets + "/s").number("sku.capacity") == 3);
}

TEST_CASE("a reservation holds room for its group, all of it or none") {
  Client azure("[capacity.a]\nsize = \"Standard_NC24ads_A100_v4\"\nvms = 3\n");
  azure.make_group("g");
  azure.put(k_held + "/h", R"({"location": "eastus"})");
  const auto body = [](int n, std::string_view size) {
    return R"({"location": "eastus", "sku": {"name": ")" + std::string(size) + R"(", "capacity": )" +
           std::to_string(n) + "}}";
  };
  const std::string size = "Standard_NC24ads_A100_v4";
  CHECK(azure.put(k_held + "/h/capacityReservations/r", body(4, size)).code() == "AllocationFailed");
  CHECK(azure.put(k_held + "/h/capacityReservations/r", body(1, k_h100)).code() == "InvalidParameter");
  CHECK(azure.put(k_held + "/h/capacityReservations/r", body(2, size)).status() == 201);
  const std::string in_group =
      R"(, "capacityReservation": {"capacityReservationGroup": {"id": ")" + azure.prefix + k_held + "/h\"}}";
  const auto outcome = [&](const std::string& name, const std::string& more) {
    const Reply reply = azure.put(k_vms + "/" + name, vm_body(size, more));
    azure.pass(Duration::minutes(11));
    return azure.operation_of(reply).text("status");
  };
  CHECK(outcome("free", "") == "Succeeded");
  CHECK(outcome("too_many", "") == "Failed");
  CHECK(outcome("held_1", in_group) == "Succeeded");
  CHECK(outcome("held_2", in_group) == "Succeeded");
  CHECK(outcome("held_3", in_group) == "Failed");
  CHECK(
      array_at(*azure.get(k_held + "/h/capacityReservations/r").body, "properties.virtualMachinesAssociated")->size() ==
      2);
  CHECK(azure.del(k_held + "/h/capacityReservations/r").status() == 409);
}

TEST_CASE("a scale set uses a reservation before quota and capacity, if its shape may") {
  Client azure(
      "[capacity.a]\nsize = \"Standard_NC24ads_A100_v4\"\nvms = 2\n"
      "[quota.a]\nfamily = \"StandardNCADSA100v4Family\"\nvcpus = 48\n");
  azure.make_group("g");
  azure.put(k_held + "/h", R"({"location": "eastus"})");
  const std::string size = "Standard_NC24ads_A100_v4";
  const auto held = [&](const std::string& capacity) {
    return azure.put(k_held + "/h/capacityReservations/r",
                     R"({"location": "eastus", "sku": {"name": ")" + size + R"(", "capacity": )" + capacity + "}}");
  };
  CHECK(held("9000000000").code() == "InvalidParameter");
  CHECK(held("2").status() == 201);
  const auto body = [&](int capacity, bool one_group, const std::string& of_size, const std::string& more = "") {
    return R"({"location": "eastus", "sku": {"name": ")" + of_size + R"(", "capacity": )" + std::to_string(capacity) +
           R"(}, "properties": {"singlePlacementGroup": )" + (one_group ? "true" : "false") +
           R"(, "virtualMachineProfile": {"capacityReservation": {"capacityReservationGroup": {"id": ")" +
           azure.prefix + k_held + "/h\"}}" + more + "}}}";
  };
  CHECK(azure.put(k_sets + "/s", body(2, true, size)).code() == "InvalidParameter");
  CHECK(azure.put(k_sets + "/s", body(2, false, size, k_spot)).code() == "InvalidParameter");
  CHECK(azure.put(k_sets + "/s", body(1, false, std::string(k_h100))).code() == "InvalidParameter");
  CHECK(azure.put(k_sets + "/s", body(3, false, size)).code() == "OperationNotAllowed");
  const Reply made = azure.put(k_sets + "/s", body(2, false, size));
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(made).text("status") == "Succeeded");
  CHECK(azure.get(k_sets + "/s").number("sku.capacity") == 2);
  CHECK(azure.azure.world().machines.quota_used("eastus", "StandardNCADSA100v4Family") == 48);
  bool seen = false;
  const Reply skus = azure.get("/providers/Microsoft.Compute/skus?$filter=location eq 'eastus'");
  for (const auto& sku : skus.items()) {
    if (text_at(sku.as_object(), "name") != "Standard_NC40ads_H100_v5") continue;
    for (const auto& capability : *array_at(sku.as_object(), "capabilities")) {
      if (text_at(capability.as_object(), "name") != "CapacityReservationSupported") continue;
      seen = true;
      CHECK(text_at(capability.as_object(), "value") == "False");
    }
  }
  CHECK(seen);
}

TEST_CASE("addresses: none leaks with what held it, and a full subnet is told") {
  Client azure;
  const std::string network = "/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n";
  const std::string subnet = azure.prefix + network + "/subnets/a";
  const std::string subnets = R"({"location": "eastus", "properties": {"subnets": [
      {"name": "a", "properties": {"addressPrefix": "10.9.0.0/29"}}]}})";
  const auto card = [&](const std::string& name) {
    return azure.put(k_cards + "/" + name,
                     R"({"location": "eastus", "properties": {"ipConfigurations": [{"name": "i", "properties": {
                         "subnet": {"id": ")" +
                         subnet + R"("}}}]}})");
  };
  for (int round = 0; round < 2; ++round) {
    azure.make_group_again("g");
    CHECK(azure.put(network, subnets).status() == 201);
    const Reply first = card("a");
    const auto& configuration = array_at(*first.body, "properties.ipConfigurations")->at(0).as_object();
    CHECK(text_at(configuration, "properties.privateIPAddress") == "10.9.0.4");
    for (const char* name : {"b", "c"}) CHECK(card(name).status() == 201);
    CHECK(card("d").code() == "SubnetIsFull");
    CHECK(azure.get(k_cards + "/d").status() == 404);
    CHECK(azure.del(network).code() == "InUseSubnetCannotBeDeleted");
    CHECK(azure.del(network + "/subnets/a").code() == "InUseSubnetCannotBeDeleted");
    CHECK(azure.put(network, R"({"location": "eastus", "properties": {"subnets": []}})").code() ==
          "InUseSubnetCannotBeDeleted");
    CHECK(azure.del(k_cards + "/a").status() == 202);
    CHECK(card("d").status() == 201);
    CHECK(azure.del("/resourceGroups/g").status() == 202);
    azure.pass(Duration::minutes(1));
  }
  azure.make_group_again("g");
  CHECK(azure.put(network, subnets).status() == 201);
  CHECK(azure.del(network + "/subnets/a").status() == 202);
  CHECK(azure.del(network).status() == 202);
}

TEST_CASE("failures: refused, never ending, failing later, recovering") {
  Client azure(R"(
[failure.busy]
operation = "PUT virtualMachineScaleSets"
kind = "status"
skip = 1
status = 503
code = "ServiceUnavailable"
retry_after_s = 7
[failure.endless]
operation = "PATCH virtualMachineScaleSets"
kind = "never_ends"
)");
  azure.make_group("g");
  CHECK(azure.put(k_sets + "/a", set_body(1)).status() == 201);
  const Reply busy = azure.put(k_sets + "/b", set_body(1));
  CHECK(busy.status() == 503);
  CHECK(busy.header("Retry-After") == "7");
  CHECK(azure.get(k_sets + "/b").status() == 404);
  CHECK(azure.put(k_sets + "/b", set_body(1)).status() == 201);

  const Reply endless = azure.patch(k_sets + "/a", R"({"sku": {"capacity": 2}})");
  azure.pass(Duration::minutes(60));
  CHECK(azure.operation_of(endless).text("status") == "InProgress");
  CHECK(azure.get(k_sets + "/a/virtualMachines").items().size() == 2);

  azure.admin("failure",
              R"({"operation": "PATCH virtualMachineScaleSets", "kind": "async", "code": "AllocationFailed"})");
  const Reply later = azure.patch(k_sets + "/a", R"({"sku": {"capacity": 9}})");
  CHECK(later.status() == 200);
  azure.pass(Duration::minutes(1));
  CHECK(azure.operation_of(later).code() == "AllocationFailed");
  CHECK(azure.get(k_sets + "/a").number("sku.capacity") == 2);

  azure.admin("failure",
              R"({"operation": "PUT virtualMachineScaleSets", "kind": "recovers", "recovers_after_s": 600})");
  azure.put(k_sets + "/r", set_body(1));
  azure.pass(Duration::minutes(5));
  CHECK(azure.get(k_sets + "/r").text("properties.provisioningState") == "Failed");
  azure.pass(Duration::minutes(15));
  CHECK(azure.get(k_sets + "/r").text("properties.provisioningState") == "Succeeded");
}

TEST_CASE("a VM that does not boot fails, and the operation says why") {
  Client azure("[boot.bad]\nfail_per_mille = 1000\n");
  azure.make_group("g");
  const Reply made = azure.put(k_sets + "/s", set_body(2));
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(made).code() == "OSProvisioningTimedOut");
  CHECK(azure.get(k_sets + "/s/virtualMachines/0").text("properties.provisioningState") == "Failed");
}

TEST_CASE("lists lag behind, reads do not") {
  Client azure("list_lag = \"30s\"");
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(2));
  CHECK(azure.get(k_sets + "/s").status() == 200);
  CHECK(azure.get(k_sets).items().empty());
  CHECK(azure.get(k_sets + "/s/virtualMachines").items().empty());
  CHECK(azure.get(k_sets + "/s/virtualMachines/0").status() == 200);
  azure.pass(Duration::seconds(30));
  CHECK(azure.get(k_sets).items().size() == 1);
  CHECK(azure.get(k_sets + "/s/virtualMachines").items().size() == 2);
}

TEST_CASE("the bill is VM-seconds and their price, also of what is gone; calls are counted") {
  Client azure;
  azure.make_group("g");
  azure.put(k_sets + "/s", set_body(2));
  azure.pass(Duration::minutes(60));
  azure.post(k_sets + "/s/delete", R"({"instanceIds": ["0"]})");
  azure.pass(Duration::minutes(60));
  const Reply bill = azure.admin("bill", "");
  CHECK(find_at(*bill.body, "total.seconds")->to_number<double>() == doctest::Approx(3 * 3600));
  CHECK(find_at(*bill.body, "total.usd")->to_number<double>() == doctest::Approx(3 * 98.32));
  CHECK(find_at(*bill.body, "sets.s.seconds")->to_number<double>() == doctest::Approx(3 * 3600));
  CHECK(azure.azure.calls().count("PUT virtualMachineScaleSets") == 1);
  CHECK(azure.azure.calls().count_status(429) == 0);
  CHECK(azure.admin("nothing", "{}").status() == 404);
  CHECK(azure.admin("quota", "{}").status() == 400);
  CHECK(azure.admin("failure", R"({"operation": "x", "kind": "often"})").status() == 400);
}

TEST_CASE("ten thousand VMs in a hundred sets: one write each, none throttled, none twice") {
  Client azure("quota_vcpus = 2000000");
  azure.make_group("g");
  for (int set = 0; set < 100; ++set) {
    REQUIRE(azure.put(k_sets + "/s" + std::to_string(set), set_body(100)).status() == 201);
  }
  azure.pass(Duration::minutes(11));
  CHECK(azure.azure.world().machines.all().size() == 10'000);
  const Reply list = azure.get(k_sets + "/s42/virtualMachines?$expand=instanceView");
  CHECK(list.items().size() == 100);
  azure.del("/resourceGroups/g");
  azure.pass(Duration::minutes(1));
  CHECK(azure.azure.world().machines.all().empty());
  CHECK(azure.azure.calls().count_status(429) == 0);
}

}  // namespace virga::arm::test
