// The Azure cloud against a resource manager that answers as Azure does: what is asked for, what is there afterwards,
// and how many calls it took.
#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <mutex>

#include "clouds/azure/azure_cloud.hpp"
#include "ports/contract/recorder.hpp"
#include "unit/clouds_azure/world.hpp"

using virga::Duration;
using virga::GangGranted;
using virga::GangRefused;
using virga::KnownVm;
using virga::Purchase;
using virga::Refusal;
using virga::ReserveGang;
using virga::VmFailed;
using virga::VmId;
using virga::VmReleased;
namespace contract = virga::contract;
using virga::azure_test::ArmProcess;
using virga::azure_test::World;

TEST_CASE("a gang over three sets is granted, and leaves nothing when it is released") {
  ArmProcess arm;
  World world(arm);
  const ReserveGang command = world.gang(1, 1, 25, 10);
  const auto granted = world.granted(command);
  REQUIRE(granted.addresses.size() == 25);
  const std::set<std::string> addresses(granted.addresses.begin(), granted.addresses.end());
  CHECK(addresses.size() == 25);
  CHECK(arm.vm_addresses() == addresses);
  CHECK(arm.sets() == 3);
  CHECK(arm.calls("PUT virtualMachineScaleSets") == 3);
  CHECK(arm.calls("PATCH virtualMachineScaleSets") == 0);
  CHECK(arm.answers(429) == 0);
  // Each VM's bootstrap went to an instance of its own set, in ascending order.
  const auto published = world.published();
  CHECK(published.size() == 25);
  for (const auto& [instance, node] :
       {std::pair{"virga-c1-nd-1_0", "nd1"}, {"virga-c1-nd-1_9", "nd10"}, {"virga-c1-nd-3_4", "nd25"}}) {
    const virga::NodeEntry& entry = published.at(arm.machine_of(instance));
    CHECK(entry.name == node);
    CHECK(entry.bootstrap == std::string("boot ") + node);
    CHECK(entry.address == granted.addresses[entry.vm.value - 1]);
  }

  // Releases that come together are few calls: one set goes whole, one loses some.
  arm.forget_calls();
  for (std::uint64_t vm = 1; vm <= 13; ++vm) world.cloud->release(VmId{vm});
  world.sink.first<VmReleased>(13);
  CHECK(arm.vms() == 12);
  CHECK(world.published().size() == 12);
  CHECK(arm.sets() == 2);
  CHECK(arm.calls("DELETE virtualMachineScaleSets") + arm.calls("POST virtualMachineScaleSets") <= 4);
  for (std::uint64_t vm = 14; vm <= 25; ++vm) world.cloud->release(VmId{vm});
  world.sink.first<VmReleased>(25);
  CHECK(arm.vms() == 0);
  CHECK(arm.sets() == 0);
  CHECK(world.sink.all<VmFailed>().empty());
}

TEST_CASE("a set that is there grows by one PATCH, and the same gang again grows nothing") {
  ArmProcess arm;
  World world(arm);
  const ReserveGang one = world.gang(1, 1, 4, 10);
  const auto first = world.granted(one);
  const auto second = world.granted(world.gang(2, 5, 3, 10));
  CHECK(arm.calls("PUT virtualMachineScaleSets") == 1);
  CHECK(arm.calls("PATCH virtualMachineScaleSets") == 1);
  CHECK(arm.vms() == 7);
  CHECK(world.granted(one, 1).addresses == first.addresses);
  CHECK(arm.calls("PATCH virtualMachineScaleSets") == 1);
  CHECK(arm.vms() == 7);
  world.release(1, 7);
  CHECK(arm.vms() == 0);
}

TEST_CASE("two gangs at once in the same set keep apart") {
  ArmProcess arm;
  World world(arm);
  const ReserveGang one = world.gang(1, 1, 4, 10);
  const ReserveGang two = world.gang(2, 5, 4, 10);
  world.reserve(one);
  world.reserve(two);
  std::set<std::string> addresses;
  for (const GangGranted& granted : world.sink.first<GangGranted>(2)) {
    addresses.insert(granted.addresses.begin(), granted.addresses.end());
  }
  CHECK(addresses.size() == 8);
  CHECK(arm.vm_addresses() == addresses);
  world.release(1, 8);
  CHECK(arm.vms() == 0);
}

