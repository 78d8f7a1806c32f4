// Jobs that came past Virga: their nodes take no job, are not given back as idle, and are ready again afterwards.
#include "brain/fleet/foreign.hpp"

#include "core/foreign.hpp"
#include "unit/brain/world.hpp"

namespace virga::test {
namespace {

NodeUpdated foreign(const std::string& node) { return {engine_actor(), node, true, foreign_reason({{7, "ada"}})}; }
NodeUpdated over(const std::string& node) { return {engine_actor(), node, false, ""}; }

const Vm& vm_of(const World& w, VmId vm) { return w.brain.state().vms.at(vm); }

/// An idle node of a pool with room for two.
struct Idle {
  World w{small_config(2)};
  VmId vm;
  std::string name;
  Idle() {
    const JobId id = w.submit(World::spec(1));
    vm = w.grant_and_boot().front();
    name = vm_of(w, vm).name;
    w.take<StartJob>();
    w.event(JobStarted{id, 0});
    w.event(JobEnded{id, 0, {}, {}, {}});
    w.commands.clear();
  }
};

}  // namespace

TEST_CASE("foreign: a node with such a job takes none, is kept beyond its idle time, and goes after it") {
  Idle t;
  World& w = t.w;
  w.event(foreign(t.name));
  CHECK(is_occupied(vm_of(w, t.vm)));
  w.pass(Duration::minutes(600));
  w.drained();
  const JobId two = w.submit(World::spec(2));
  CHECK(w.job(two).reason == Reason::drained_nodes);
  const Explanation why = w.brain.explain(two);
  REQUIRE(why.reasons.size() == 1);
  CHECK(why.reasons[0].text.find(t.name + " has job 7 of ada, which came past Virga") != std::string::npos);
  w.drained();
  w.event(over(t.name));
  CHECK_FALSE(vm_of(w, t.vm).drained);
  CHECK(w.take<ReserveGang>().vms.size() == 1);
  w.event(JobActed{{1000, 1000, "u", false}, two, JobAction::cancel});
  w.commands.clear();
  w.pass(Duration::minutes(600));
  CHECK(w.take<ReleaseVm>().vm == t.vm);
  CHECK(vm_of(w, t.vm).release_reason == "idle");
}

TEST_CASE("foreign: a job that was refused there for it goes elsewhere, and so does one that was not launched yet") {
  Idle t;
  World& w = t.w;
  const JobId id = w.submit(World::spec(1));
  CHECK(w.take<StartJob>().job.nodes[0].vm == t.vm);
  JobSpec patient = World::spec(2);
  patient.requeue = false;
  w.event(foreign(t.name));
  CHECK(w.job(id).state == JobState::configuring);
  w.event(JobLaunchFailed{id, 0, "node: foreign", false});
  CHECK(w.job(id).nodes.size() + w.job(id).promised.size() == 1);
  w.take<ForgetJob>();
  const std::vector<VmId> other = w.grant_and_boot();
  REQUIRE(other.size() == 1);
  CHECK(w.take<StartJob>().job.nodes[0].vm == other[0]);
}

TEST_CASE("foreign: a gang that waits for its other nodes is dissolved where one of them is taken") {
  Idle t;
  World& w = t.w;
  const JobId id = w.submit(World::spec(2));
  const ReserveGang gang = w.take<ReserveGang>();
  w.event(GangGranted{gang.gang, {"10.0.0.9"}});
  CHECK(w.job(id).state == JobState::configuring);
  w.event(foreign(t.name));
  CHECK(w.job(id).state == JobState::pending);
  w.event(over(t.name));
  CHECK(w.job(id).state == JobState::configuring);
}

TEST_CASE("foreign: an operator's drain and such a job do not end each other") {
  Idle t;
  World& w = t.w;
  const Actor operator_{0, 0, "root", true};
  w.event(foreign(t.name));
  w.event(NodeUpdated{operator_, t.name, true, "bad fan"});
  w.event(NodeUpdated{operator_, t.name, false, ""});
  CHECK(is_occupied(vm_of(w, t.vm)));  // nobody else can say that it is free
  w.event(NodeUpdated{operator_, t.name, true, "bad fan"});
  w.event(over(t.name));
  CHECK(vm_of(w, t.vm).drained);
  CHECK(vm_of(w, t.vm).drain_reason == "bad fan");
  w.event(NodeUpdated{operator_, t.name, false, ""});
  CHECK_FALSE(vm_of(w, t.vm).drained);
  w.event(NodeUpdated{operator_, t.name, true, foreign_reason({{1, "eve"}})});
  CHECK_FALSE(is_occupied(vm_of(w, t.vm)));
}

TEST_CASE("foreign: what is given back all the same says so, and a shutdown asks first") {
  Idle t;
  World& w = t.w;
  w.event(foreign(t.name));
  const Actor operator_{0, 0, "root", true};
  const auto refused = w.ask(ShutdownRequested{operator_, false});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("past Virga are on 1 nodes") != std::string::npos);
  REQUIRE(w.ask(ShutdownRequested{operator_, true}));
  CHECK(w.take<ReleaseVm>().vm == t.vm);
  CHECK(vm_of(w, t.vm).release_reason == "shutdown; with foreign: job 7 of ada");
}

TEST_CASE("foreign: of nodes that are not there or not ready nothing is believed") {
  World w(small_config(2));
  w.event(foreign("nd1"));
  w.event(foreign("nd2"));
  w.submit(World::spec(1));
  const ReserveGang gang = w.take<ReserveGang>();
  w.event(foreign(gang.vms[0].name));
  w.event(GangGranted{gang.gang, {"10.0.0.9"}});
  w.event(foreign(gang.vms[0].name));
  CHECK_FALSE(vm_of(w, gang.vms[0].vm).drained);
  CHECK(count_occupied(w.brain.state()) == 0);
}

}  // namespace virga::test
