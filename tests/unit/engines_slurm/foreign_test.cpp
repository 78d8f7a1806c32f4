// Jobs that come to Slurm past Virga: seen, left alone, and given way to.
#include "core/foreign.hpp"

#include <algorithm>
#include <fstream>

#include "unit/engines_slurm/world.hpp"

namespace virga::slurm_test {
namespace {

using engine_contract::RecordingSink;
using engine_contract::wait_ready;
using std::chrono::milliseconds;

/// Longer than any wait of a test: what is told in time was not found by a sweep.
constexpr milliseconds k_never{3'600'000};

std::uint32_t give_to_slurm(const World& world, std::vector<std::string> options, const std::string& script) {
  std::vector<std::string> argv = {"sbatch", "--parsable", "--uid=65534", "--gid=65534", "--chdir=" + world.work()};
  argv.insert(argv.end(), options.begin(), options.end());
  argv.push_back("--wrap=" + script);
  return static_cast<std::uint32_t>(std::stoul(world.slurm(argv)));
}

/// Waits until the last word on the node is this one.
NodeUpdated wait_told(RecordingSink& sink, const std::string& node, bool occupied) {
  NodeUpdated last;
  const bool came = contract::eventually({}, [&] {
    last = {};
    for (const NodeUpdated& told : sink.all<NodeUpdated>()) {
      if (told.node == node) last = told;
    }
    return last.node == node && last.drained == occupied;
  });
  REQUIRE_MESSAGE(came, "was not told of ", node);
  return last;
}

std::size_t told_occupied(RecordingSink& sink) {
  const auto all = sink.all<NodeUpdated>();
  return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const auto& e) { return e.drained; }));
}

}  // namespace

TEST_CASE("slurm foreign: a job of Slurm's own sbatch is told of its nodes at once, and so is its end") {
  if (!World::usable()) return;
  World world;
  RecordingSink sink;
  auto engine = world.engine(sink, k_never);
  const JobNode a = world.boot();
  const JobNode b = world.boot();
  const JobNode c = world.boot();
  wait_ready(sink, *engine, {a, b, c});
  give_to_slurm(world, {"--nodes=3", "--exclusive"}, "while [ ! -e go ]; do sleep 0.1; done");
  const NodeUpdated told = wait_told(sink, a.name, true);
  CHECK(is_engine(told.actor));
  const auto there = foreign_jobs_of(told.reason);
  REQUIRE(there.size() == 1);
  CHECK(there[0].user == "nobody");
  wait_told(sink, b.name, true);
  wait_told(sink, c.name, true);

  // A job that is to begin there all the same does not, and it is not at fault.
  const Job job = world.job(1, {a});
  engine->start({job}, world.script("true"));
  const auto refused = sink.wait_for_job<JobLaunchFailed>(job.id);
  CHECK_FALSE(refused.job_at_fault);
  CHECK(refused.message.find(told.reason) != std::string::npos);

  std::ofstream(world.work("go"));
  for (const JobNode& node : {a, b, c}) wait_told(sink, node.name, false);
  engine.reset();
}

TEST_CASE("slurm foreign: one that waits keeps no job of ours waiting; one that shares a node is told beside it") {
  if (!World::usable()) return;
  Session s(k_never);
  const Job running = s.world.job(1, {s.node});
  s.engine->start({running}, s.world.script("while [ ! -e go ]; do sleep 0.1; done"));
  s.sink.wait_for_job<JobStarted>(running.id);
  CHECK(told_occupied(s.sink) == 0);  // our own
  give_to_slurm(s.world, {"--exclusive"}, "true");
  const Job next = s.world.job(2, {s.node});
  s.engine->start({next}, s.world.script("exit 3"));
  CHECK(s.sink.wait_for_job<JobEnded>(next.id).exit == ExitStatus{3, 0});
  CHECK(told_occupied(s.sink) == 0);
  std::ofstream(s.world.work("go"));
  CHECK(s.sink.wait_for_job<JobEnded>(running.id).exit.ok());
  wait_told(s.sink, s.node.name, true);
  wait_told(s.sink, s.node.name, false);
}

TEST_CASE("slurm foreign: who comes back tells again what is there, and what is not there any more") {
  if (!World::usable()) return;
  World world;
  const auto boot = [&](RecordingSink& sink, Engine& engine) {
    const JobNode node = world.boot();
    wait_ready(sink, engine, {node});
    return node;
  };
  JobNode busy;
  JobNode idle;
  std::uint32_t id = 0;
  {
    RecordingSink sink;
    auto engine = world.engine(sink, k_never);
    busy = boot(sink, *engine);
    idle = boot(sink, *engine);
    id = give_to_slurm(world, {"--nodelist=" + busy.name}, "while [ ! -e go ]; do sleep 0.1; done");
    CHECK(foreign_jobs_of(wait_told(sink, busy.name, true).reason) == std::vector<ForeignJob>{{id, "nobody"}});
    engine.reset();
  }
  RecordingSink sink;
  auto engine = world.engine(sink, milliseconds(1000));
  engine->attach(busy.vm, "nd");
  engine->attach(idle.vm, "nd");
  CHECK(foreign_jobs_of(wait_told(sink, busy.name, true).reason) == std::vector<ForeignJob>{{id, "nobody"}});
  wait_told(sink, idle.name, false);  // an earlier controller may have told otherwise
  std::ofstream(world.work("go"));
  wait_told(sink, busy.name, false);
  engine.reset();
}

TEST_CASE("slurm foreign: a comment like ours does not make another user's job ours") {
  if (!World::usable()) return;
  Session s(milliseconds(1000));
  const Job job = s.world.job(1, {s.node});
  s.engine->start({job}, s.world.script("exec sleep 300"));
  s.sink.wait_for_job<JobStarted>(job.id);
  s.world.slurm({"sbatch", "--comment=virga:testing:1.0", "--chdir=" + s.world.work(), "--wrap=exec sleep 300"});
  const NodeUpdated told = wait_told(s.sink, s.node.name, true);
  CHECK(told.reason.find(" of root") != std::string::npos);
  CHECK(s.sink.count<JobEnded>() == 0);
}

TEST_CASE(
    "slurm foreign: a comment like ours makes nobody's job ours: it is not thrown away, and it occupies its node") {
  if (!World::usable()) return;
  Session s(milliseconds(500));
  const std::uint32_t forged = give_to_slurm(s.world, {"--hold", "--comment=virga:testing:7.0"}, "true");
  // The same by an administrator is what a leader submitted too late; it is found after the other one.
  give_to_slurm(s.world, {"--hold", "--nice=-1", "--comment=virga:testing:8.0"}, "true");
  const auto held = [&] { return s.world.slurm({"squeue", "-h", "-t", "PENDING", "-o", "%i"}); };
  REQUIRE(contract::eventually({}, [&] { return held() == std::to_string(forged) + "\n"; }));
  s.world.slurm({"scontrol", "release", std::to_string(forged)});
  give_to_slurm(s.world, {"--comment=virga:testing:9.0"}, "while [ ! -e go ]; do sleep 0.1; done");
  CHECK(foreign_jobs_of(wait_told(s.sink, s.node.name, true).reason).front().user == "nobody");
  std::ofstream(s.world.work("go"));
}

}  // namespace virga::slurm_test
