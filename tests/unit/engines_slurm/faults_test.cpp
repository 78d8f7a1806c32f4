// What goes wrong around a job: with real daemons, killed for real.
#include <signal.h>

#include <filesystem>
#include <fstream>

#include "engines/slurm/commands.hpp"
#include "engines/slurm/ledger.hpp"
#include "unit/engines_slurm/world.hpp"

namespace virga::slurm_test {
namespace {

using engine_contract::RecordingSink;
using engine_contract::wait_ready;
using std::chrono::milliseconds;

/// As long as slurmctld may keep what is new to itself (SAVE_MAX_WAIT in its state_save.c is 5 s).
constexpr std::chrono::seconds k_saved_after{7};

/// Held, and with exit code 9, behind the engine's back.
void submit_late(const Session& s, const Job& job) {
  slurm::SubmissionSite site;
  site.environment.home = s.world.home();
  site.partition = "virga";
  const slurm::Commands slurm(
      {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF=" + s.world.home().slurm() + "/slurm.conf"}, s.world.work());
  REQUIRE(slurm.submit(slurm::submission_of(job, s.world.script("exit 9"), site, "virga:testing:1.0"), {}));
}

}  // namespace

TEST_CASE("slurm faults: slurmctld is killed while a job runs, and comes back; the job neither") {
  if (!World::usable()) return;
  Session s;
  const Job job = s.world.job(1, {s.node});
  s.engine->start({job}, s.world.script("while [ ! -e go ]; do sleep 0.1; done; exit 6"));
  s.sink.wait_for_job<JobStarted>(job.id);
  std::this_thread::sleep_for(k_saved_after);
  const pid_t before = s.world.controller();
  REQUIRE(kill(before, SIGKILL) == 0);
  const Job second = s.world.job(2, {s.node});
  s.engine->start({second}, s.world.script("exit 3"));  // finds nobody, and waits
  CHECK(s.sink.wait_for_job<JobEnded>(second.id).exit == ExitStatus{3, 0});
  CHECK(s.world.controller() != before);
  CHECK(s.sink.count<JobEnded>() == 1);
  std::ofstream(s.world.work("go")).put('\n');
  CHECK(s.sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{6, 0});
  CHECK(s.world.runs(job.id) == 1);
  CHECK(s.world.runs(second.id) == 1);
  CHECK(s.sink.count<VmFailed>() == 0);
}

TEST_CASE("slurm faults: a job that was told to begin, and that Slurm has as held again, may run somewhere already") {
  if (!World::usable()) return;
  Session s;
  const Job job = s.world.job(1, {s.node});
  const slurm::Ledger ledger(s.world.home().slurm() + "/jobs");
  REQUIRE(ledger.note_submitted({job.id, 0}));
  submit_late(s, job);
  REQUIRE(ledger.note_released({job.id, 0}));
  s.engine->start({job}, s.world.script("exit 9"));
  CHECK_FALSE(s.sink.wait_for_job<JobLaunchFailed>(job.id).job_at_fault);
  CHECK(s.world.runs(job.id) == 0);
}

TEST_CASE("slurm faults: an end that the hook did not tell is found by the sweep") {
  if (!World::usable()) return;
  Session s(milliseconds(1000));
  std::ofstream(s.world.home().slurm() + "/hook") << "#!/bin/sh\nexit 0\n";
  const Job job = s.world.job(1, {s.node});
  s.engine->start({job}, s.world.script("sleep 3; exit 5"));
  s.sink.wait_for_job<JobStarted>(job.id);
  CHECK(s.sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{5, 0});
}

TEST_CASE("slurm faults: a controller that died between submission and release finds its held job, and runs it once") {
  if (!World::usable()) return;
  Session s;
  const Job job = s.world.job(1, {s.node});
  REQUIRE(slurm::Ledger(s.world.home().slurm() + "/jobs").note_submitted({job.id, 0}));
  for (int i = 0; i < 2; ++i) {  // and once more, as after an answer that was lost
    submit_late(s, job);
  }
  s.engine->start({job}, s.world.script("exit 9"));
  CHECK(s.sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{9, 0});
  CHECK(s.world.runs(job.id) == 1);
  REQUIRE(contract::eventually({}, [&] { return s.world.slurm({"squeue", "-h"}).empty(); }));
  CHECK(s.world.runs(job.id) == 1);
}

TEST_CASE("slurm faults: a leader that comes too late submits nothing, and what it has submitted is thrown away") {
  if (!World::usable()) return;
  Session s(milliseconds(1000));
  s.engine->lead(1);
  RecordingSink second_sink;
  auto second = s.world.engine(second_sink, milliseconds(1000));
  second->lead(2);
  wait_ready(second_sink, *second, {s.node});
  const Job job = s.world.job(1, {s.node});
  s.engine->start({job}, s.world.script("exit 9"));
  second->start({job}, s.world.script("sleep 1; exit 5"));
  CHECK(second_sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{5, 0});
  CHECK(s.world.runs(job.id) == 1);
  CHECK(s.sink.count<JobStarted>() == 0);

  submit_late(s, job);
  REQUIRE(contract::eventually({}, [&] { return s.world.slurm({"squeue", "-h"}).empty(); }));
  CHECK(s.world.runs(job.id) == 1);
  second.reset();
}

TEST_CASE("slurm faults: an end that Slurm has forgotten is told from the ledger") {
  if (!World::usable()) return;
  Session s;
  const Job job = s.world.job(1, {s.node});
  s.engine->start({job}, s.world.script("sleep 1; exit 5"));
  s.sink.wait_for_job<JobStarted>(job.id);
  s.engine.reset();
  REQUIRE(contract::eventually(
      {}, [&] { return read_file(s.world.home().slurm() + "/jobs/1.0").starts_with("ended 5 0"); }));
  REQUIRE(kill(s.world.controller(), SIGKILL) == 0);
  std::filesystem::remove_all(s.world.home().slurm() + "/state");
  RecordingSink second;
  s.engine = s.world.engine(second);
  s.engine->attach(s.node.vm, "nd");
  s.engine->start({job}, s.world.script("exit 5"));
  CHECK(second.wait_for_job<JobEnded>(job.id).exit == ExitStatus{5, 0});
  CHECK(s.world.runs(job.id) == 1);
  s.engine.reset();  // before its sink
}

TEST_CASE("slurm faults: a job that somebody ends with Slurm's own scancel has ended") {
  if (!World::usable()) return;
  Session s;
  const Job job = s.world.job(1, {s.node});
  s.engine->start({job}, s.world.script("exec sleep 300"));
  s.sink.wait_for_job<JobStarted>(job.id);
  REQUIRE(contract::eventually({}, [&] { return s.world.runs(job.id) == 1; }));
  s.world.slurm({"scancel", "--user=nobody"});
  CHECK_FALSE(s.sink.wait_for_job<JobEnded>(job.id).exit.ok());
}

TEST_CASE("slurm faults: the name of a node that is gone goes to another, and Slurm knows the new one") {
  if (!World::usable()) return;
  World world;
  RecordingSink sink;
  auto engine = world.engine(sink);
  const JobNode first = world.boot();
  wait_ready(sink, *engine, {first});
  const auto lose_and_boot = [&](const JobNode& old) {
    world.kill(old.vm);
    engine->detach(old.vm);
    JobNode fresh = world.boot(old.name);
    wait_ready(sink, *engine, {fresh});
    return fresh;
  };
  const JobNode second = lose_and_boot(first);  // which no job was on
  const Job job = world.job(1, {second});
  engine->start({job}, world.script("exit 0"));
  CHECK(sink.wait_for_job<JobEnded>(job.id).exit.ok());
  const pid_t controller = world.controller();
  const JobNode third = lose_and_boot(second);  // which Slurm remembers a job on
  const Job last = world.job(2, {third});
  engine->start({last}, world.script("exit 3"));
  CHECK(sink.wait_for_job<JobEnded>(last.id).exit == ExitStatus{3, 0});
  CHECK(world.controller() == controller);  // it has not crashed
  engine.reset();
}

}  // namespace virga::slurm_test