TEST_CASE("VMs are released and watched while their set grows") {
  ArmProcess arm;
  World world(arm);
  world.granted(world.gang(1, 1, 4, 10));
  arm.post("clock", R"({"speed": 1})");
  world.reserve(world.gang(2, 5, 4, 10));
  REQUIRE(contract::eventually({}, [&] { return arm.vms() == 8; }));
  arm.post("evict", R"({"vm": "virga-c1-nd-1_3", "notice_s": 0})");
  world.release(2, 2);
  CHECK(world.sink.first<VmFailed>(1)[0].vm == VmId{4});
  CHECK(world.sink.all<GangGranted>().size() == 1);  // it grows yet
  arm.post("clock", R"({"speed": 60})");
  CHECK(world.sink.first<GangGranted>(2)[1].addresses.size() == 4);
  world.release(1, 1);
  world.release(3, 8);
  CHECK(arm.vms() == 0);
  CHECK(arm.sets() == 0);
}

TEST_CASE("a shortage in one of two sets leaves nothing") {
  ArmProcess arm;
  World world(arm);
  SUBCASE("of machines") {
    arm.post("capacity", R"({"region": "eastus", "size": "Standard_ND96isr_H100_v5", "vms": 14})");
    const GangRefused refused = world.refused(world.gang(1, 1, 20, 10));
    CHECK(refused.refusal == Refusal::capacity);
    // Ten came up, or were about to, when the others could not.
    CHECK(refused.message.find(" VM-seconds were paid for nothing") != std::string::npos);
  }
  SUBCASE("of quota") {
    arm.post("quota", R"({"region": "eastus", "family": "standardNDSH100v5Family", "vcpus": 1344})");
    const GangRefused refused = world.refused(world.gang(1, 1, 20, 10));
    CHECK(refused.refusal == Refusal::quota);
    CHECK(refused.message.find("1344") != std::string::npos);
  }
  CHECK(arm.vms() == 0);
  CHECK(arm.sets() == 0);
  CHECK(world.sink.all<GangGranted>().empty());
}

TEST_CASE("a shortage takes nothing from gangs that are there, also when a part of it was made") {
  ArmProcess arm("partial_scale_out = true\nlist_lag = \"60s\"\n");
  World world(arm);
  const auto granted = world.granted(world.gang(1, 1, 4, 10));
  arm.post("capacity", R"({"region": "eastus", "size": "Standard_ND96isr_H100_v5", "vms": 7})");
  CHECK(world.refused(world.gang(2, 5, 10, 10)).refusal == Refusal::capacity);
  CHECK(arm.vm_addresses() == std::set<std::string>(granted.addresses.begin(), granted.addresses.end()));
  CHECK(arm.sets() == 1);
}

TEST_CASE("VMs survive their controller, which knows them again by their addresses") {
  ArmProcess arm;
  World world(arm);
  const ReserveGang command = world.gang(1, 1, 12, 10);
  const auto granted = world.granted(command);
  const auto known = world.known(command, granted);
  world.reopen();
  const auto listed = world.cloud->list(known);
  REQUIRE(listed.has_value());
  REQUIRE(listed->size() == 12);
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK((*listed)[i].vm == command.vms[i].vm);
    CHECK((*listed)[i].address == granted.addresses[i]);
    CHECK((*listed)[i].pool == "nd");
    world.cloud->adopt((*listed)[i].vm);
  }
  CHECK(world.granted(command).addresses == granted.addresses);
  CHECK(arm.vms() == 12);
  world.release(1, 12);
  CHECK(arm.vms() == 0);
  CHECK(arm.sets() == 0);
}

TEST_CASE("a gang whose grant was lost in a crash is found again: no orphan, no double") {
  ArmProcess arm;
  World world(arm);
  const ReserveGang durable = world.gang(1, 1, 4, 10);
  const auto kept = world.known(durable, world.granted(durable));
  const ReserveGang lost = world.gang(2, 5, 16, 10);
  bool while_growing = false;
  SUBCASE("after it was granted") { world.granted(lost); }
  SUBCASE("while it grows") {
    while_growing = true;
    world.reserve(lost);
    contract::eventually({}, [&] { return arm.vms() == 20; });
  }
  CAPTURE(while_growing);
  CHECK(arm.vms() == 20);
  world.reopen();
  REQUIRE(world.cloud->list(kept).has_value());
  CHECK(world.cloud->list(kept)->size() == 4);
  const auto again = world.granted(lost);
  std::set<std::string> all(again.addresses.begin(), again.addresses.end());
  for (const KnownVm& vm : kept) all.insert(vm.address);
  CHECK(all.size() == 20);
  CHECK(arm.vm_addresses() == all);
  world.release(1, 20);
  CHECK(arm.vms() == 0);
  CHECK(arm.sets() == 0);
}

