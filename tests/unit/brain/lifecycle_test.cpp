// One job from submission to the last released VM, and every way it can end otherwise.
#include "world.hpp"

namespace virga::test {

TEST_CASE("capacity first: the gang is reserved, then bound, then launched, then evaporates") {
  World w;
  JobId id = w.submit(World::spec(3));
  CHECK(w.job(id).state == JobState::pending);
  CHECK(w.job(id).reason == Reason::reserving);
  ReserveGang gang = w.take<ReserveGang>();
  CHECK(gang.vms.size() == 3);
  CHECK(gang.vms[0].name == "nd-1");
  CHECK(gang.vms[2].name == "nd-3");
  w.drained();

  w.event(GangGranted{gang.gang, {"a", "b", "c"}});
  CHECK(w.job(id).state == JobState::configuring);
  CHECK(w.job(id).reason == Reason::booting);
  w.drained();
  w.event(VmReady{gang.vms[0].vm});
  w.event(VmReady{gang.vms[2].vm});
  w.drained();  // two of three: a gang is all or nothing
  w.event(VmReady{gang.vms[1].vm});
  StartJob start = w.take<StartJob>();
  CHECK(start.job.nodes.size() == 3);
  CHECK(start.job.nodes[1].name == "nd-2");
  w.event(JobStarted{id, 0});
  CHECK(w.job(id).state == JobState::running);
  w.drained();

  w.pass(Duration::minutes(10));
  w.drained();  // busy nodes are never idle
  w.event(JobEnded{id, 0, {0, 0}, {}});
  CHECK(w.job(id).state == JobState::completed);
  CHECK(w.take<ArchiveJob>().job.state == JobState::completed);
  w.take<ForgetJob>();
  w.drained();

  w.pass(Duration::seconds(59));
  w.drained();
  w.pass(Duration::seconds(2));
  for (int i = 0; i < 3; ++i) w.event(VmReleased{w.take<ReleaseVm>().vm});
  CHECK(w.brain.state().vms.empty());
  for (int i = 0; i < 3; ++i) {
    VmRecord vm = w.take<ArchiveVm>().vm;
    CHECK(vm.reason == "idle");
    CHECK(vm.cost > Money::usd(6));  // 11 minutes at 36 USD an hour
    CHECK(vm.cost < Money::usd(7));
  }
  w.drained();
}

TEST_CASE("a job's cost is its nodes' list price for its time") {
  World w;
  JobId id = w.run(World::spec(2));
  w.now = w.now + Duration::minutes(10);
  w.event(JobEnded{id, 0, {0, 0}, {}});
  CHECK(w.job(id).cost.micro_usd / 1'000'000 == 12);
}

TEST_CASE("exit codes and signals decide between COMPLETED and FAILED") {
  World w;
  JobId code = w.run(World::spec(1));
  w.event(JobEnded{code, 0, {3, 0}, {}});
  CHECK(w.job(code).state == JobState::failed);
  CHECK(w.job(code).reason == Reason::non_zero_exit);
  CHECK(w.job(code).exit.code == 3);
  JobId killed = w.run(World::spec(1));
  w.event(JobEnded{killed, 0, {0, 11}, {}});
  CHECK(w.job(killed).state == JobState::failed);
}

TEST_CASE("cancel: SIGTERM, then SIGKILL after kill_wait, and CANCELLED only once the processes are gone") {
  World w;
  JobId id = w.run(World::spec(1));
  CHECK(w.ask(JobActed{{1000, 1000, "user1000", false}, id, JobAction::cancel, 0, false}).has_value());
  CHECK(w.job(id).state == JobState::completing);
  CHECK(w.take<EndJob>().signal == 15);
  w.pass(Duration::seconds(29));
  w.drained();
  w.pass(Duration::seconds(2));
  CHECK(w.take<EndJob>().signal == 9);
  w.event(JobEnded{id, 0, {0, 9}, {}});
  CHECK(w.job(id).state == JobState::cancelled);
  w.take<ArchiveJob>();
  w.take<ForgetJob>();
  w.drained();
}

TEST_CASE("a waiting job is cancelled at once, and its reservation turns into idle nodes") {
  World w;
  JobId id = w.submit(World::spec(2));
  CHECK(w.ask(JobActed{{1000, 1000, "user1000", false}, id, JobAction::cancel, 0, false}).has_value());
  CHECK(w.job(id).state == JobState::cancelled);
  w.take<ArchiveJob>();
  w.grant_and_boot();
  w.drained();
  w.pass(Duration::seconds(61));
  w.take<ReleaseVm>();
  w.take<ReleaseVm>();
  w.drained();
}

TEST_CASE("the warning signal comes before the limit, TIMEOUT after it") {
  World w;
  JobSpec s = World::spec(1);
  s.time_limit = Duration::minutes(5);
  s.warning = {.signal = 10, .before_end = Duration::seconds(60), .batch_shell_only = true};
  JobId id = w.run(s);
  w.pass(Duration::seconds(239));
  w.drained();
  w.pass(Duration::seconds(2));
  SignalJob warning = w.take<SignalJob>();
  CHECK(warning.signal == 10);
  CHECK(warning.batch_shell_only);
  w.drained();
  w.pass(Duration::seconds(60));
  CHECK(w.take<EndJob>().signal == 15);
  w.event(JobEnded{id, 0, {0, 15}, {}});
  CHECK(w.job(id).state == JobState::timeout);
}

TEST_CASE("a lost node requeues the job; the next incarnation gets a whole gang again") {
  World w;
  JobId id = w.run(World::spec(2));
  VmId lost = w.job(id).nodes[0].vm;
  w.event(VmFailed{lost, "killed"});
  CHECK(w.take<ReleaseVm>().vm == lost);
  CHECK(w.take<EndJob>().signal == 9);
  CHECK(w.job(id).state == JobState::completing);
  w.event(JobEnded{id, 0, {0, 9}, {}});
  CHECK(w.take<ArchiveJob>().job.state == JobState::node_fail);
  CHECK(w.job(id).state == JobState::pending);
  CHECK(w.job(id).incarnation == 1);
  w.take<ForgetJob>();
  w.event(VmReleased{lost});
  w.take<ArchiveVm>();
  w.pass(Duration::seconds(3));
  w.grant_and_boot();
  CHECK(w.take<StartJob>().job.incarnation == 1);
  w.event(JobStarted{id, 0});  // of the old incarnation: too late to matter
  CHECK(w.job(id).state == JobState::configuring);
  w.event(JobStarted{id, 1});
  CHECK(w.job(id).state == JobState::running);
  w.drained();
}

TEST_CASE("without --requeue a lost node ends the job as NODE_FAIL") {
  World w;
  JobSpec s = World::spec(1);
  s.requeue = false;
  JobId id = w.run(s);
  w.event(VmFailed{w.job(id).nodes[0].vm, "killed"});
  w.event(JobEnded{id, 0, {0, 9}, {}});
  CHECK(w.job(id).state == JobState::node_fail);
  CHECK(w.job(id).reason == Reason::node_failure);
}

TEST_CASE("a node that dies while it boots is replaced; the others wait") {
  World w;
  JobId id = w.submit(World::spec(2));
  ReserveGang gang = w.take<ReserveGang>();
  w.event(GangGranted{gang.gang, {"a", "b"}});
  w.event(VmReady{gang.vms[0].vm});
  w.event(VmFailed{gang.vms[1].vm, "killed"});
  CHECK(w.job(id).state == JobState::pending);
  w.take<ReleaseVm>();
  w.event(VmReleased{gang.vms[1].vm});
  w.take<ArchiveVm>();
  w.drained();  // the pool is left alone for a second after a boot that failed
  CHECK(w.job(id).reason == Reason::cloud_fault);
  w.pass(Duration::seconds(2));
  CHECK(w.grant_and_boot().size() == 1);
  CHECK(w.take<StartJob>().job.nodes.size() == 2);
  w.drained();
}

TEST_CASE("a node that does not boot in time is given back") {
  World w;
  w.submit(World::spec(1));
  ReserveGang gang = w.take<ReserveGang>();
  w.event(GangGranted{gang.gang, {"a"}});
  w.pass(Duration::seconds(31));
  CHECK(w.take<ReleaseVm>().vm == gang.vms[0].vm);
}

TEST_CASE("refusals: nothing is left of the gang, and the pause grows") {
  World w;
  JobId id = w.submit(World::spec(4));
  for (int seconds : {1, 2, 4}) {
    ReserveGang gang = w.take<ReserveGang>();
    w.event(GangRefused{gang.gang, Refusal::capacity, "none left", {}});
    CHECK(w.brain.state().vms.empty());
    CHECK(w.job(id).reason == Reason::capacity);
    w.drained();
    w.pass(Duration::milliseconds(seconds * 1000 - 10));
    w.drained();
    w.pass(Duration::milliseconds(20));
  }
  w.take<ReserveGang>();
}

TEST_CASE("what is set up wrongly is not tried fast, but at once after a reload") {
  World w;
  JobId id = w.submit(World::spec(4));
  ReserveGang gang = w.take<ReserveGang>();
  w.event(GangRefused{gang.gang, Refusal::setup, "wrong secret", {}});
  CHECK(w.job(id).reason == Reason::cloud_setup);
  CHECK(w.brain.explain(id).retry_at == w.now + Duration::minutes(5));
  w.pass(Duration::minutes(4));
  w.drained();
  w.event(ConfigChanged{w.brain.state().config});
  w.take<ReserveGang>();
}

TEST_CASE("a reload does not cut short a wait that the cloud asked for") {
  World w;
  w.submit(World::spec(4));
  ReserveGang gang = w.take<ReserveGang>();
  w.event(GangRefused{gang.gang, Refusal::throttled, "429", Duration::minutes(2)});
  w.event(ConfigChanged{w.brain.state().config});
  w.drained();
}

TEST_CASE("nodes that still boot go at once when all is taken down") {
  World w;
  JobId id = w.submit(World::spec(1));
  ReserveGang gang = w.take<ReserveGang>();
  w.event(GangGranted{gang.gang, {"a"}});
  w.event(ShutdownRequested{{0, 0, "root", true}, true});
  CHECK(w.job(id).state == JobState::cancelled);
  CHECK(w.take<ReleaseVm>().vm == gang.vms[0].vm);
}

TEST_CASE("a launch that fails by the job's fault ends it; by the node's, it is tried again") {
  World w;
  JobId own = w.submit(World::spec(1));
  w.grant_and_boot();
  w.take<StartJob>();
  w.event(JobLaunchFailed{own, 0, "/nowhere/out: No such file or directory", true});
  CHECK(w.job(own).state == JobState::failed);
  CHECK(w.job(own).detail.find("/nowhere/out") != std::string::npos);
  w.take<ArchiveJob>();
  JobId other = w.submit(World::spec(1));
  w.take<StartJob>();
  w.event(JobLaunchFailed{other, 0, "agent has no memory", false});
  CHECK(w.job(other).state == JobState::pending);
  CHECK(w.job(other).incarnation == 1);
}

TEST_CASE("shutdown is refused while jobs hold nodes, else it releases everything and starts nothing") {
  World w;
  JobId id = w.run(World::spec(2));
  const Actor root{0, 0, "root", true};
  CHECK_FALSE(w.ask(ShutdownRequested{{1000, 1000, "u", false}, true}).has_value());
  CHECK_FALSE(w.ask(ShutdownRequested{root, false}).has_value());
  CHECK(w.ask(ShutdownRequested{root, true}).has_value());
  CHECK(w.take<EndJob>().signal == 15);
  w.event(JobEnded{id, 0, {0, 15}, {}});
  w.take<ArchiveJob>();
  w.take<ForgetJob>();
  w.event(VmReleased{w.take<ReleaseVm>().vm});
  w.event(VmReleased{w.take<ReleaseVm>().vm});
  w.take<ArchiveVm>();
  w.take<ArchiveVm>();
  CHECK(w.brain.state().vms.empty());
  JobId later = w.submit(World::spec(1));
  CHECK(w.job(later).reason == Reason::shutting_down);
  w.drained();
  w.event(ControllerStarted{});
  w.take<ReserveGang>();
}

TEST_CASE("shutdown takes back what was promised: nothing starts on VMs that are granted afterwards") {
  World w;
  JobId id = w.submit(World::spec(2));
  const Actor root{0, 0, "root", true};
  CHECK(w.ask(ShutdownRequested{root, true}).has_value());
  CHECK(w.job(id).reason == Reason::shutting_down);
  w.grant_and_boot();
  CHECK(w.job(id).state == JobState::pending);
  w.event(VmReleased{w.take<ReleaseVm>().vm});
  w.event(VmReleased{w.take<ReleaseVm>().vm});
  w.take<ArchiveVm>();
  w.take<ArchiveVm>();
  CHECK(w.brain.state().vms.empty());
  w.drained();
}

}  // namespace virga::test
