// The policy inside the brain: arrays, dependencies, begin times, deadlines and refusals, driven by events alone.
#include <doctest/doctest.h>

#include "unit/brain/world.hpp"

namespace virga {

using test::small_config;
using test::World;

namespace {

const Actor k_owner{1000, 1000, "user1000", false};
const Actor k_operator{0, 0, "root", true};

JobSpec array_spec(std::uint32_t last, std::uint32_t limit = 0) {
  JobSpec s = World::spec(1);
  s.array = {{{0, last, 1}}, limit};
  return s;
}

/// Jobs of two nodes' worth at most: the world has four.
Config policy_config() {
  Config config = small_config();
  config.qos = {{.name = "normal", .max_submit_per_user = 3}, {.name = "short", .max_wall = Duration::minutes(5)}};
  config.tenants = {{.name = "science", .budget_period = BudgetPeriod::month, .budget = Money::usd(100)},
                    {.name = "physics", .parent = "science", .users = {"user1000"}}};
  return config;
}

std::string refusal(World& w, JobSpec s, const Actor& actor = k_owner) {
  Result<std::uint64_t> r = w.ask(JobSubmitted{actor, std::move(s), ""});
  REQUIRE_FALSE(r.has_value());
  return r.error().message;
}

void end(World& w, JobId id, std::uint32_t code = 0) { w.event(JobEnded{id, w.job(id).incarnation, {code, 0}, {}}); }

}  // namespace

TEST_CASE("array: one job for each task, with ids without gaps and the first as the array's") {
  World w;
  const JobId before = w.submit(World::spec(1));
  JobSpec s = World::spec(1);
  s.array = {{{2, 8, 3}, {20, 20, 1}}, 0};
  const JobId first = w.submit(s);
  CHECK(first.value == before.value + 1);
  const std::uint32_t right[] = {2, 5, 8, 20};
  for (std::uint32_t i = 0; i < 4; ++i) {
    const Job& job = w.job({first.value + i});
    CHECK(job.array_job == first);
    CHECK(job.array_task == right[i]);
    CHECK(job.submitted_at_seq == w.job(first).submitted_at_seq);
  }
  CHECK_FALSE(w.job(before).array_job);
  CHECK(w.submit(World::spec(1)).value == first.value + 4);
}

TEST_CASE("array: the same idempotency key makes no second one") {
  World w;
  const std::uint64_t first = *w.ask(JobSubmitted{k_owner, array_spec(2), "key"});
  CHECK(*w.ask(JobSubmitted{k_owner, array_spec(2), "key"}) == first);
  CHECK(w.brain.state().jobs.size() == 3);
}

TEST_CASE("array: an action on its id is for all tasks, one with a task for that one") {
  World w;
  const JobId first = w.submit(array_spec(3));
  const auto act = [&](JobAction action, std::uint32_t task = k_no_array_task) {
    return w.ask(JobActed{.actor = k_owner, .job = first, .action = action, .task = task});
  };
  CHECK(act(JobAction::hold).has_value());
  for (std::uint32_t i = 0; i < 4; ++i) CHECK(w.job({first.value + i}).reason == Reason::held_user);
  CHECK(act(JobAction::release, 0).has_value());
  CHECK(w.job(first).reason != Reason::held_user);
  CHECK(w.job({first.value + 1}).reason == Reason::held_user);
  CHECK(act(JobAction::cancel, 2).has_value());
  CHECK(w.job({first.value + 2}).state == JobState::cancelled);
  CHECK(w.job({first.value + 3}).state == JobState::pending);
  CHECK(act(JobAction::cancel, 2).error().message == "Job/step already completing or completed");
  CHECK(act(JobAction::cancel, 9).error().code == Code::not_found);
  CHECK(act(JobAction::cancel).has_value());
  for (std::uint32_t i = 0; i < 4; ++i) CHECK(is_final(w.job({first.value + i}).state));
  CHECK(act(JobAction::cancel).error().code == Code::conflict);
}

TEST_CASE("array: no more tasks at a time than its limit") {
  World w;
  const JobId first = w.submit(array_spec(4, 2));
  const auto waiting = [&] {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < 5; ++i) count += w.job({first.value + i}).reason == Reason::array_limit ? 1 : 0;
    return count;
  };
  CHECK(waiting() == 3);
  CHECK(w.job({first.value + 2}).detail == "2 tasks of array 1 at a time");
  w.grant_and_boot();  // each of the two tasks that may run asked for a node of its own
  w.grant_and_boot();
  for (std::uint32_t done = 0; done < 5; ++done) {
    if (w.job({first.value + done}).state == JobState::pending) w.grant_and_boot();
    const JobId id = w.take<StartJob>().job.id;
    CHECK(id.value == first.value + done);
    w.event(JobStarted{id, 0});
    end(w, id);
    CHECK(w.job(id).state == JobState::completed);
    CHECK(waiting() == (done < 3 ? 2 - done : 0));
  }
}