TEST_CASE("what nobody wants after a restart is deleted after its grace") {
  ArmProcess arm;
  World world(arm);
  const ReserveGang durable = world.gang(1, 1, 4, 10);
  const auto granted = world.granted(durable);
  world.granted(world.gang(2, 5, 12, 10));
  world.settings.stranger_grace = Duration::seconds(2);
  world.reopen();
  REQUIRE(world.cloud->list(world.known(durable, granted)).has_value());
  CHECK(contract::eventually({}, [&] { return arm.vms() == 4 && arm.sets() == 1; }));
  CHECK(arm.vm_addresses() == std::set<std::string>(granted.addresses.begin(), granted.addresses.end()));
  CHECK(world.sink.all<VmFailed>().empty());
}

TEST_CASE("1,250 VMs in 13 sets take 13 writes and are never throttled") {
  ArmProcess arm("quota_vcpus = 1000000\n");
  World world(arm);
  const ReserveGang command = world.gang(1, 1, 1250, 0);
  CHECK(world.granted(command).addresses.size() == 1250);
  CHECK(arm.vms() == 1250);
  const auto set_writes = arm.calls("PUT virtualMachineScaleSets") + arm.calls("PATCH virtualMachineScaleSets");
  CHECK(set_writes == 13);
  CHECK(arm.calls("PUT resourceGroups") + arm.calls("PUT virtualNetworks") + arm.calls("PUT virtualNetworks/subnets") <=
        5);
  world.release(1, 1250);
  CHECK(arm.vms() == 0);
  CHECK(arm.calls("DELETE virtualMachineScaleSets") + arm.calls("POST virtualMachineScaleSets") <= 26);
  CHECK(arm.answers(429) == 0);
}

TEST_CASE("an instance that somebody else deletes is told once, and can be released") {
  ArmProcess arm;
  World world(arm);
  world.granted(world.gang(1, 1, 3, 10));
  const std::string set = "/providers/Microsoft.Compute/virtualMachineScaleSets/virga-c1-nd-1";
  REQUIRE(arm.call("POST", set + "/delete?api-version=2022-08-01", R"({"instanceIds": ["1"]})") == 202);
  CHECK(world.sink.first<VmFailed>(1)[0].vm == VmId{2});
  // Two more looks tell nothing new.
  const auto looks = arm.calls("LIST virtualMachineScaleSets/virtualMachines");
  contract::eventually({}, [&] { return arm.calls("LIST virtualMachineScaleSets/virtualMachines") >= looks + 2; });
  CHECK(world.sink.all<VmFailed>().size() == 1);
  world.release(2, 2);
  CHECK(arm.vms() == 2);
  world.release(1, 1);
  world.release(3, 3);
  CHECK(arm.sets() == 0);
  CHECK(world.sink.all<VmFailed>().size() == 1);
}

TEST_CASE("a VM that went while no controller was there is told when it is adopted") {
  ArmProcess arm;
  World world(arm);
  const ReserveGang command = world.gang(1, 1, 3, 10);
  const auto known = world.known(command, world.granted(command));
  world.close();
  const std::string set = "/providers/Microsoft.Compute/virtualMachineScaleSets/virga-c1-nd-1";
  arm.call("POST", set + "/delete?api-version=2022-08-01", R"({"instanceIds": ["0"]})");
  contract::eventually({}, [&] { return arm.vms() == 2; });
  world.reopen();
  REQUIRE(world.cloud->list(known).has_value());
  for (const KnownVm& vm : known) world.cloud->adopt(vm.vm);
  CHECK(world.sink.first<VmFailed>(1)[0].vm == VmId{1});
  world.release(1, 3);
  CHECK(arm.vms() == 0);
}

TEST_CASE("an unknown VM is answered as released, and a spot VM's eviction is told") {
  ArmProcess arm;
  World world(arm);
  world.release(77, 77);
  ReserveGang command = world.gang(1, 1, 3, 10);
  command.pool.purchase = Purchase::spot;
  world.granted(command);
  arm.post("evict", R"({"vm": "virga-c1-nd-1_2", "notice_s": 0})");
  CHECK(world.sink.first<VmFailed>(1)[0].vm == VmId{3});
  CHECK(arm.vms() == 2);
  for (std::uint64_t vm = 1; vm <= 3; ++vm) world.cloud->release(VmId{vm});
  world.sink.first<VmReleased>(4);
  CHECK(arm.sets() == 0);
}
