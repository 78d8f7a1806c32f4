// Who gets which nodes, and who may ask for what.
#include "world.hpp"

namespace virga::test {

namespace {

const Actor k_owner{1000, 1000, "user1000", false};
const Actor k_stranger{1001, 1001, "user1001", false};
const Actor k_operator{0, 0, "root", true};

}  // namespace

TEST_CASE("first come, first served: a small job does not overtake a large one that waits") {
  World w;
  JobId first = w.run(World::spec(3));
  JobId large = w.submit(World::spec(4));
  JobId small = w.submit(World::spec(1));
  CHECK(w.job(large).reason == Reason::resources);
  CHECK(w.job(small).reason == Reason::priority);
  w.drained();
  w.event(JobEnded{first, 0, {}, {}});
  CHECK(w.grant_and_boot().size() == 1);  // three are there, one is missing
  CHECK(w.take<StartJob>().job.id == large);
  CHECK(w.job(small).state == JobState::pending);
  CHECK(w.job(small).reason == Reason::resources);  // it is its turn now
}

TEST_CASE("jobs share a node up to what it has, each with GPUs of its own") {
  World w;
  JobSpec half = World::spec(1, 4);
  half.per_node.gpus = 4;
  JobId a = w.run(half);
  JobId b = w.submit(half);
  JobId c = w.submit(half);
  CHECK(w.take<StartJob>().job.id == b);
  CHECK(w.job(a).nodes[0].gpus == std::vector<std::uint32_t>{0, 1, 2, 3});
  CHECK(w.job(b).nodes[0].gpus == std::vector<std::uint32_t>{4, 5, 6, 7});
  CHECK(w.job(c).state == JobState::pending);
  CHECK(w.take<ReserveGang>().vms.size() == 1);
}

TEST_CASE("an exclusive job has its node alone") {
  World w;
  JobSpec alone = World::spec(1, 1);
  alone.exclusive = true;
  w.run(alone);
  w.submit(World::spec(1, 1));
  CHECK(w.take<ReserveGang>().vms.size() == 1);
}

TEST_CASE("what can never run is refused at submission, with the reason") {
  World w;
  auto refused = [&](JobSpec s) {
    Result<std::uint64_t> r = w.ask(JobSubmitted{k_owner, std::move(s), ""});
    CHECK_FALSE(r.has_value());
    return r.has_value() ? "" : r.error().message;
  };
  CHECK(refused(World::spec(5)).find("at most 4") != std::string::npos);
  CHECK(refused(World::spec(1, 9)).find("Test_ND has 8") != std::string::npos);
  JobSpec elsewhere = World::spec(1);
  elsewhere.partition = "nowhere";
  CHECK(refused(elsewhere) == "invalid partition specified: nowhere");
  JobSpec gpus = World::spec(1);
  gpus.per_node.gpus = 9;
  CHECK(refused(gpus).find("9 GPUs") != std::string::npos);
  CHECK(w.brain.state().jobs.empty());
  CHECK(w.brain.state().last_job == JobId{0});
  w.drained();
}

TEST_CASE("the same idempotency key of the same user is the same job") {
  World w;
  Result<std::uint64_t> a = w.ask(JobSubmitted{k_owner, World::spec(1), "k"});
  Result<std::uint64_t> b = w.ask(JobSubmitted{k_owner, World::spec(1), "k"});
  Result<std::uint64_t> c = w.ask(JobSubmitted{k_stranger, World::spec(1), "k"});
  CHECK(*a == *b);
  CHECK(*a != *c);
  CHECK(w.brain.state().jobs.size() == 2);
}

TEST_CASE("users act on their own jobs, operators on all") {
  World w;
  JobId id = w.run(World::spec(1));
  for (JobAction action : {JobAction::cancel, JobAction::requeue, JobAction::signal}) {
    Result<std::uint64_t> r = w.ask(JobActed{k_stranger, id, action, 10, false});
    CHECK(r.error().code == Code::denied);
  }
  CHECK(w.ask(StepStarted{k_stranger, id, "x", 1, 1}).error().code == Code::denied);
  CHECK(w.ask(CheckpointDone{k_stranger, id, 1, 1}).error().code == Code::denied);
  CHECK(w.ask(NodeUpdated{k_stranger, "nd-1", true, "mine"}).error().code == Code::denied);
  CHECK(w.job(id).state == JobState::running);
  CHECK(w.ask(JobActed{k_owner, id, JobAction::signal, 10, false}).has_value());
  CHECK(w.ask(JobActed{k_operator, id, JobAction::cancel, 0, false}).has_value());
}

TEST_CASE("hold and release; an operator's hold is not the owner's to release") {
  World w;
  JobSpec held = World::spec(1);
  held.held = true;
  JobId id = w.submit(held);
  CHECK(w.job(id).reason == Reason::held_user);
  w.drained();
  CHECK(w.ask(JobActed{k_owner, id, JobAction::release, 0, false}).has_value());
  w.take<ReserveGang>();
  CHECK(w.ask(JobActed{k_operator, id, JobAction::hold, 0, false}).has_value());
  CHECK(w.job(id).reason == Reason::held_admin);
  CHECK(w.ask(JobActed{k_owner, id, JobAction::release, 0, false}).error().code == Code::denied);
}

TEST_CASE("a drained node takes no job, and no VM is asked for under its name") {
  World w(small_config(2));
  CHECK(w.ask(NodeUpdated{k_operator, "nd-1", true, "bad fan"}).has_value());
  JobId two = w.submit(World::spec(2));
  CHECK(w.job(two).reason == Reason::drained_nodes);
  CHECK(w.ask(JobActed{k_owner, two, JobAction::cancel, 0, false}).has_value());
  w.submit(World::spec(1));
  CHECK(w.take<ReserveGang>().vms[0].name == "nd-2");
  CHECK(w.ask(NodeUpdated{k_operator, "nd-9", true, ""}).error().code == Code::not_found);
}

TEST_CASE("warm nodes are kept, and only the others go when idle") {
  Config config = small_config();
  config.pools[0].warm_nodes = 1;
  World w(config);
  CHECK(w.grant_and_boot().size() == 1);
  JobId id = w.run(World::spec(2));
  w.event(JobEnded{id, 0, {}, {}});
  w.take<ArchiveJob>();
  w.take<ForgetJob>();
  w.pass(Duration::seconds(61));
  w.take<ReleaseVm>();
  w.drained();
}

TEST_CASE("nodes that the next job waits for are not given away as idle") {
  World w;
  JobId a = w.run(World::spec(1));
  w.run(World::spec(3));
  w.event(JobEnded{a, 0, {}, {}});
  w.take<ArchiveJob>();
  w.take<ForgetJob>();
  w.submit(World::spec(4));
  w.pass(Duration::minutes(5));
  w.drained();
}

TEST_CASE("steps and checkpoints are counted; what still runs when the job ends is closed") {
  World w;
  JobId id = w.run(World::spec(2));
  CHECK(*w.ask(StepStarted{k_owner, id, "a", 2, 4}) == 0);
  CHECK(*w.ask(StepStarted{k_owner, id, "b", 1, 1}) == 1);
  CHECK(w.ask(StepStarted{k_owner, id, "c", 3, 3}).error().code == Code::refused);
  CHECK(w.ask(StepEnded{k_owner, id, 0, {0, 0}, {}}).has_value());
  CHECK(w.ask(CheckpointDone{k_owner, id, 40, 1000}).has_value());
  w.event(JobEnded{id, 0, {}, {}});
  CHECK(w.job(id).steps[0].state == JobState::completed);
  CHECK(w.job(id).steps[1].state == JobState::cancelled);
  CHECK(w.job(id).checkpoint.step == 40);
  CHECK(w.job(id).checkpoint.count == 1);
}

TEST_CASE("ended jobs leave the state after min_job_age, and their ids are not used again") {
  World w;
  JobId id = w.run(World::spec(1));
  w.event(JobEnded{id, 0, {}, {}});
  w.pass(Duration::minutes(6));
  CHECK_FALSE(w.brain.state().jobs.contains(id));
  CHECK(w.brain.state().jobs_archived == 1);
  CHECK(w.submit(World::spec(1)) > id);
}

TEST_CASE("a pool with nodes cannot be taken away under them") {
  World w;
  w.run(World::spec(1));
  Config other = small_config();
  other.pools[0].name = "nc";
  CHECK(w.ask(ConfigChanged{other}).error().code == Code::conflict);
  Config larger = small_config(8);
  CHECK(w.ask(ConfigChanged{larger}).has_value());
}

}  // namespace virga::test
