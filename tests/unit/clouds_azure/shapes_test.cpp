// The shapes of scale sets against the resource manager: Flexible sets, racks, reservations and interconnects.
#include <doctest/doctest.h>

#include <algorithm>

#include "unit/clouds_azure/world.hpp"

using virga::GangGranted;
using virga::GangRefused;
using virga::Purchase;
using virga::Refusal;
using virga::ReserveGang;
using virga::VmFailed;
using virga::VmId;
using virga::VmReleased;
namespace contract = virga::contract;
using virga::azure_test::ArmProcess;
using virga::azure_test::World;

namespace {

const std::string k_set = "/providers/Microsoft.Compute/virtualMachineScaleSets/virga-c1-nd-1";
const std::string k_nc = "Standard_NC24ads_A100_v4";
const std::string k_gb200 = "Standard_ND128isr_NDR_GB200_v6";
const std::string k_group = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/g";

ReserveGang gang_of(const World& world, const std::string& size, std::uint64_t id, std::uint32_t first,
                    std::uint32_t count) {
  ReserveGang command = world.gang(id, first, count, 0);
  command.pool.sku.name = size;
  return command;
}

std::set<std::string> set_of(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

void put(ArmProcess& arm, const std::string& path, const std::string& body) {
  const auto answer = arm.ask("PUT", path + "?api-version=2026-03-01", body);
  REQUIRE_MESSAGE(answer.status < 300, answer.body);
}

}  // namespace

TEST_CASE("Flexible: one set, grown by one PATCH, shrunk by one call, and nothing is left of it") {
  ArmProcess arm;
  World world(arm);
  const auto first = world.granted(gang_of(world, k_nc, 1, 1, 120));
  CHECK(set_of(first.addresses).size() == 120);
  CHECK(arm.vm_addresses() == set_of(first.addresses));
  CHECK(arm.sets() == 1);
  CHECK(arm.resources("virtualMachines") == 120);
  CHECK(arm.resources("networkInterfaces") == 120);
  CHECK(arm.resources("disks") == 120);
  CHECK(world.published().size() == 120);
  const auto second = world.granted(gang_of(world, k_nc, 2, 121, 3));
  CHECK(arm.calls("PUT virtualMachineScaleSets") == 1);
  CHECK(arm.calls("PATCH virtualMachineScaleSets") == 1);
  CHECK(arm.vms() == 123);
  for (const std::string& address : second.addresses) CHECK_FALSE(set_of(first.addresses).contains(address));

  arm.forget_calls();
  world.release(1, 100);
  CHECK(arm.calls("POST virtualMachineScaleSets") <= 2);
  CHECK(arm.calls("DELETE virtualMachines") == 0);
  CHECK(arm.vms() == 23);
  world.release(101, 123);
  CHECK(arm.sets() == 0);
  CHECK(contract::eventually({}, [&] { return arm.resources("networkInterfaces") + arm.resources("disks") == 0; }));
  CHECK(arm.vms() == 0);
  CHECK(world.sink.all<VmFailed>().empty());
  CHECK(arm.answers(429) == 0);
}

TEST_CASE("Flexible: VMs survive their controller, also where lists lag behind") {
  ArmProcess arm("list_lag = \"30s\"\n");
  World world(arm);
  const ReserveGang command = gang_of(world, k_nc, 1, 1, 4);
  const auto granted = world.granted(command);
  const auto known = world.known(command, granted);
  world.granted(gang_of(world, k_nc, 2, 5, 3));  // a grant that is lost
  world.settings.stranger_grace = virga::Duration::seconds(2);
  world.reopen();
  const auto listed = world.cloud->list(known);
  REQUIRE(listed.has_value());
  CHECK(listed->size() == 4);
  for (const auto& vm : *listed) world.cloud->adopt(vm.vm);
  CHECK(contract::eventually({}, [&] { return arm.vms() == 4; }));
  CHECK(arm.vm_addresses() == set_of(granted.addresses));
  CHECK(world.granted(command).addresses == granted.addresses);
  CHECK(world.sink.all<VmFailed>().empty());
  world.release(1, 4);
  CHECK(arm.sets() == 0);
}

TEST_CASE("Flexible: shortages leave nothing, evictions and foreign deletions are told") {
  ArmProcess arm;
  World world(arm);
  ReserveGang spot = gang_of(world, k_nc, 1, 1, 3);
  spot.pool.purchase = Purchase::spot;
  world.granted(spot);
  arm.post("capacity", R"({"region": "eastus", "size": "Standard_NC24ads_A100_v4", "vms": 4})");
  CHECK(world.refused(gang_of(world, k_nc, 2, 4, 9)).refusal == Refusal::capacity);
  CHECK(arm.vms() == 3);
  arm.post("evict", R"({"set": "virga-c1-nd-1", "count": 1, "notice_s": 0})");
  world.sink.first<VmFailed>(1);
  CHECK(arm.vms() == 2);
  for (std::uint64_t vm = 1; vm <= 3; ++vm) world.cloud->release(VmId{vm});
  world.sink.first<VmReleased>(3);
  CHECK(arm.sets() == 0);
}

TEST_CASE("racks: sets of 18, which Azure takes without a placement group only") {
  ArmProcess arm;
  World world(arm);
  CHECK(world.granted(gang_of(world, k_gb200, 1, 1, 20)).addresses.size() == 20);
  CHECK(arm.sets() == 2);
  const auto set = arm.ask("GET", k_set + "?api-version=2022-08-01").body;
  CHECK(set.find(R"("singlePlacementGroup":false)") != std::string::npos);
  CHECK(set.find(R"("capacity":18)") != std::string::npos);
  CHECK(set.find("highSpeedInterconnectPlacement") == std::string::npos);
  world.release(1, 20);
  CHECK(arm.sets() == 0);
}

TEST_CASE("reserved capacity: NC VMs come out of the group that the pool names") {
  ArmProcess arm;
  World world(arm);
  put(arm, "", R"({"location": "eastus"})");
  const std::string group = "/providers/Microsoft.Compute/capacityReservationGroups/held";
  put(arm, group, R"({"location": "eastus"})");
  put(arm, group + "/capacityReservations/r",
      R"({"location": "eastus", "sku": {"name": "Standard_NC24ads_A100_v4", "capacity": 3}})");
  arm.post("capacity", R"({"region": "eastus", "size": "Standard_NC24ads_A100_v4", "vms": 0})");
  CHECK(world.refused(gang_of(world, k_nc, 1, 1, 3)).refusal == Refusal::capacity);
  world.settings.pools["nd"].capacity_reservation_group = k_group + group;
  world.settings.pools["nd"].zones = {"1"};
  world.reopen();
  world.granted(gang_of(world, k_nc, 2, 1, 3));
  CHECK(arm.ask("GET", group + "/capacityReservations/r?api-version=2022-08-01").body.find("virga-c1-nd-1_") !=
        std::string::npos);
  world.release(1, 3);
  CHECK(arm.sets() == 0);
}

TEST_CASE("interconnect blocks: VMs come out of the block alone") {
  ArmProcess arm;
  World world(arm);
  put(arm, "", R"({"location": "eastus"})");
  const std::string group = "/providers/Microsoft.Network/interconnectGroups/net";
  const std::string block = "/providers/Microsoft.Compute/interconnectBlocks/b";
  put(arm, group, R"({"location": "eastus", "properties": {"subgroupProfile": {"size": 18}}})");
  put(arm, block,
      R"({"location": "eastus", "sku": {"name": "Standard_ND128isr_NDR_GB200_v6", "capacity": 20}, "properties":
         {"interconnectGroup": {"id": ")" +
          k_group + group + "\"}}}");
  world.settings.pools["nd"].interconnect_block = k_group + block;
  world.settings.pools["nd"].interconnect_group = k_group + group;
  world.reopen();
  const auto granted = world.granted(gang_of(world, k_gb200, 1, 1, 20));
  CHECK(granted.addresses.size() == 20);
  CHECK(world.refused(gang_of(world, k_gb200, 2, 21, 1)).refusal == Refusal::capacity);
  world.release(1, 20);
  CHECK(arm.sets() == 0);
}

TEST_CASE("leaves: what Azure says is below one leaf becomes the nodes of one leaf") {
  ArmProcess arm;
  World world(arm);
  put(arm, "", R"({"location": "eastus"})");
  const std::string group = "/providers/Microsoft.Network/interconnectGroups/net";
  put(arm, group, R"({"location": "eastus", "properties": {"subgroupProfile": {"size": 3}}})");
  world.settings.pools["nd"].interconnect_group = k_group + group;
  world.settings.stranger_grace = virga::Duration::minutes(60);
  world.reopen();
  const auto of_leaves = [&](ReserveGang command) {
    command.pool.fabric.nodes_per_leaf = 3;
    return command;
  };
  world.granted(of_leaves(gang_of(world, k_gb200, 1, 1, 2)));
  // Somebody else's six stand in for what a controller asked for before it was killed.
  REQUIRE(arm.call("PATCH", k_set + "?api-version=2022-08-01", R"({"sku": {"capacity": 8}})") < 300);
  ReserveGang second = of_leaves(gang_of(world, k_gb200, 2, 3, 4));
  std::rotate(second.vms.begin(), second.vms.begin() + 1, second.vms.end());  // nodes 4, 5, 6 and 3
  world.granted(second);

  std::map<std::string, std::string> leaves;  // by node
  const auto answer = arm.ask("GET", k_set + "/virtualMachines?api-version=2026-03-01&$expand=instanceView");
  const auto listed = virga::JsonDocument::parse(answer.body);
  REQUIRE(listed);
  const auto published = world.published();
  const virga::JsonNode machines = listed->root().find("value");
  for (std::size_t i = 0; i < machines.size(); ++i) {
    const virga::JsonNode properties = machines.element(i).find("properties");
    const auto node = published.find(std::string(properties.find("vmId").string()));
    if (node == published.end()) continue;
    leaves[node->second.name] =
        properties.find("instanceView").find("interconnectInstanceView").find("interconnectSubgroupId").string();
  }
  REQUIRE(leaves.size() == 6);
  CHECK(leaves["nd3"] == leaves["nd1"]);
  CHECK(leaves["nd4"] != leaves["nd1"]);
  CHECK(leaves["nd4"] == leaves["nd5"]);
  CHECK(leaves["nd4"] == leaves["nd6"]);
}

TEST_CASE("foreign hands: a set that is scaled up gets strangers, one that is scaled down loses nodes") {
  ArmProcess arm;
  World world(arm);
  world.settings.stranger_grace = virga::Duration::seconds(3);
  world.reopen();
  std::string size = "Standard_ND96isr_H100_v5";
  SUBCASE("Uniform") {}
  SUBCASE("Flexible") { size = k_nc; }
  CAPTURE(size);
  const auto granted = world.granted(gang_of(world, size, 1, 1, 4));
  const std::string set = k_set + "?api-version=2022-08-01";
  REQUIRE(arm.call("PATCH", set, R"({"sku": {"capacity": 7}})") == 200);
  CHECK(contract::eventually({}, [&] { return arm.vms() == 7; }));
  CHECK(contract::eventually({}, [&] { return arm.vms() == 4; }));
  CHECK(arm.vm_addresses() == set_of(granted.addresses));
  CHECK(world.sink.all<VmFailed>().empty());
  CHECK(world.cloud->list({})->size() == 4);

  REQUIRE(arm.call("PATCH", set, R"({"sku": {"capacity": 2}})") == 200);
  CHECK(world.sink.first<VmFailed>(2).size() == 2);
  REQUIRE(arm.call("DELETE", k_set + "?api-version=2022-08-01&forceDeletion=true") == 202);
  CHECK(world.sink.first<VmFailed>(4).size() == 4);
  for (std::uint64_t vm = 1; vm <= 4; ++vm) world.cloud->release(VmId{vm});
  world.sink.first<VmReleased>(4);
  CHECK(arm.vms() == 0);
}

TEST_CASE("orphans: what bears the tag and belongs to nothing is deleted, and nothing else") {
  ArmProcess arm("list_lag = \"60s\"\n");
  World world(arm);
  put(arm, "", R"({"location": "eastus"})");
  const auto tagged = [](const std::string& cluster, const std::string& more) {
    return R"({"location": "eastus", "tags": {"virga-cluster": ")" + cluster + "\"}" + more + "}";
  };
  const std::string vm = R"(, "properties": {"hardwareProfile": {"vmSize": "Standard_D4s_v5"}})";
  const std::string compute = "/providers/Microsoft.Compute/";
  const std::string network = "/providers/Microsoft.Network/";
  for (const std::string cluster : {"c1", "c2"}) {
    put(arm, network + "networkInterfaces/nic-" + cluster, tagged(cluster, ""));
    put(arm, network + "publicIPAddresses/ip-" + cluster, tagged(cluster, ""));
    put(arm, compute + "disks/disk-" + cluster, tagged(cluster, ""));
    put(arm, compute + "virtualMachines/vm-" + cluster, tagged(cluster, vm));
  }
  put(arm, compute + "disks/untagged", R"({"location": "eastus"})");
  put(arm, compute + "disks/used", tagged("c1", R"(, "managedBy": "/subscriptions/x/virtualMachines/elsewhere")"));
  world.settings.sweep_interval = virga::Duration::seconds(1);
  world.settings.stranger_grace = virga::Duration::seconds(3);
  for (const std::string operation : {"LIST disks", "DELETE disks"}) {
    arm.post("failure", R"({"operation": ")" + operation + R"(", "kind": "status", "status": 403, "count": 1,
      "code": "AuthorizationFailed", "message": "may not"})");
  }
  world.reopen();
  const auto granted = world.granted(gang_of(world, k_nc, 1, 1, 3));
  const auto there = [&](const std::string& path) { return arm.has(path); };
  CHECK(contract::eventually({}, [&] {
    return !there(compute + "virtualMachines/vm-c1") && !there(compute + "disks/disk-c1") &&
           !there(network + "publicIPAddresses/ip-c1") && !there(network + "networkInterfaces/nic-c1");
  }));
  CHECK(world.said().find("looking for what VMs left behind: AuthorizationFailed: may not") != std::string::npos);
  CHECK(world.said().find("deleting what a VM left behind: AuthorizationFailed: may not") != std::string::npos);
  for (const std::string& path :
       {compute + "virtualMachines/vm-c2", compute + "disks/disk-c2", network + "publicIPAddresses/ip-c2",
        network + "networkInterfaces/nic-c2", compute + "disks/untagged", compute + "disks/used"}) {
    CHECK_MESSAGE(there(path), path);
  }
  CHECK(arm.vms() == 4);  // three nodes, and the VM of the other cluster
  CHECK(arm.resources("networkInterfaces") == 4);
  CHECK(world.sink.all<VmFailed>().empty());
  CHECK(granted.addresses.size() == 3);
  CHECK(arm.answers(429) == 0);
}
