// The Azure cloud when Azure fails: each way of failing has its own answer, and none leaves anything behind.
#include <doctest/doctest.h>

#include <fstream>

#include "ports/contract/recorder.hpp"
#include "unit/clouds_azure/world.hpp"

using virga::AzureIdentity;
using virga::Code;
using virga::Duration;
using virga::GangGranted;
using virga::GangRefused;
using virga::Refusal;
using virga::ReserveGang;
using virga::VmFailed;
using virga::VmId;
using virga::VmReleased;
namespace contract = virga::contract;
using virga::azure_test::ArmProcess;
using virga::azure_test::World;

namespace {

void inject(ArmProcess& arm, const std::string& operation, const std::string& kind, const std::string& more = "") {
  arm.post("failure", R"({"operation": ")" + operation + R"(", "kind": ")" + kind + "\"" + more + "}");
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

constexpr const char* k_put = "PUT virtualMachineScaleSets";
constexpr const char* k_patch = "PATCH virtualMachineScaleSets";

}  // namespace

TEST_CASE("one failure of the front end is no refusal") {
  ArmProcess arm;
  World world(arm);
  SUBCASE("a gateway's page") { inject(arm, k_put, "html", R"(, "status": 500)"); }
  SUBCASE("busy") { inject(arm, k_put, "status", R"(, "status": 503, "code": "ServerBusy")"); }
  SUBCASE("an answer that is cut off") { inject(arm, k_put, "truncated"); }
  SUBCASE("throttled for a second") { inject(arm, k_put, "status", R"(, "status": 429, "retry_after_s": 1)"); }
  SUBCASE("another operation is under way") {
    inject(arm, k_put, "status", R"(, "status": 409, "code": "AnotherOperationInProgress", "retry_after_s": 1)");
  }
  SUBCASE("lists fail") { inject(arm, "LIST virtualMachineScaleSets/virtualMachines", "html", R"(, "count": 2)"); }
  CHECK(world.granted(world.gang(1, 1, 5, 10)).addresses.size() == 5);
  CHECK(arm.vms() == 5);
  world.release(1, 5);
  CHECK(arm.vms() == 0);
}

TEST_CASE("an answer that never comes is asked for again") {
  ArmProcess arm;
  World world(arm);
  world.settings.request_timeout = Duration::seconds(2);
  world.reopen();
  inject(arm, k_put, "hang");
  CHECK(world.granted(world.gang(1, 1, 3, 10)).addresses.size() == 3);
  CHECK(arm.vms() == 3);
}

TEST_CASE("a failure that stays is a refusal, and leaves nothing") {
  ArmProcess arm;
  World world(arm);
  Refusal refusal = Refusal::fault;
  std::string words;
  Duration retry_after;
  SUBCASE("gateway pages") {
    inject(arm, k_put, "html", R"(, "status": 500, "count": 1000)");
    words = "HTTP 500";
  }
  SUBCASE("throttled for long") {
    inject(arm, k_put, "status", R"(, "status": 429, "retry_after_s": 600, "count": 1000)");
    refusal = Refusal::throttled;
    retry_after = Duration::seconds(600);
  }
  SUBCASE("a wrong request") {
    inject(arm, k_put, "status", R"(, "status": 400, "code": "InvalidParameter", "message": "no such image")");
    refusal = Refusal::setup;
    words = "InvalidParameter: no such image";
  }
  SUBCASE("in the operation") {
    inject(arm, k_put, "async", R"(, "code": "AllocationFailed", "message": "no room", "count": 1000)");
    refusal = Refusal::capacity;
    words = "no room";
  }
  SUBCASE("in the operation, of an unknown kind") {
    inject(arm, k_put, "async", R"(, "code": "Strange", "message": "odd")");
    words = "Strange: odd";
  }
  const GangRefused refused = world.refused(world.gang(1, 1, 15, 10));
  CHECK(refused.refusal == refusal);
  CHECK(refused.retry_after == retry_after);
  CHECK_MESSAGE(has(refused.message, words), refused.message);
  CHECK(arm.vms() == 0);
  CHECK(arm.sets() == 0);
}