TEST_CASE("array: a held task makes room for another") {
  World w;
  const JobId first = w.submit(array_spec(2, 1));
  CHECK(w.job({first.value + 1}).reason == Reason::array_limit);
  CHECK(w.ask(JobActed{.actor = k_owner, .job = first, .action = JobAction::hold, .task = 0}).has_value());
  CHECK(w.job({first.value + 1}).reason != Reason::array_limit);
  CHECK(w.ask(JobActed{.actor = k_owner, .job = first, .action = JobAction::release, .task = 0}).has_value());
  CHECK(w.job(first).reason == Reason::array_limit);
}

TEST_CASE("dependency: a job waits, and goes on or never will") {
  for (const std::uint32_t code : {0U, 1U}) {
    CAPTURE(code);
    World w;
    const JobId first = w.run(World::spec(1));
    JobSpec s = World::spec(1);
    s.dependencies = {{.kind = DependencyKind::afterok, .job = first}};
    const JobId second = w.submit(s);
    CHECK(w.job(second).reason == Reason::dependency);
    CHECK(w.job(second).detail == "afterok:1");
    CHECK(w.job(second).eligible.is_never());
    end(w, first, code);
    if (code == 0) {
      CHECK(w.take<StartJob>().job.id == second);
    } else {
      CHECK(w.job(second).reason == Reason::dependency_never);
      CHECK(w.job(second).state == JobState::pending);
    }
  }
}

TEST_CASE("dependency: after a beginning, with a delay, by a timer") {
  World w;
  const JobId first = w.run(World::spec(1));
  JobSpec s = World::spec(1);
  s.dependencies = {{.kind = DependencyKind::after, .job = first, .delay = Duration::minutes(2)}};
  const JobId second = w.submit(s);
  CHECK(w.job(second).reason == Reason::begin_time);
  CHECK(w.job(second).eligible == w.job(first).started + Duration::minutes(2));
  w.pass(Duration::minutes(3));
  CHECK(w.job(second).reason != Reason::begin_time);
}

TEST_CASE("dependency: on jobs that have left the state, and on ones that never were") {
  World w;
  const JobId first = w.run(World::spec(1));
  end(w, first);
  w.pass(Duration::minutes(60));
  REQUIRE_FALSE(w.brain.state().jobs.contains(first));
  JobSpec s = World::spec(1);
  s.dependencies = {{.kind = DependencyKind::afterok, .job = first}};
  CHECK(w.job(w.submit(s)).reason != Reason::dependency);
  s.dependencies = {{.kind = DependencyKind::afterok, .job = {77}}};
  CHECK(refusal(w, s) == "Job dependency problem: afterok:77: there is no such job; give the id that sbatch printed");
}

TEST_CASE("begin: not before its time, then at once") {
  World w;
  JobSpec s = World::spec(1);
  s.begin = w.now + Duration::minutes(10);
  const JobId id = w.submit(s);
  CHECK(w.job(id).reason == Reason::begin_time);
  CHECK(w.job(id).eligible == s.begin);
  w.drained();
  w.pass(Duration::minutes(11));
  w.take<ReserveGang>();
}

TEST_CASE("deadline: a job that can no longer keep it is over; one that never could is refused") {
  World w;
  w.run(World::spec(4));
  JobSpec s = World::spec(1);
  s.deadline = w.now + Duration::minutes(30);
  CHECK(refusal(w, s).find("it needs a time limit") != std::string::npos);
  s.time_limit = Duration::minutes(31);
  CHECK(refusal(w, s).find("its time limit is 31 minutes") != std::string::npos);
  s.time_limit = Duration::minutes(20);
  const JobId id = w.submit(s);
  w.pass(Duration::minutes(9));
  CHECK(w.job(id).state == JobState::pending);
  w.pass(Duration::minutes(2));
  CHECK(w.job(id).state == JobState::deadline);
  CHECK(w.take<ArchiveJob>().job.state == JobState::deadline);
}

