// Flexible sets as Azure has them, racks, block reservations and interconnects.
#include <boost/json.hpp>

#include "unit/arm/client.hpp"

namespace virga::arm::test {
namespace {

namespace json = boost::json;

const std::string k_compute = "/resourceGroups/g/providers/Microsoft.Compute";
const std::string k_network = "/resourceGroups/g/providers/Microsoft.Network";
const std::string k_nc = "Standard_NC24ads_A100_v4";
const std::string k_gb200 = "Standard_ND128isr_NDR_GB200_v6";

std::string shaped_body(const std::string& size, int capacity, const std::string& properties,
                        const std::string& profile = "{}") {
  return R"({"location": "eastus", "tags": {"job": "7"}, "sku": {"name": ")" + size + R"(", "capacity": )" +
         std::to_string(capacity) + R"(}, "properties": {)" + properties + R"(, "virtualMachineProfile": )" + profile +
         "}}";
}

std::string flexible_body(int capacity, const std::string& option, const std::string& more = "") {
  return shaped_body(
      k_nc, capacity, R"("orchestrationMode": "Flexible", "platformFaultDomainCount": 1)" + more,
      R"({"storageProfile": {"osDisk": {"createOption": "FromImage", "deleteOption": ")" + option +
          R"("}}, "networkProfile": {"networkInterfaceConfigurations": [{"name": "nic", "tags": {"job": "7"},
                         "properties": {"primary": true, "deleteOption": ")" +
          option + R"(", "ipConfigurations": [{"name": "c"}]}}]}})");
}

}  // namespace

TEST_CASE("Flexible: members have interfaces and disks of their own, which go with them if they are told to") {
  Client azure;
  azure.make_group("g");
  std::string option = "Delete";
  std::size_t left = 0;
  SUBCASE("deleted") {}
  SUBCASE("detached") {
    option = "Detach";
    left = 2;
  }
  CHECK(azure.put(k_sets + "/s", flexible_body(2, option)).status() == 201);
  azure.pass(Duration::minutes(11));
  const std::string filter =
      "?$expand=instanceView&$filter='virtualMachineScaleSet/id'%20eq%20'" + azure.prefix + k_sets + "/s'";
  const Reply members = azure.get(k_compute + "/virtualMachines" + filter);
  REQUIRE(members.items().size() == 2);
  const json::object& vm = members.items()[0].as_object();
  const std::string name = text_at(vm, "name");
  CHECK(text_at(array_at(vm, "properties.instanceView.statuses")->at(1).as_object(), "code") == "PowerState/running");
  const Reply cards = azure.get(k_network + "/networkInterfaces");
  REQUIRE(cards.items().size() == 2);
  CHECK(text_at(cards.items()[0].as_object(), "properties.virtualMachine.id") == text_at(vm, "id"));
  CHECK(text_at(cards.items()[0].as_object(), "tags.job") == "7");
  const Reply disks = azure.get(k_compute + "/disks");
  REQUIRE(disks.items().size() == 2);
  const std::string disk = k_compute + "/disks/" + text_at(disks.items()[0].as_object(), "name");
  CHECK(azure.get(disk).text("managedBy") == text_at(vm, "id"));
  CHECK(azure.del(disk).code() == "OperationNotAllowed");

  CHECK(azure.post(k_sets + "/s/delete", R"({"instanceIds": [")" + name + "\"]}").status() == 202);
  azure.pass(Duration::minutes(1));
  CHECK(azure.get(k_sets + "/s").number("sku.capacity") == 1);
  CHECK(azure.get(k_compute + "/virtualMachines" + filter).items().size() == 1);
  CHECK(azure.del(k_sets + "/s").status() == 202);
  azure.pass(Duration::minutes(1));
  CHECK(azure.get(k_compute + "/virtualMachines").items().empty());
  CHECK(azure.get(k_network + "/networkInterfaces").items().size() == left);
  CHECK(azure.get(k_compute + "/disks").items().size() == left);
  if (left > 0) CHECK(azure.get(disk).text("managedBy").empty());
  CHECK(azure.azure.world().machines.all().empty());
}