TEST_CASE("while a set of a gang cannot be had here, the others are kept for tries elsewhere") {
  ArmProcess arm;
  World world(arm);
  const std::string no_room = R"(, "code": "AllocationFailed", "message": "no room", "skip": 1, "count": )";
  SUBCASE("where there is room") {
    inject(arm, k_put, "async", no_room + "1");
    CHECK(world.granted(world.gang(1, 1, 30, 10)).addresses.size() == 30);
    CHECK(arm.calls(k_put) == 4);
    CHECK(arm.get("bill").root().find("vms").size() == 30);
  }
  SUBCASE("where there is room later") {
    arm.post("clock", R"({"speed": 1})");  // the others boot for a while
    inject(arm, k_put, "async", no_room + "2");
    world.reserve(world.gang(1, 1, 20, 10));
    REQUIRE(contract::eventually({}, [&] { return arm.calls(k_put) >= 4; }));
    arm.post("clock", R"({"speed": 60})");
    CHECK(world.sink.first<GangGranted>(1)[0].addresses.size() == 20);
    CHECK(arm.get("bill").root().find("vms").size() == 20);
  }
  SUBCASE("a few times, and then no more") {
    inject(arm, k_put, "async", no_room + "1000");
    CHECK(world.refused(world.gang(1, 1, 20, 10)).refusal == Refusal::capacity);
    CHECK(arm.calls(k_put) >= 3);
    CHECK(arm.calls(k_put) <= 4);
    CHECK(arm.vms() == 0);
    CHECK(arm.sets() == 0);
  }
  SUBCASE("but not where the set holds VMs of others") {
    world.granted(world.gang(1, 1, 5, 10));
    inject(arm, k_patch, "async", R"(, "code": "AllocationFailed", "message": "no room", "count": 1)");
    CHECK(world.refused(world.gang(2, 6, 15, 10)).refusal == Refusal::capacity);
    CHECK(arm.vms() == 5);
  }
  SUBCASE("nor for a quota, which no other place raises") {
    inject(arm, k_put, "async", R"(, "code": "QuotaExceeded", "message": "96 of 96", "skip": 1, "count": 1)");
    CHECK(world.refused(world.gang(1, 1, 20, 10)).refusal == Refusal::quota);
    CHECK(arm.vms() == 0);
  }
}

TEST_CASE("what Azure calls Failed counts only when it stays so") {
  ArmProcess arm;
  World world(arm);
  inject(arm, k_put, "recovers", R"(, "code": "OSProvisioningTimedOut", "recovers_after_s": 60)");
  CHECK(world.granted(world.gang(1, 1, 5, 10)).addresses.size() == 5);
  inject(arm, k_patch, "recovers", R"(, "code": "InternalExecutionError", "recovers_after_s": 60)");
  CHECK(world.granted(world.gang(2, 6, 3, 10)).addresses.size() == 3);
  CHECK(arm.vms() == 8);
}

TEST_CASE("a VM whose boot fails refuses the gang, and it names it") {
  ArmProcess arm("[boot.never]\nsize = \"Standard_ND96asr_v4\"\nfail_per_mille = 1000\nmost = \"60s\"\n");
  World world(arm);
  ReserveGang command = world.gang(1, 1, 3, 10);
  command.pool.sku.name = "Standard_ND96asr_v4";
  const GangRefused refused = world.refused(command);
  CHECK(refused.refusal == Refusal::fault);
  CHECK_MESSAGE(has(refused.message, "virga-c1-nd-1_"), refused.message);
  CHECK_MESSAGE(has(refused.message, "OSProvisioningTimedOut"), refused.message);
  CHECK(arm.vms() == 0);
  CHECK(arm.sets() == 0);
}

TEST_CASE("an operation that never ends is given up at its deadline, and cleaned up") {
  ArmProcess arm;
  World world(arm);
  world.settings.operation_timeout = Duration::seconds(6);
  world.reopen();
  world.granted(world.gang(1, 1, 2, 10));
  inject(arm, k_patch, "never_ends");
  const GangRefused refused = world.refused(world.gang(2, 3, 10, 10));
  CHECK(refused.refusal == Refusal::fault);
  CHECK_MESSAGE(has(refused.message, "did not end in time"), refused.message);
  CHECK(arm.vms() == 2);
  CHECK(arm.sets() == 1);
  CHECK(world.sink.all<VmFailed>().empty());
}

TEST_CASE("giving back goes on until it is done") {
  ArmProcess arm;
  World world(arm);
  SUBCASE("of a gang that is refused") {
    world.granted(world.gang(1, 1, 2, 10));
    inject(arm, k_patch, "async", R"(, "code": "AllocationFailed", "message": "no room")");
    inject(arm, "DELETE virtualMachineScaleSets", "html", R"(, "status": 502, "count": 4)");
    world.refused(world.gang(2, 3, 18, 10));
    CHECK(arm.vms() == 2);
  }
  SUBCASE("of VMs that are released") {
    world.granted(world.gang(1, 1, 12, 10));
    inject(arm, "DELETE virtualMachineScaleSets", "html", R"(, "status": 502, "count": 4)");
    inject(arm, "POST virtualMachineScaleSets", "async", R"(, "code": "InternalOperationError", "message": "odd")");
    world.release(2, 12);
    CHECK(arm.vms() == 1);
  }
}

