// scontrol update: what may change of a job, and when.
#include "world.hpp"

namespace virga::test {

namespace {

const Actor k_owner{1000, 1000, "user1000", false};
const Actor k_stranger{1001, 1001, "user1001", false};
const Actor k_operator{0, 0, "root", true};

Result<std::uint64_t> change(World& w, JobId id, JobSpec spec, const Actor& actor = k_owner) {
  return w.ask(JobChanged{.actor = actor, .job = id, .spec = std::move(spec)});
}

}  // namespace

TEST_CASE("a job that waits is looked at as it is now wanted") {
  World w(small_config(4));
  const JobId first = w.run(World::spec(4));
  const JobId large = w.submit(World::spec(4));
  const JobId small = w.submit(World::spec(1));
  CHECK(w.job(large).reason == Reason::resources);
  JobSpec spec = w.job(large).spec;
  spec.name = "other";
  spec.nodes = 2;
  spec.tasks = 2;
  CHECK(change(w, large, spec).has_value());
  CHECK(w.job(large).spec->name == "other");
  CHECK(w.job(large).spec->nodes == 2);
  w.event(JobEnded{first, 0, {}, {}});
  CHECK(holds_nodes(w.job(large).state));
  CHECK(holds_nodes(w.job(small).state));  // which had to wait for the four nodes before
}

TEST_CASE("a change is refused as a submission would be, and to strangers") {
  World w(small_config(2));
  JobSpec held = World::spec(1);
  held.held = true;
  const JobId id = w.submit(held);
  JobSpec never = w.job(id).spec;
  never.nodes = 3;
  CHECK(change(w, id, never).error().message.starts_with("Requested node configuration is not available"));
  JobSpec nowhere = w.job(id).spec;
  nowhere.partition = "nowhere";
  CHECK(change(w, id, nowhere).error().message == "invalid partition specified: nowhere");
  CHECK(change(w, id, w.job(id).spec, k_stranger).error().code == Code::denied);
  CHECK(change(w, {99}, World::spec(1)).error().code == Code::not_found);
  JobSpec released = w.job(id).spec;
  released.held = false;
  CHECK(change(w, id, released).error().code == Code::invalid);
  CHECK(change(w, id, w.job(id).spec).has_value());
  CHECK(w.job(id).reason == Reason::held_user);
}

TEST_CASE("of a job that runs: its words, and its time, which only operators lengthen") {
  World w;
  const JobId id = w.run(timed(1, 10));
  JobSpec spec = w.job(id).spec;
  spec.name = "renamed";
  spec.time_limit = Duration::minutes(5);
  CHECK(change(w, id, spec).has_value());
  CHECK(w.job(id).spec->name == "renamed");
  CHECK(w.job(id).end_limit == w.job(id).started + Duration::minutes(5));
  spec.time_limit = Duration::minutes(20);
  CHECK(change(w, id, spec).error().code == Code::denied);
  CHECK(change(w, id, spec, k_operator).has_value());
  CHECK(w.job(id).end_limit == w.job(id).started + Duration::minutes(20));
  spec.nodes = 2;
  CHECK(change(w, id, spec, k_operator).error().message == "Job is no longer pending execution");
}

TEST_CASE("what a job waits for can be dropped") {
  World w;
  const JobId first = w.run(World::spec(1));
  JobSpec after = World::spec(1);
  after.dependencies = {{.kind = DependencyKind::afterok, .job = first}};
  const JobId second = w.submit(after);
  CHECK(w.job(second).reason == Reason::dependency);
  after = w.job(second).spec;
  after.dependencies.clear();
  CHECK(change(w, second, after).has_value());
  CHECK(w.job(second).reason != Reason::dependency);
  CHECK_FALSE(w.job(second).eligible.is_never());
}

}  // namespace virga::test