TEST_CASE("Flexible: what Azure does not do for such sets is refused") {
  Client azure;
  azure.make_group("g");
  CHECK(azure.put(k_sets + "/s", flexible_body(1, "Delete", R"(, "singlePlacementGroup": true)")).code() ==
        "InvalidParameter");
  CHECK(azure
            .put(k_sets + "/s", shaped_body(k_nc, 201, R"("orchestrationMode": "Flexible",
      "platformFaultDomainCount": 2)"))
            .code() == "InvalidParameter");
  CHECK(azure.put(k_sets + "/s", flexible_body(201, "Delete")).status() == 201);
  CHECK(azure.post(k_sets + "/s/restart").code() == "OperationNotAllowed");
  CHECK(azure.get(k_sets + "/s/instanceView").code() == "OperationNotAllowed");
  CHECK(azure.patch(k_sets + "/s", R"({"properties": {"orchestrationMode": "Uniform"}})").code() ==
        "PropertyChangeNotAllowed");
}

TEST_CASE("racks: no placement group, and no other interconnect") {
  Client azure;
  azure.make_group("g");
  for (const std::string& size : {k_gb200, std::string("Standard_ND128isr_GB300_v6")}) {
    CAPTURE(size);
    CHECK(azure.put(k_sets + "/s", shaped_body(size, 1, R"("singlePlacementGroup": true)")).code() == "BadRequest");
    CHECK(azure
              .put(k_sets + "/s", shaped_body(size, 1, R"("singlePlacementGroup": false,
        "highSpeedInterconnectPlacement": "Trunk")"))
              .code() == "BadRequest");
    CHECK(azure.put(k_sets + "/" + size, shaped_body(size, 18, R"("singlePlacementGroup": false)")).status() == 201);
  }
}

TEST_CASE("placement: what a set names must be there") {
  Client azure;
  azure.make_group("g");
  const std::string group = R"("singlePlacementGroup": true, "proximityPlacementGroup": {"id": ")" + azure.prefix +
                            k_compute + "/proximityPlacementGroups/p\"}";
  CHECK(azure.put(k_sets + "/s", shaped_body(std::string(k_h100), 1, group)).code() == "InvalidResourceReference");
  azure.put(k_compute + "/proximityPlacementGroups/p", R"({"location": "eastus"})");
  CHECK(azure.put(k_sets + "/s", shaped_body(std::string(k_h100), 1, group)).status() == 201);
  // A targeted reservation and such a group exclude each other.
  azure.put(k_compute + "/capacityReservationGroups/h", R"({"location": "eastus"})");
  const std::string both = R"("orchestrationMode": "Flexible", "proximityPlacementGroup": {"id": ")" + azure.prefix +
                           k_compute + "/proximityPlacementGroups/p\"}";
  const std::string held = R"({"capacityReservation": {"capacityReservationGroup": {"id": ")" + azure.prefix +
                           k_compute + "/capacityReservationGroups/h\"}}}";
  CHECK(azure.put(k_sets + "/t", shaped_body(k_nc, 1, both, held)).code() == "InvalidParameter");
}

