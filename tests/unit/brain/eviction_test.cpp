// What the brain makes of a VM that the cloud takes back: with notice, with a short one, a late one, and with none.
#include "unit/brain/world.hpp"

namespace virga::test {
namespace {

JobSpec saving(std::uint32_t nodes) {
  JobSpec s = World::spec(nodes);
  s.warning.signal = 10;
  s.warning.batch_shell_only = true;
  return s;
}

}  // namespace

TEST_CASE("eviction: the job is warned at once, ended before the machine goes, and runs again elsewhere") {
  World w;
  const JobId id = w.run(saving(1));
  const VmId vm = w.job(id).nodes[0].vm;
  w.event(VmEvicting{vm, w.now + Duration::minutes(5)});
  const auto warning = w.take<SignalJob>();
  CHECK(warning.signal == 10);
  CHECK(warning.batch_shell_only);
  w.event(VmEvicting{vm, w.now + Duration::minutes(6)});  // of another event: later, so it changes nothing
  w.pass(Duration::seconds(265));
  w.drained();
  w.pass(Duration::seconds(10));
  CHECK(w.take<EndJob>().signal == 15);
  CHECK(w.job(id).state == JobState::completing);
  w.event(VmEvicting{vm, w.now});  // started: it goes on as it is
  w.drained();
  w.event(JobEnded{id, 0, {0, 15}, {}});
  CHECK(w.job(id).incarnation == 1);
  CHECK(w.take<ReleaseVm>().vm == vm);
  CHECK(w.brain.state().vms.at(vm).release_reason == "evicted");
  w.pass(Duration::seconds(3));
  CHECK(w.take<ReserveGang>().vms.size() == 1);
}

TEST_CASE("eviction: of a notice as short as the grace time, half is for saving") {
  World w;  // kill_wait is 30 s
  const JobId id = w.run(saving(1));
  w.event(VmEvicting{w.job(id).nodes[0].vm, w.now + Duration::seconds(30)});
  w.take<SignalJob>();
  w.pass(Duration::seconds(14));
  w.drained();
  w.pass(Duration::seconds(2));
  CHECK(w.take<EndJob>().signal == 15);
}

TEST_CASE("eviction: a job that wants no warning has its whole grace time") {
  World w;
  const JobId id = w.run(World::spec(1));
  w.event(VmEvicting{w.job(id).nodes[0].vm, w.now + Duration::seconds(31)});
  w.drained();
  w.pass(Duration::seconds(2));
  CHECK(w.take<EndJob>().signal == 15);
}

TEST_CASE("eviction: an earlier end counts") {
  World w;
  const JobId id = w.run(saving(1));
  const VmId vm = w.job(id).nodes[0].vm;
  w.event(VmEvicting{vm, w.now + Duration::minutes(60)});
  w.take<SignalJob>();
  w.event(VmEvicting{vm, w.now + Duration::seconds(40)});
  w.drained();  // no second warning
  w.pass(Duration::seconds(21));
  CHECK(w.take<EndJob>().signal == 15);
}

TEST_CASE("eviction: a notice that comes late ends the job at once") {
  World w;
  const JobId id = w.run(saving(2));
  w.event(VmEvicting{w.job(id).nodes[1].vm, w.now - Duration::seconds(5)});
  CHECK(w.take<SignalJob>().signal == 10);
  w.pass(Duration::seconds(1));
  CHECK(w.take<EndJob>().signal == 15);
  CHECK(w.job(id).state == JobState::completing);
}

TEST_CASE("eviction: a machine that is gone before its time is a lost one") {
  World w;
  const JobId id = w.run(saving(1));
  const VmId vm = w.job(id).nodes[0].vm;
  w.event(VmEvicting{vm, w.now + Duration::minutes(5)});
  w.take<SignalJob>();
  w.event(VmFailed{vm, "gone"});
  CHECK(w.take<ReleaseVm>().vm == vm);
  CHECK(w.take<EndJob>().signal == 9);
  w.event(JobEnded{id, 0, {0, 9}, {}});
  CHECK(w.job(id).incarnation == 1);
  w.event(VmEvicting{vm, w.now});  // nothing is left to be said about it
  w.take<ForgetJob>();
  w.take<ArchiveJob>();
  w.drained();
}

TEST_CASE("eviction: a job that waits for the rest of its gang goes elsewhere at once") {
  World w;
  const JobId id = w.submit(saving(2));
  const ReserveGang gang = w.take<ReserveGang>();
  w.event(GangGranted{gang.gang, {"10.0.0.1", "10.0.0.2"}});
  w.event(VmReady{gang.vms[0].vm});
  w.event(VmEvicting{gang.vms[0].vm, w.now + Duration::seconds(30)});
  CHECK(w.take<ReleaseVm>().vm == gang.vms[0].vm);
  CHECK(w.job(id).state == JobState::pending);
  CHECK(w.take<ReserveGang>().vms.size() == 1);
  w.drained();
}

TEST_CASE("eviction: a job that was being started is warned when it runs") {
  World w;
  const JobId id = w.submit(saving(1));
  const VmId vm = w.grant_and_boot()[0];
  w.take<StartJob>();
  w.event(VmEvicting{vm, w.now + Duration::minutes(5)});
  w.drained();
  w.event(JobStarted{id, 0});
  CHECK(w.take<SignalJob>().signal == 10);
}

TEST_CASE("eviction: a job that saves itself and leaves goes on elsewhere; one that is done is done") {
  struct Case {
    bool requeue;
    bool saves;
    ExitStatus exit;
    bool goes_on;
  };
  const Case cases[] = {{true, true, {0, 0}, true},  {true, false, {0, 0}, false}, {true, false, {0, 10}, true},
                        {true, false, {1, 0}, true}, {false, true, {0, 0}, false}, {false, false, {1, 0}, false}};
  for (const Case& c : cases) {
    CAPTURE(c.requeue);
    CAPTURE(c.saves);
    CAPTURE(c.exit.code);
    World w;
    JobSpec spec = saving(2);
    spec.requeue = c.requeue;
    const JobId id = w.run(spec);
    w.event(CheckpointDone{w.job(id).owner, id, 40, 1});  // before the notice: says nothing
    w.pass(Duration::seconds(1));
    w.event(VmEvicting{w.job(id).nodes[1].vm, w.now + Duration::minutes(5)});
    w.take<SignalJob>();
    w.pass(Duration::seconds(1));
    if (c.saves) w.event(CheckpointDone{w.job(id).owner, id, 42, 1});
    w.event(JobEnded{id, 0, c.exit, {}});
    const Job record = w.take<ArchiveJob>().job;
    CHECK(record.state == (c.goes_on ? JobState::node_fail : c.exit.ok() ? JobState::completed : JobState::failed));
    CHECK((w.job(id).state == JobState::pending) == c.goes_on);
    if (!c.goes_on) continue;
    CHECK(w.job(id).incarnation == 1);
    CHECK_FALSE(w.job(id).eviction_told.is_set());
  }
}

TEST_CASE("eviction: an idle machine is given back at once") {
  World w;
  const JobId id = w.run(World::spec(1));
  const VmId vm = w.job(id).nodes[0].vm;
  w.event(JobEnded{id, 0, {0, 0}, {}});
  w.take<ForgetJob>();
  w.take<ArchiveJob>();
  w.event(VmEvicting{vm, w.now + Duration::minutes(5)});
  CHECK(w.take<ReleaseVm>().vm == vm);
  w.drained();
}

}  // namespace virga::test
