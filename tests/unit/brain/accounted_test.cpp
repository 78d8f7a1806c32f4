// JobAccounted: what an engine tells of a job's usage and steps after its end.
#include "unit/brain/world.hpp"

namespace virga::test {
namespace {

Step step(const std::string& name, std::int64_t started_s, std::int64_t user_s = 1) {
  Step s;
  s.id = 99;
  s.name = name;
  s.nodes = s.tasks = 1;
  s.state = JobState::completed;
  s.started = Time::from_seconds(started_s);
  s.ended = Time::from_seconds(started_s + 1);
  s.usage = {Duration::seconds(user_s), {}, 4096};
  return s;
}

std::vector<std::string> names_of(const Job& job) {
  std::vector<std::string> names;
  for (const Step& s : job.steps) names.push_back(std::to_string(s.id) + " " + s.name);
  return names;
}

}  // namespace

TEST_CASE("accounted: steps and usage of an ended job go into the accounts, once") {
  World w;
  const JobId id = w.run(World::spec(1));
  w.event(JobEnded{id, 0, {3, 0}, {}, {}});
  w.commands.clear();
  // Two steps of one name in one second are two.
  const JobAccounted told{id, 0, {Duration::seconds(7), {}, 0}, {step("a", 5), step("a", 5), step("b", 6)}};
  w.event(told);
  const auto archived = w.take<ArchiveJob>();
  CHECK(names_of(archived.job) == std::vector<std::string>{"0 a", "1 a", "2 b"});
  CHECK(archived.job.usage.user_cpu == Duration::seconds(7));
  CHECK(archived.job.exit == ExitStatus{3, 0});
  w.drained();
  w.event(told);
  CHECK(names_of(w.take<ArchiveJob>().job) == std::vector<std::string>{"0 a", "1 a", "2 b"});
  // More is known by now: what was told before is not there twice.
  w.event(JobAccounted{id, 0, told.usage, {step("a", 5, 2), step("a", 5), step("b", 6), step("c", 7)}});
  const Job now = w.take<ArchiveJob>().job;
  CHECK(names_of(now) == std::vector<std::string>{"0 a", "1 a", "2 b", "3 c"});
  CHECK(now.steps[0].usage.user_cpu == Duration::seconds(2));
}

TEST_CASE("accounted: before the job's end it stays, and an end without figures leaves it") {
  World w;
  const JobId id = w.run(World::spec(1));
  w.event(JobAccounted{id, 0, {Duration::seconds(7), {}, 0}, {step("a", 5)}});
  CHECK(w.job(id).state == JobState::running);
  w.event(JobEnded{id, 0, {}, {}, {}});
  CHECK(w.take<ArchiveJob>().job.usage.user_cpu == Duration::seconds(7));
  CHECK(names_of(w.job(id)) == std::vector<std::string>{"0 a"});
}

TEST_CASE("accounted: of another incarnation, or of a job that nobody knows, it changes nothing") {
  World w;
  JobSpec spec = World::spec(1);
  spec.requeue = true;
  const JobId id = w.run(std::move(spec));
  w.event(JobActed{{0, 0, "root", true}, id, JobAction::requeue});
  w.event(JobEnded{id, 0, {0, 15}, {}, {}});
  CHECK(w.job(id).incarnation == 1);
  w.commands.clear();
  w.event(JobAccounted{id, 0, {Duration::seconds(7), {}, 0}, {step("a", 5)}});
  w.event(JobAccounted{{4711}, 0, {}, {step("a", 5)}});
  CHECK(w.job(id).steps.empty());
  CHECK(w.job(id).usage.user_cpu == Duration{});
  w.drained();
}

}  // namespace virga::test
