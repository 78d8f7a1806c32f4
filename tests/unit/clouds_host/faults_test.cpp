// What goes wrong: boots that fail or hang, controllers and nodes that are killed, a machine that has nothing left.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <filesystem>

#include "clouds/host/fabric.hpp"
#include "unit/clouds_host/bench.hpp"

namespace virga::host_test {

namespace cc = cloud_contract;

namespace {

void check_failing_steps(Tier tier, const std::vector<const char*>& steps) {
  Instance instance;
  auto under_test = instance.under_test(tier);
  for (const char* step : steps) {
    CAPTURE(step);
    auto command = cc::gang(under_test, 1, 1, 2);
    Switch fault("VIRGA_FAULT_BOOT", command.vms[0].name + ":" + step);
    cc::RecordingSink sink;
    auto cloud = under_test.open(sink);
    cloud->reserve(command, under_test.user_data);
    auto refused = sink.first<GangRefused>(1)[0];
    CHECK(refused.refusal == Refusal::fault);
    CHECK(refused.message.find(fmt::format("boot step {}", step)) != std::string::npos);
    CHECK(refused.message.find("EIO") != std::string::npos);
    cc::check_nothing_left(under_test);
  }
  CHECK(instance.runs(VmId{1}) == 0);
}

void check_hanging_steps(Tier tier, const std::vector<const char*>& steps) {
  Instance instance;
  auto under_test = instance.under_test(tier);
  under_test.pool.boot_timeout = Duration::milliseconds(300);
  for (const char* step : steps) {
    CAPTURE(step);
    auto command = cc::gang(under_test, 1, 1, 2);
    Switch fault("VIRGA_FAULT_BOOT", command.vms[1].name + ":" + step + ":hang");
    cc::RecordingSink sink;
    auto cloud = under_test.open(sink);
    cloud->reserve(command, under_test.user_data);
    auto refused = sink.first<GangRefused>(1)[0];
    CHECK(refused.message.find(fmt::format("boot step {}: did not end in time", step)) != std::string::npos);
    cc::check_nothing_left(under_test);
  }
}

void check_release_during_boot(Tier tier) {
  Instance instance;
  auto under_test = instance.under_test(tier);
  under_test.pool.boot_timeout = Duration::seconds(100'000);
  auto command = cc::gang(under_test, 1, 1, 3);
  Switch fault("VIRGA_FAULT_BOOT", command.vms[1].name + ":user_data:hang");
  cc::RecordingSink sink;
  auto cloud = under_test.open(sink);
  cloud->reserve(command, under_test.user_data);
  CHECK(cc::eventually({}, [&] { return host::lock_holder(host::vm_lock_path(instance.home(), VmId{2})) != 0; }));
  for (std::uint32_t vm = 1; vm <= 3; ++vm) cloud->release(VmId{vm});
  CHECK(sink.first<GangRefused>(1)[0].message == "released while it was booting");
  sink.first<VmReleased>(3);
  cc::check_nothing_left(under_test);
}

/// Kills a controller `delay_ms` after it was asked for a gang.
void kill_controller(Instance& instance, Tier tier, const ReserveGang& command, int delay_ms) {
  pid_t controller = fork();
  if (controller == 0) {
    setsid();
    cc::RecordingSink sink;
    auto under_test = instance.under_test(tier);
    auto cloud = under_test.open(sink);
    cloud->reserve(command, under_test.user_data);
    for (;;) pause();
  }
  usleep(static_cast<useconds_t>(delay_ms) * 1000);
  kill(controller, SIGKILL);
  waitpid(controller, nullptr, 0);
}

/// The next controller either gives the reservation again, as for a gang whose answer is not in the journal, or
/// releases whatever it finds.
void check_controller_killed(Tier tier) {
  int found_something = 0;
  for (int delay_ms = 1; delay_ms <= 100; delay_ms += 5) {
    CAPTURE(delay_ms);
    Instance instance;
    auto under_test = instance.under_test(tier);
    auto command = cc::gang(under_test, 1, 1, 3);
    kill_controller(instance, tier, command, delay_ms);

    cc::RecordingSink sink;
    auto cloud = under_test.open(sink);
    auto listed = cc::listed(*cloud);
    found_something += !listed.empty();
    if (delay_ms % 2 == 0 || delay_ms == 1) {
      cloud->reserve(command, under_test.user_data);
      sink.first<GangGranted>(1);
      for (const WantedVm& vm : command.vms) {
        CHECK(cc::eventually({}, [&] {
          for (const VmFailed& failed : sink.all<VmFailed>()) {
            if (failed.vm == vm.vm) return true;  // killed between its record and its user data
          }
          return instance.runs(vm.vm) == 1;
        }));
      }
      cc::release_all(*cloud, sink, {1, 2, 3});
      for (const WantedVm& vm : command.vms) CHECK(instance.runs(vm.vm) <= 1);
    } else {
      for (VmId vm : listed) cloud->release(vm);
      sink.first<VmReleased>(listed.size());
    }
    cc::check_nothing_left(under_test);
  }
  CHECK(found_something > 3);
}

/// The nodes' daemons end with them, also those that left their session, their parent and their environment.
void check_daemons_end(Tier tier, bool kill_init) {
  Instance instance;
  auto under_test = instance.under_test(tier);
  under_test.user_data = [&](const WantedVm&) {
    return fmt::format(
        "#!/bin/sh\ntrap '' TERM\n(setsid sh -c 'echo $$ > {0}/a; sleep 100000; : {0}' &)\n"
        "(env {1} setsid sh -c 'trap \"\" TERM HUP; echo $$ > {0}/b; sleep 100000; : {0}' &)\nsleep 100000\n",
        instance.folder(), kill_init ? "" : "-i");
  };
  cc::RecordingSink sink;
  auto cloud = under_test.open(sink);
  cloud->reserve(cc::gang(under_test, 1, 1, 1), under_test.user_data);
  sink.first<GangGranted>(1);
  CHECK(cc::eventually({}, [&] { return !instance.note("a").empty() && !instance.note("b").empty(); }));
  if (kill_init) {
    under_test.kill(VmId{1});
    sink.first<VmFailed>(1);
    // Told is told: nothing of it runs any more.
    std::string left = instance.leftovers();
    CHECK_MESSAGE(left.find("sleep 100000") == std::string::npos, left);
  }
  cc::release_all(*cloud, sink, {1});
  cc::check_nothing_left(under_test);
}

void check_fabric_killed(Tier tier) {
  Instance instance;
  auto under_test = instance.under_test(tier);
  cc::RecordingSink sink;
  auto cloud = under_test.open(sink);
  cloud->reserve(cc::gang(under_test, 1, 1, 2), under_test.user_data);
  sink.first<GangGranted>(1);
  kill(host::lock_holder(host::fabric_lock_path(instance.home())), SIGKILL);
  sink.first<VmFailed>(2);
  cc::release_all(*cloud, sink, {1, 2});
  cc::check_nothing_left(under_test);
  cloud->reserve(cc::gang(under_test, 2, 3, 2), under_test.user_data);
  sink.first<GangGranted>(1);
  cc::release_all(*cloud, sink, {3, 4});
  cc::check_nothing_left(under_test);
}

void check_user_data_ends(Tier tier) {
  Instance instance;
  auto under_test = instance.under_test(tier);
  cc::RecordingSink sink;
  auto cloud = under_test.open(sink);
  cloud->reserve(cc::gang(under_test, 1, 1, 1), [](const WantedVm&) { return "#!/bin/sh\necho bad luck\nexit 3\n"; });
  auto failed = sink.first<VmFailed>(1)[0];
  CHECK(failed.message.find("ended with exit code 3") != std::string::npos);
  CHECK(host::read_file(host::vm_console_path(instance.home(), VmId{1})).value_or("") == "bad luck\n");
  cc::release_all(*cloud, sink, {1});
  cc::check_nothing_left(under_test);
}

}  // namespace

TEST_CASE("root tier: each boot step can fail") {
  if (enter(Tier::root)) {
    check_failing_steps(Tier::root, {"record", "cgroup", "network", "namespaces", "hostname", "mounts", "hosts"});
  }
}
TEST_CASE("user tier: each boot step can fail") {
  if (enter(Tier::user)) check_failing_steps(Tier::user, {"record", "network", "mounts", "user_data"});
}
TEST_CASE("plain tier: each boot step can fail") {
  if (enter(Tier::plain)) check_failing_steps(Tier::plain, {"record", "network", "user_data"});
}

TEST_CASE("root tier: a boot that hangs is given up") {
  if (enter(Tier::root)) check_hanging_steps(Tier::root, {"cgroup", "mounts"});
}
TEST_CASE("user tier: a boot that hangs is given up") {
  if (enter(Tier::user)) check_hanging_steps(Tier::user, {"network", "hosts"});
}
TEST_CASE("plain tier: a boot that hangs is given up") {
  if (enter(Tier::plain)) check_hanging_steps(Tier::plain, {"record", "user_data"});
}

TEST_CASE("root tier: release ends a boot") {
  if (enter(Tier::root)) check_release_during_boot(Tier::root);
}
TEST_CASE("user tier: release ends a boot") {
  if (enter(Tier::user)) check_release_during_boot(Tier::user);
}
TEST_CASE("plain tier: release ends a boot") {
  if (enter(Tier::plain)) check_release_during_boot(Tier::plain);
}

TEST_CASE("root tier: a controller killed at any moment leaves nothing that the next does not find") {
  if (enter(Tier::root)) check_controller_killed(Tier::root);
}
TEST_CASE("user tier: a controller killed at any moment leaves nothing that the next does not find") {
  if (enter(Tier::user)) check_controller_killed(Tier::user);
}
TEST_CASE("plain tier: a controller killed at any moment leaves nothing that the next does not find") {
  if (enter(Tier::plain)) check_controller_killed(Tier::plain);
}

TEST_CASE("root tier: daemons end with their node") {
  if (!enter(Tier::root)) return;
  check_daemons_end(Tier::root, false);
  check_daemons_end(Tier::root, true);
}
TEST_CASE("user tier: daemons end with their node") {
  if (!enter(Tier::user)) return;
  check_daemons_end(Tier::user, false);
  check_daemons_end(Tier::user, true);
}
TEST_CASE("plain tier: daemons end with their node") {
  if (!enter(Tier::plain)) return;
  check_daemons_end(Tier::plain, false);
  check_daemons_end(Tier::plain, true);
}

TEST_CASE("root tier: nodes end when their fabric does") {
  if (enter(Tier::root)) check_fabric_killed(Tier::root);
}
TEST_CASE("user tier: nodes end when their fabric does") {
  if (enter(Tier::user)) check_fabric_killed(Tier::user);
}

TEST_CASE("root tier: a node ends with its user data, and says how") {
  if (enter(Tier::root)) check_user_data_ends(Tier::root);
}
TEST_CASE("plain tier: a node ends with its user data, and says how") {
  if (enter(Tier::plain)) check_user_data_ends(Tier::plain);
}

TEST_CASE("plain tier: a machine without file descriptors left has no capacity") {
  if (!enter(Tier::plain)) return;
  Instance instance;
  auto under_test = instance.under_test(Tier::plain);
  cc::RecordingSink sink;
  auto cloud = under_test.open(sink);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
  rlimit few = before;
  few.rlim_cur = static_cast<rlim_t>(host::UniqueFd(dup(0)).get()) + 2;  // for a file, not for the pipe of a launcher
  REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  cloud->reserve(cc::gang(under_test, 1, 1, 2), under_test.user_data);
  auto refused = sink.first<GangRefused>(1);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(refused[0].refusal == Refusal::capacity);
  CHECK(refused[0].message.find("EMFILE") != std::string::npos);
  cc::check_nothing_left(under_test);
}

void check_home_removed(Tier tier) {
  Instance instance;
  auto under_test = instance.under_test(tier);
  cc::RecordingSink sink;
  auto cloud = under_test.open(sink);
  cloud->reserve(cc::gang(under_test, 1, 1, 2), under_test.user_data);
  sink.first<GangGranted>(1);
  cloud.reset();
  std::filesystem::remove_all(instance.home().vms());
  CHECK(cc::eventually({}, [&] {
    std::string left = instance.leftovers();  // zombies, too: nobody is there to reap them yet
    return left.find(instance.folder()) == std::string::npos && left.find("sleep") == std::string::npos;
  }));
  cloud = under_test.open(sink);  // finds what is left of their control groups
  CHECK(cc::listed(*cloud).empty());
  cc::check_nothing_left(under_test);
}
TEST_CASE("root tier: nodes whose records were taken away end") {
  if (enter(Tier::root)) check_home_removed(Tier::root);
}
TEST_CASE("user tier: nodes whose records were taken away end") {
  if (enter(Tier::user)) check_home_removed(Tier::user);
}
TEST_CASE("plain tier: nodes whose records were taken away end") {
  if (enter(Tier::plain)) check_home_removed(Tier::plain);
}

TEST_CASE("a leftover of another boot of the machine is not taken for a running node") {
  if (!enter(Tier::plain)) return;
  Instance instance;
  auto under_test = instance.under_test(Tier::plain);
  pid_t bystander = fork();
  if (bystander == 0) {
    setsid();
    for (;;) pause();
  }
  host::VmFile file;
  file.vm = VmId{1};
  file.name = "old-1";
  file.phase = host::VmPhase::up;
  file.init = host::identify(bystander);
  REQUIRE(host::make_folder(instance.home().vm(file.vm), 0700));
  SUBCASE("another boot") { file.boot = "another"; }
  SUBCASE("another process of the same number") {
    file.boot = host::boot_id();
    file.init.start -= 1;
  }
  REQUIRE(host::save_vm_file(instance.home(), file));
  {
    cc::RecordingSink sink;
    auto cloud = under_test.open(sink);
    CHECK(cc::listed(*cloud) == std::set<VmId>{VmId{1}});
    cloud->adopt(VmId{1});
    CHECK(sink.first<VmFailed>(1)[0].vm == VmId{1});
    cc::release_all(*cloud, sink, {1});
    CHECK(host::is_alive(host::identify(bystander)));
  }
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
}

}  // namespace virga::host_test
