// What a job is inside Slurm.
#include <signal.h>

#include "unit/engines_slurm/world.hpp"

namespace virga::slurm_test {
namespace {

using engine_contract::RecordingSink;
using engine_contract::wait_ready;

}  // namespace

TEST_CASE("slurm jobs: ranks lie on the nodes in the order that was chosen, and the script on the first") {
  if (!World::usable()) return;
  World world;
  RecordingSink sink;
  auto engine = world.engine(sink);
  const JobNode a = world.boot();
  const JobNode b = world.boot();
  const JobNode c = world.boot();
  wait_ready(sink, *engine, {a, b, c});
  Job job = world.job(7, {c, a, b});
  job.spec.edit().tasks_per_node = 1;
  const LaunchPayload payload = world.script(
      "hostname\n"
      "srun -l sh -c 'echo $SLURM_PROCID on $(hostname)' | sort\n"
      "srun -Q -N 1 -n 1 hostname\n"  // not that it waits for the step before
      "echo $SLURM_JOB_NODELIST $VIRGA_JOB_ID $SLURM_RESTART_COUNT $(id -un)\n"
      "squeue -h -j $SLURM_JOB_ID -o '%j %T %D'\n"
      "echo \"$1|$2\"");
  LaunchPayload with_arguments = payload;
  with_arguments.arguments = {"one", "two words"};
  job.incarnation = 2;
  engine->start({job}, with_arguments);
  CHECK(sink.wait_for_job<JobEnded>(job.id).exit.ok());
  CHECK(world.output(7) == c.name + "\n0: 0 on " + c.name + "\n1: 1 on " + a.name + "\n2: 2 on " + b.name + "\n" +
                               c.name + "\nnd-[3,1-2] 7 2 nobody\ntest RUNNING 3\none|two words\n");
  engine.reset();
}

TEST_CASE("slurm jobs: GPUs are Slurm's generic resource, so that srun may ask for some of them") {
  if (!World::usable()) return;
  World world;
  RecordingSink sink;
  auto engine = world.engine(sink);
  JobNode node = world.boot("", 4);
  wait_ready(sink, *engine, {node});
  node.gpus = {0, 1, 2, 3};
  Job job = world.job(1, {node});
  job.spec.edit().per_node.gpus = 4;
  engine->start({job}, world.script("echo $CUDA_VISIBLE_DEVICES\n"
                                    "srun --gres=gpu:2 sh -c 'echo $SLURM_STEP_ID'\n"
                                    "srun --gpus-per-task=4 true && echo four\n"
                                    "srun --gres=gpu:5 true || echo not five\n"
                                    "scontrol show job $SLURM_JOB_ID | grep -o 'TresPerNode=.*'"));
  CHECK(sink.wait_for_job<JobEnded>(job.id).exit.ok());
  const std::string output = world.output(1);
  CAPTURE(output);
  CHECK(output.starts_with("0,1,2,3\n0\nfour\n"));
  CHECK(output.find("not five\n") != std::string::npos);
  CHECK(output.ends_with("TresPerNode=gres:gpu:4\n"));
  engine.reset();
}

TEST_CASE("slurm jobs: signals reach the batch shell or the steps, as asked") {
  if (!World::usable()) return;
  Session s;
  const Job job = s.world.job(1, {s.node});
  s.engine->start(
      {job}, s.world.script("trap 'echo shell' USR1\n"
                            "srun sh -c 'trap \"echo step; exit 0\" USR2; echo ready; while :; do sleep 0.1; done' &\n"
                            "while kill -0 $! 2>/dev/null; do wait $!; done; exit 4"));
  s.sink.wait_for_job<JobStarted>(job.id);
  REQUIRE(contract::eventually({}, [&] { return s.world.output(1).find("ready") != std::string::npos; }));
  s.engine->signal({job.id, 0, SIGUSR1, true});
  REQUIRE(contract::eventually({}, [&] { return s.world.output(1).find("shell") != std::string::npos; }));
  CHECK(s.world.output(1).find("step") == std::string::npos);
  s.engine->signal({job.id, 0, SIGUSR2, false});
  CHECK(s.sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{4, 0});
  CHECK(s.world.output(1).find("step") != std::string::npos);
}

TEST_CASE("slurm jobs: one that Slurm cannot begin is refused, with the reason") {
  if (!World::usable()) return;
  Session s;
  Job job = s.world.job(1, {s.node});
  job.spec.edit().std_out = "/no/such/folder/out";
  s.engine->start({job}, s.world.script("true"));
  const auto failed = s.sink.wait_for_job<JobLaunchFailed>(job.id);
  CHECK(failed.job_at_fault);
  CHECK(failed.message.find("output file") != std::string::npos);
  Job stranger = s.world.job(2, {s.node});
  stranger.owner = {4'000'000, 4'000'000, "", false};
  s.engine->start({stranger}, s.world.script("true"));
  CHECK(s.sink.wait_for_job<JobLaunchFailed>(stranger.id).message.find("4000000") != std::string::npos);
  CHECK(s.world.runs(job.id) + s.world.runs(stranger.id) == 0);
}

}  // namespace virga::slurm_test