TEST_CASE("block reservations: for ND sizes, for a time, and VMs come from there alone") {
  Client azure;
  azure.make_group("g");
  const std::string group = k_compute + "/capacityReservationGroups/h";
  azure.put(group, R"({"location": "eastus", "properties": {"reservationType": "Block"}})");
  const auto reservation = [&](int capacity, const std::string& end) {
    return azure.put(group + "/capacityReservations/r",
                     R"({"location": "eastus", "sku": {"name": "Standard_ND96isr_H100_v5", "capacity": )" +
                         std::to_string(capacity) + R"(}, "properties": {"scheduleProfile": {"start": "2027-01-04",
                         "end": ")" +
                         end + "\"}}}");
  };
  CHECK(reservation(3, "2027-01-11").code() == "InvalidParameter");
  CHECK(reservation(2, "").code() == "InvalidParameter");
  CHECK(reservation(2, "2027-01-11").status() == 201);
  CHECK(reservation(4, "2027-01-18").code() == "PropertyChangeNotAllowed");
  const std::string profile =
      R"({"capacityReservation": {"capacityReservationGroup": {"id": ")" + azure.prefix + group + "\"}}}";
  const auto outcome = [&](const std::string& name, int capacity) {
    const Reply made = azure.put(
        k_sets + "/" + name, shaped_body(std::string(k_h100), capacity, R"("singlePlacementGroup": true)", profile));
    azure.pass(Duration::minutes(11));
    return azure.operation_of(made).text("status");
  };
  CHECK(outcome("more", 3) == "Failed");
  CHECK(outcome("fits", 2) == "Succeeded");
}

TEST_CASE("interconnects: blocks hold VMs, and each VM says which part of the network it is in") {
  Client azure("[capacity.a]\nsize = \"Standard_ND128isr_NDR_GB200_v6\"\nvms = 38\n");
  azure.make_group("g");
  const std::string group = k_network + "/interconnectGroups/i";
  const auto block = [&](int capacity) {
    return azure.put(k_compute + "/interconnectBlocks/b", R"({"location": "eastus", "sku": {"name": ")" + k_gb200 +
                                                              R"(", "capacity": )" + std::to_string(capacity) +
                                                              R"(}, "properties": {"interconnectGroup": {"id": ")" +
                                                              azure.prefix + group + "\"}}}");
  };
  CHECK(block(36).code() == "InvalidResourceReference");
  azure.put(group, R"({"location": "eastus", "properties": {"scope": "InfiniBand", "subgroupProfile": {"size": 18}}})");
  CHECK(block(40).code() == "AllocationFailed");
  CHECK(block(36).status() == 201);
  const std::string profile = R"({"interconnectBlockProfile": {"interconnectBlock": {"id": ")" + azure.prefix +
                              k_compute + R"(/interconnectBlocks/b"}}})";
  const std::string shape = R"("singlePlacementGroup": false)";
  const Reply made = azure.put(k_sets + "/s", shaped_body(k_gb200, 36, shape, profile));
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(made).text("status") == "Succeeded");
  std::map<std::string, int> parts;
  const Reply list = azure.get(k_sets + "/s/virtualMachines?$expand=instanceView");
  for (const auto& vm : list.items()) {
    ++parts[text_at(vm.as_object(), "properties.instanceView.interconnectInstanceView.interconnectSubgroupId")];
  }
  CHECK(parts.size() == 2);
  for (const auto& [part, vms] : parts) {
    CHECK(part.size() == 36);
    CHECK(vms == 18);
  }
  const Reply view = azure.get(k_compute + "/interconnectBlocks/b?$expand=instanceView");
  CHECK(view.number("properties.instanceView.currentCapacity") == 36);
  CHECK(array_at(*view.body, "properties.virtualMachinesAssociated")->size() == 36);
  CHECK(azure.del(k_compute + "/interconnectBlocks/b").code() == "OperationNotAllowed");
  const Reply full = azure.put(k_sets + "/t", shaped_body(k_gb200, 1, shape, profile));
  azure.pass(Duration::minutes(11));
  CHECK(azure.operation_of(full).code() == "AllocationFailed");
  azure.del(k_sets + "/s");
  azure.pass(Duration::minutes(1));
  CHECK(azure.del(k_compute + "/interconnectBlocks/b").status() == 202);
  // What it held can be had by anybody again.
  CHECK(azure.azure.world().machines.capacity_left("eastus", *find_azure_size(k_gb200), azure.now) == 38);
}

}  // namespace virga::arm::test
