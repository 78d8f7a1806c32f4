// What the brain makes of sick VMs: jobs go elsewhere, spare nodes first, quarantine, and what was wasted.
#include "brain/fleet/health.hpp"

#include "unit/brain/world.hpp"

namespace virga::test {
namespace {

Config checked_config(std::uint32_t max_nodes = 4) {
  Config config = small_config(max_nodes);
  config.pools[0].quarantine_time = Duration::minutes(30);
  return config;
}

VmUnhealthy sick(VmId vm, std::uint32_t round = 1) { return {vm, round, "gpu_count", "7 GPUs, expected 8"}; }

const Vm& vm_of(const World& w, VmId vm) { return w.brain.state().vms.at(vm); }

/// Grants the open reservation; nobody is ready yet.
std::vector<VmId> grant(World& w) {
  const ReserveGang gang = w.take<ReserveGang>();
  std::vector<VmId> vms;
  std::vector<std::string> addresses;
  for (const WantedVm& vm : gang.vms) {
    vms.push_back(vm.vm);
    addresses.push_back("10.0.0." + std::to_string(vm.vm.value));
  }
  w.event(GangGranted{gang.gang, addresses});
  return vms;
}

VmRecord released(World& w, VmId vm) {
  w.event(VmReleased{vm});
  VmRecord record = w.take<ArchiveVm>().vm;
  CHECK(record.id == vm);
  return record;
}

}  // namespace

TEST_CASE("health: a VM that comes up sick is drained, its gang gets another, and it goes after its quarantine") {
  World w(checked_config());
  const JobId id = w.submit(World::spec(2));
  const std::vector<VmId> vms = grant(w);
  w.event(VmReady{vms[0]});
  w.event(sick(vms[1]));
  CHECK(vm_of(w, vms[1]).state == VmState::ready);
  CHECK(vm_of(w, vms[1]).drained);
  CHECK(vm_of(w, vms[1]).drain_reason == "health: gpu_count: 7 GPUs, expected 8");
  CHECK(w.job(id).state == JobState::pending);
  w.drained();  // the pool pauses after it, as after a boot that failed
  w.pass(Duration::seconds(2));
  const std::vector<VmId> more = grant(w);
  REQUIRE(more.size() == 1);
  w.event(VmReady{more[0]});
  CHECK(w.take<StartJob>().job.incarnation == 0);
  w.event(JobStarted{id, 0});
  w.pass(Duration::minutes(29));
  w.drained();
  w.pass(Duration::minutes(1));
  CHECK(w.take<ReleaseVm>().vm == vms[1]);
  w.drained();
  const VmRecord record = released(w, vms[1]);
  CHECK(record.reason == "health: gpu_count: 7 GPUs, expected 8");
  CHECK(record.wasted_since == record.granted);  // no job ever ran on it
  w.drained();
}

TEST_CASE("health: a job that lost a node to its sickness may have the spare one") {
  Config config = checked_config(3);
  config.pools[0].spare_nodes = 1;
  World w(config);
  w.event(TimerFired{});
  const std::vector<VmId> spare = w.grant_and_boot();
  REQUIRE(spare.size() == 1);
  const JobId id = w.submit(World::spec(2));
  const std::vector<VmId> bought = grant(w);  // beside the spare one,
  REQUIRE(bought.size() == 1);
  REQUIRE(w.grant_and_boot().size() == 1);  // which is replaced at once
  w.drained();
  w.event(sick(bought[0]));
  const Job started = w.take<StartJob>().job;  // at once
  CHECK(started.id == id);
  CHECK(started.nodes[0].vm != bought[0]);
  CHECK(started.nodes[1].vm != bought[0]);
  w.drained();  // all three numbers are taken: nothing can be bought in its place
}

TEST_CASE("health: a node that falls sick keeps its running job, gets no other, and the waste begins with its end") {
  World w(checked_config(1));
  const JobId id = w.run(World::spec(1, 4));
  const VmId vm = w.job(id).nodes[0].vm;
  w.event(sick(vm));
  CHECK(w.job(id).state == JobState::running);
  const JobId next = w.submit(World::spec(1, 4));
  CHECK(w.job(next).state == JobState::pending);
  w.drained();
  w.pass(Duration::minutes(60));
  w.drained();
  w.event(JobEnded{id, 0, {0, 0}, {}});
  const Time since = w.now;
  CHECK(vm_of(w, vm).wasted_since == since);
  w.take<ForgetJob>();
  w.take<ArchiveJob>();
  w.drained();
  w.pass(Duration::minutes(30));
  CHECK(w.take<ReleaseVm>().vm == vm);
  CHECK(released(w, vm).wasted_since == since);
  CHECK(w.take<ReserveGang>().vms.size() == 1);  // for the job that waits
}

TEST_CASE("health: a launch that a sick node refuses is nobody's fault, whatever the job says of requeueing") {
  World w(checked_config());
  const JobId first = w.run(World::spec(1));
  const VmId vm = w.job(first).nodes[0].vm;
  w.event(JobEnded{first, 0, {0, 0}, {}});
  JobSpec spec = World::spec(1);
  spec.requeue = false;
  const JobId id = w.submit(spec);
  w.commands.clear();
  CHECK(w.job(id).launched);  // the node checks itself before it takes it
  w.event(sick(vm));
  w.drained();
  w.event(JobLaunchFailed{id, 0, "node nd-1: health: gpu_count", false});
  const ForgetJob forgotten = w.take<ForgetJob>();
  CHECK(forgotten.job == id);
  CHECK(forgotten.incarnation == 0);
  CHECK(w.job(id).state == JobState::pending);
  w.grant_and_boot();
  const Job again = w.take<StartJob>().job;
  CHECK(again.id == id);
  CHECK(again.incarnation == 1);  // the engine knows the first one as refused
  CHECK(again.nodes[0].vm != vm);
  w.drained();  // and nothing of it is in the accounts
}

TEST_CASE("health: an eviction that a refused launch was told of is not the next one's") {
  World w(checked_config());
  const JobId first = w.run(World::spec(1));
  const VmId vm = w.job(first).nodes[0].vm;
  w.event(JobEnded{first, 0, {0, 0}, {}});
  const JobId id = w.submit(World::spec(1));
  w.event(VmEvicting{vm, w.now + Duration::minutes(5)});
  CHECK(w.job(id).eviction_told.is_set());
  w.event(sick(vm));
  w.event(JobLaunchFailed{id, 0, "node nd-1: health: gpu_count", false});
  CHECK(w.job(id).state == JobState::pending);
  CHECK_FALSE(w.job(id).eviction_told.is_set());
}

TEST_CASE("health: the same check told again changes nothing, not even after an operator's resume") {
  World w(checked_config());
  const JobId id = w.run(World::spec(1));
  const VmId vm = w.job(id).nodes[0].vm;
  w.event(JobEnded{id, 0, {0, 0}, {}});
  w.commands.clear();
  w.event(sick(vm, 3));
  w.pass(Duration::minutes(10));
  w.event(sick(vm, 3));
  CHECK(vm_of(w, vm).wasted_since == w.now - Duration::minutes(10) - Duration{1'000});
  REQUIRE(w.ask(NodeUpdated{{0, 0, "root", true}, vm_of(w, vm).name, false, ""}).has_value());
  CHECK_FALSE(vm_of(w, vm).drained);
  CHECK_FALSE(vm_of(w, vm).wasted_since.is_set());
  w.event(sick(vm, 3));
  CHECK_FALSE(vm_of(w, vm).is_sick());
  const JobId next = w.submit(World::spec(1));
  CHECK(w.take<StartJob>().job.nodes[0].vm == vm);
  w.event(sick(vm, 4));  // its agent looked again
  w.event(JobLaunchFailed{next, 0, "refused", false});
  CHECK(vm_of(w, vm).is_sick());
  CHECK(w.take<ForgetJob>().job == next);
  CHECK(w.take<ReserveGang>().vms.size() == 1);
}

TEST_CASE("health: without quarantine a sick VM is given back at once") {
  Config config = checked_config();
  config.pools[0].quarantine_time = {};
  World w(config);
  w.submit(World::spec(1));
  const std::vector<VmId> vms = grant(w);
  w.event(sick(vms[0]));
  CHECK(w.take<ReleaseVm>().vm == vms[0]);
  w.drained();  // the next one is asked for after the pause
}

TEST_CASE("health: sick nodes are none of the warm ones") {
  Config config = checked_config();
  config.pools[0].warm_nodes = 1;
  World w(config);
  w.event(TimerFired{});
  const std::vector<VmId> vms = w.grant_and_boot();
  w.event(sick(vms[0]));
  const std::vector<VmId> more = w.grant_and_boot();
  REQUIRE(more.size() == 1);
  w.pass(Duration::minutes(29));
  w.drained();  // the healthy one stays, as long as the sick one is there too
  w.pass(Duration::minutes(2));
  CHECK(w.take<ReleaseVm>().vm == vms[0]);
  const VmRecord record = released(w, vms[0]);
  CHECK(record.wasted_since > record.ready);  // it was to be warm: only its quarantine is waste
  w.drained();
}

TEST_CASE("health: what is heard of a VM that goes or is not known is nothing") {
  World w(checked_config());
  w.event(sick(VmId{99}));
  w.drained();
  const JobId id = w.run(World::spec(1));
  const VmId vm = w.job(id).nodes[0].vm;
  w.event(VmFailed{vm, "gone"});
  w.commands.clear();
  w.event(sick(vm));
  w.drained();
  CHECK_FALSE(vm_of(w, vm).is_sick());
}

TEST_CASE("waste: VMs that were bought for a job and never ran one, and no others") {
  World w(checked_config());
  JobSpec once = World::spec(2);
  once.requeue = false;
  const JobId ran = w.run(once);
  const std::vector<JobNode> used(w.job(ran).nodes.begin(), w.job(ran).nodes.end());
  const JobId never = w.submit(World::spec(1));
  const std::vector<VmId> bought = grant(w);
  w.event(VmReady{bought[0]});
  w.take<StartJob>();
  REQUIRE(w.ask(JobActed{{1000, 1000, "user1000", false}, never, JobAction::cancel, 0, false}).has_value());
  w.event(JobEnded{never, 0, {0, 15}, {}});
  w.event(VmFailed{used[0].vm, "died under its job"});
  CHECK_FALSE(released(w, used[0].vm).wasted_since.is_set());
  w.event(JobEnded{ran, 0, {0, 9}, {}});
  w.pass(Duration::minutes(2));
  w.commands.clear();
  CHECK_FALSE(released(w, used[1].vm).wasted_since.is_set());
  const VmRecord record = released(w, bought[0]);
  CHECK(record.wasted_since == record.granted);
}

}  // namespace virga::test