TEST_CASE("policy: refusals at submission name what would be right") {
  World w(policy_config());
  JobSpec s = World::spec(1);
  s.time_limit = Duration::minutes(10);
  s.qos = "urgent";
  CHECK(refusal(w, s) == "Invalid qos specification: there is no QOS urgent; known: normal, short");
  s.qos = "short";
  CHECK(refusal(w, s).find("QOS short allows 5 minutes") != std::string::npos);
  s.qos = "";
  s.account = "math";
  CHECK(refusal(w, s).find("there is no tenant math; known: science, physics") != std::string::npos);
  s.account = "physics";
  CHECK(refusal(w, s, Actor{7, 7, "eve", false}).find("tenant physics is not for eve") != std::string::npos);
  s.account = "";
  CHECK(refusal(w, s, Actor{7, 7, "eve", false}).find("no tenant lists eve; give --account") != std::string::npos);
  s.nice = -5;
  CHECK(refusal(w, s) == "Access/permission denied: only operators may give --nice=-5");
  s.nice = 0;
  s.time_limit = Duration::infinite();
  CHECK(refusal(w, s) == "tenant science has a budget, so its jobs need a time limit; give --time");
  s.time_limit = Duration::minutes(600);
  CHECK(refusal(w, s).find("the budget of tenant science is 100.00 USD") != std::string::npos);
  s.time_limit = Duration::minutes(10);
  s.reservation = "course";
  CHECK(refusal(w, s).find("there is no reservation course") != std::string::npos);
  s.reservation = "";
  s.array = {{{3, 1, 1}}, 0};
  CHECK(refusal(w, s) == "Invalid job array specification: a range ends before it begins");
  s.array = {{{0, 3, 1}}, 0};
  s.qos = "normal";
  CHECK(refusal(w, s).find("4 jobs asked for and 0 submitted, QOS normal allows a user 3") != std::string::npos);
  s.array = {{{0, 2, 1}}, 0};
  const JobId id = w.submit(s);
  CHECK(w.job(id).spec->account == "physics");  // the tenant that lists the user
  s.array = {};
  CHECK(refusal(w, s).find("1 jobs asked for and 3 submitted") != std::string::npos);
  CHECK(w.ask(JobActed{.actor = k_owner, .job = id, .task = 1}).has_value());
  CHECK(w.submit(s).value == id.value + 3);
}

TEST_CASE("policy: a partition for some tenants, and its QOS as the default") {
  Config config = policy_config();
  config.partitions[0].allow_tenants = {"science"};
  config.partitions[0].qos = "short";
  World w(config);
  JobSpec s = World::spec(1);
  s.time_limit = Duration::minutes(5);
  CHECK(w.job(w.submit(s)).spec->qos == "short");  // physics is below science
  config.partitions[0].allow_tenants = {"other"};
  w.event(ConfigChanged{config});
  CHECK(refusal(w, s).find("partition main is not for tenant physics") != std::string::npos);
}

TEST_CASE("policy: a restart from a snapshot changes nothing") {
  World w;
  const JobId first = w.submit(array_spec(5, 2));
  JobSpec s = World::spec(1);
  s.dependencies = {{.kind = DependencyKind::afterany, .job = first}};
  w.submit(s);
  w.grant_and_boot();
  const JobId running = w.take<StartJob>().job.id;
  w.event(JobStarted{running, 0});
  Result<Brain> loaded = Brain::load(w.brain.save());
  REQUIRE(loaded.has_value());
  CHECK(loaded->digest() == w.brain.digest());
  const Event ended{w.now + Duration::seconds(1), JobEnded{running, 0, {0, 0}, {}}};
  loaded->apply({w.seq + 1}, ended);
  w.brain.apply({w.seq + 1}, ended);
  CHECK(loaded->digest() == w.brain.digest());
  CHECK(loaded->next_deadline() == w.brain.next_deadline());
  CHECK(w.job({first.value + 2}).reason != Reason::array_limit);
}

}  // namespace virga