TEST_CASE("a gang that is released before its answer gets both") {
  ArmProcess arm;
  World world(arm);
  world.reserve(world.gang(1, 1, 4, 10));
  world.cloud->release(VmId{2});
  CHECK(world.sink.first<GangGranted>(1)[0].addresses.size() == 4);
  CHECK(world.sink.first<VmReleased>(1)[0].vm == VmId{2});
  CHECK(arm.vms() == 3);
}

TEST_CASE("credentials") {
  SUBCASE("a wrong secret is told, and never shown") {
    ArmProcess arm("client_secret = \"another\"\n");
    World world(arm);
    const GangRefused refused = world.refused(world.gang(1, 1, 1, 10));
    CHECK(refused.refusal == Refusal::setup);
    CHECK_MESSAGE(has(refused.message, "AADSTS7000215"), refused.message);
    CHECK_FALSE(has(refused.message, "s3cret"));
    CHECK_FALSE(world.cloud->list({}).has_value());
    CHECK_FALSE(has(world.cloud->list({}).error().message, "s3cret"));
  }
  SUBCASE("a right secret") {
    ArmProcess arm("client_secret = \"s3cret\"\n");
    World world(arm);
    CHECK(world.granted(world.gang(1, 1, 1, 10)).addresses.size() == 1);
  }
  SUBCASE("a secret that is not there") {
    ArmProcess arm;
    World world(arm);
    world.settings.secret_file = arm.folder() / "nothing";
    world.reopen();
    CHECK(has(world.refused(world.gang(1, 1, 1, 10)).message, "secret_file"));
  }
  SUBCASE("a token that ends is renewed") {
    ArmProcess arm("token_life = \"2m\"\n");  // two seconds of ours
    World world(arm);
    world.granted(world.gang(1, 1, 3, 10));
    contract::eventually({}, [&] { return arm.calls("POST token") >= 4; });
    CHECK(arm.answers(401) == 0);
    world.release(1, 3);
    CHECK(arm.vms() == 0);
  }
  SUBCASE("a token that Azure takes no more is renewed once") {
    ArmProcess arm;
    World world(arm);
    world.granted(world.gang(1, 1, 3, 10));
    arm.post("clock", R"({"skip_s": 7200})");
    world.granted(world.gang(2, 4, 3, 10));
    CHECK(arm.answers(401) >= 1);
    CHECK(arm.vms() == 6);
  }
  SUBCASE("a managed identity") {
    ArmProcess arm;
    World world(arm);
    world.settings.identity = AzureIdentity::managed;
    world.settings.secret_file.clear();
    world.reopen();
    CHECK(world.granted(world.gang(1, 1, 3, 10)).addresses.size() == 3);
  }
}

TEST_CASE("a subscription that is not there says nothing about VMs, and is a mistake of the setup") {
  ArmProcess arm;
  World world(arm);
  world.settings.subscription = "99999999-1111-1111-1111-111111111111";
  world.reopen();
  const auto listed = world.cloud->list({});
  REQUIRE_FALSE(listed.has_value());
  CHECK(listed.error().code == Code::unavailable);
  const GangRefused refused = world.refused(world.gang(1, 1, 1, 10));
  CHECK(refused.refusal == Refusal::setup);
  CHECK_MESSAGE(has(refused.message, "SubscriptionNotFound"), refused.message);
  CHECK(arm.calls("PUT resourceGroups") == 0);
}

TEST_CASE("nobody there: lists and gangs say so, and a certificate of somebody else is refused") {
  ArmProcess arm;
  World world(arm);
  Refusal refusal = Refusal::fault;
  SUBCASE("no connection") { world.settings.endpoint = world.settings.login_endpoint = "https://127.0.0.1:1"; }
  SUBCASE("not trusted") {
    world.settings.ca_file = "";
    refusal = Refusal::setup;
  }
  world.reopen();
  const auto listed = world.cloud->list({});
  REQUIRE_FALSE(listed.has_value());
  CHECK(listed.error().code == Code::unavailable);
  CHECK(world.refused(world.gang(1, 1, 1, 10)).refusal == refusal);
}

TEST_CASE("closing does not wait for Azure, and what was under way is found by the next") {
  ArmProcess arm("[boot.slow]\nsize = \"Standard_ND96asr_v4\"\nleast = \"10m\"\nmost = \"20m\"\n", 60);
  World world(arm);
  ReserveGang command = world.gang(1, 1, 3, 10);
  command.pool.sku.name = "Standard_ND96asr_v4";
  world.reserve(command);
  contract::eventually({}, [&] { return arm.vms() == 3; });
  world.reopen();
  REQUIRE(world.cloud->list({}).has_value());
  CHECK(world.cloud->list({})->empty());
  arm.post("clock", R"({"skip_s": 1300})");
  CHECK(world.granted(command).addresses.size() == 3);
  CHECK(arm.vms() == 3);
  CHECK(arm.calls(k_put) == 1);
  CHECK(arm.calls(k_patch) == 0);
}
