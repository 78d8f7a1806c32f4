// Batch scripts: their files, environment, failures to launch, and their end to the last process.
#include <pwd.h>

#include <algorithm>

#include "unit/engines_local/nodes.hpp"

namespace virga::test {
namespace {

std::string launch_message(Bench& bench, const Job& job, const LaunchPayload& payload) {
  bench.engine->start({job}, payload);
  JobLaunchFailed failed = bench.sink.wait_for_job<JobLaunchFailed>(job.id);
  CHECK(failed.job_at_fault);
  CHECK(bench.sink.count<JobStarted>() == 0);
  CHECK_FALSE(
      std::filesystem::exists(bench.cluster.home().spool() + "/job" + std::to_string(job.id.value) + ".slurm_script"));
  return failed.message;
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("batch: output, arguments, environment and usage") {
  Bench bench(2);
  Job job = bench.job(7);
  job.spec.edit().tasks = 4;
  job.spec.edit().per_node.gpus = 2;
  job.nodes.edit()[0].gpus = {1, 3};
  LaunchPayload payload = Bench::script(
      "touch $VIRGA_CHECKPOINT_DIR/1; echo \"$1,$2\"; echo err >&2; pwd; umask; env; i=0; while [ $i -lt 30000 ]; do "
      "i=$((i+1)); done; exit 3");
  payload.arguments = {"a b", "c"};
  payload.umask = 027;
  payload.environment.push_back("MINE=with = and\nnewline");
  JobEnded ended = bench.run(job, payload);
  CHECK(ended.exit == ExitStatus{3, 0});
  CHECK(ended.usage.user_cpu.ns + ended.usage.system_cpu.ns > 0);
  CHECK(ended.usage.max_rss_bytes > 100'000);
  const std::string out = "\n" + bench.output(7);
  for (const char* line :
       {"a b,c", "err", "0027", "MINE=with = and\nnewline", "SLURM_JOB_ID=7", "SLURM_JOB_NODELIST=nd-[1-2]",
        "SLURM_TASKS_PER_NODE=2(x2)", "SLURMD_NODENAME=nd-1", "CUDA_VISIBLE_DEVICES=1,3", "SLURM_CLUSTER_NAME=testing",
        "PATH=/opt/virga-test/bin:/usr/local/bin:/usr/bin:/bin", "TMPDIR=/tmp"}) {
    CHECK_MESSAGE(has(out, "\n" + std::string(line) + "\n"), line);
  }
  CHECK(has(out, "\n" + bench.cluster.work() + "\n"));
  CHECK_FALSE(has(out, "SLURM_RESTART_COUNT"));
  const std::string checkpoints = bench.cluster.home().checkpoints() + "/7";
  CHECK(has(out, "\nVIRGA_CHECKPOINT_DIR=" + checkpoints + "\n"));
  struct stat info {};
  REQUIRE(stat(checkpoints.c_str(), &info) == 0);
  CHECK(info.st_uid == somebody().uid);
  CHECK_FALSE(std::filesystem::exists(bench.cluster.home().spool() + "/job7.slurm_script"));
}

TEST_CASE("batch: patterns, two files, appending, input") {
  Bench bench;
  Job job = bench.job(8);
  job.spec.edit().std_out = "%x-%4j.out";
  job.spec.edit().std_err = bench.cluster.work("%N.err");
  job.spec.edit().std_in = "in.txt";
  std::ofstream(bench.cluster.work("in.txt")) << "typed\n";
  bench.run(job, Bench::script("cat; echo bad >&2"));
  CHECK(read_file(bench.cluster.work("test-0008.out")) == "typed\n");
  CHECK(read_file(bench.cluster.work("nd-1.err")) == "bad\n");
  job.id = {9};
  job.spec.edit().std_out = "test-0008.out";
  job.spec.edit().append_output = true;
  bench.run(job, Bench::script("echo more"));
  CHECK(read_file(bench.cluster.work("test-0008.out")) == "typed\nmore\n");
  job.id = {10};
  job.spec.edit().append_output = false;
  bench.run(job, Bench::script("echo anew"));
  CHECK(read_file(bench.cluster.work("test-0008.out")) == "anew\n");
}

TEST_CASE("batch: what cannot be launched is told in one clear line") {
  Bench bench;
  Job job = bench.job(1);
  SUBCASE("no such output folder") {
    job.spec.edit().std_out = "/nowhere/%j.out";
    std::string why = launch_message(bench, job, Bench::script("true"));
    CHECK(has(why, "'/nowhere/1.out'"));
    CHECK(has(why, "No such file or directory"));
  }
  SUBCASE("output folder of somebody else") {
    if (!is_root()) return;  // there is no other user to own it
    mkdir(bench.cluster.work("closed").c_str(), 0700);
    job.spec.edit().std_out = "closed/%j.out";
    CHECK(has(launch_message(bench, job, Bench::script("true")), "Permission denied"));
  }
  SUBCASE("no such input") {
    job.spec.edit().std_in = "nothing";
    CHECK(has(launch_message(bench, job, Bench::script("true")), "cannot read the input file"));
  }
  SUBCASE("no such interpreter") {
    LaunchPayload payload;
    payload.script = "#! /nonexistent/interp -x\n";
    CHECK(has(launch_message(bench, job, payload), "interpreter '/nonexistent/interp' does not exist on node nd-1"));
  }
  SUBCASE("no interpreter line") {
    LaunchPayload payload;
    payload.script = "echo hello\n";
    CHECK(has(launch_message(bench, job, payload), "does not start with '#!'"));
  }
  SUBCASE("too long an environment") {
    LaunchPayload payload = Bench::script("true");
    payload.environment.push_back("BIG=" + std::string(1 << 20, 'x'));  // one string may have 128 KiB
    CHECK(has(launch_message(bench, job, payload), "too long for the system"));
  }
  SUBCASE("no such user") {
    job.owner = {4'000'000'000U, 4'000'000'000U, "ghost", false};
    std::string why = launch_message(bench, job, Bench::script("true"));
    CHECK(has(why, is_root() ? "no user with uid 4000000000" : "cannot run jobs of uid 4000000000"));
  }
}

TEST_CASE("batch: without its folder a script runs in /tmp and says so") {
  Bench bench;
  Job job = bench.job(1);
  job.spec.edit().work_dir = "/nonexistent";
  job.spec.edit().std_out = bench.cluster.work("out");
  CHECK(bench.run(job, Bench::script("pwd")).exit.ok());
  CHECK(
      read_file(bench.cluster.work("out")) ==
      "slurmstepd: error: couldn't chdir to `/nonexistent': No such file or directory: going to /tmp instead\n/tmp\n");
}

TEST_CASE("batch: 20,000 environment variables and a 10 MB script") {
  Bench bench;
  LaunchPayload payload;
  payload.script = "#!/bin/sh\n" + std::string(100, '#') + "\n";
  while (payload.script.size() < 10'000'000) payload.script += "# " + std::string(9'997, 'x') + "\n";
  payload.script += "env | grep -c ^VARIABLE_\nwc -c < $0\n";
  payload.environment = {"PATH=/usr/bin:/bin"};
  for (int i = 0; i < 20'000; ++i)
    payload.environment.push_back("VARIABLE_" + std::to_string(i) + "=" + std::string(40, 'v'));
  CHECK(bench.run(bench.job(1), payload).exit.ok());
  CHECK(bench.output(1) == "20000\n" + std::to_string(payload.script.size()) + "\n");
}

TEST_CASE("batch: no process outlives its job") {
  Bench bench;
  Job job = bench.job(1);
  const std::string pids = bench.cluster.work("pids");
  // A daemon by the book: two forks, its own session, nothing left of the environment, signals ignored.
  const std::string daemons = "for i in 1 2 3; do (setsid env -i /bin/sh -c 'trap \"\" TERM HUP; (echo $$ >> " + pids +
                              "; while :; do sleep 100; done) &' >/dev/null 2>&1 &); done\nuntil [ \"$(wc -l < " +
                              pids + ")\" = 3 ]; do sleep 0.01; done\n";
  SUBCASE("when the script ends") { CHECK(bench.run(job, Bench::script(daemons + "exit 4")).exit == ExitStatus{4, 0}); }
  SUBCASE("when it is ended, though it ignores SIGTERM") {
    LaunchPayload payload = Bench::script("trap '' TERM\n" + daemons + "echo $$ >> " + pids + "\nsleep 100\nsleep 100");
    bench.engine->start({job}, payload);
    REQUIRE(eventually([&] { return words_of(pids).size() == 4; }));
    bench.engine->end({job.id, 0, 15, job.nodes});
    REQUIRE(eventually([&] { return bench.output(1).find("*** JOB 1 ON nd-1 CANCELLED AT ") != std::string::npos; }));
    CHECK(alive(words_of(pids)[3]));
    CHECK(bench.sink.count<JobEnded>() == 0);
    bench.engine->end({job.id, 0, 9, job.nodes});
    CHECK(bench.sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{0, 9});
  }
  SUBCASE("when it forks all the time") {
    LaunchPayload payload = Bench::script("echo $$ >> " + pids +
                                          "\nf() { sleep 0.01 & f2 & }\nf2() { f; sleep 0.02; f & }\n"
                                          "while :; do f; sleep 0.02; done");
    bench.engine->start({job}, payload);
    REQUIRE(eventually([&] { return words_of(pids).size() == 1; }));
    bench.engine->end({job.id, 0, 9, job.nodes});
    bench.sink.wait_for_job<JobEnded>(job.id);
  }
  SUBCASE("when its supervisor is killed") {
    bench.engine->start({job}, Bench::script(daemons + "echo $$ $PPID >> " + pids + "\nsleep 100"));
    REQUIRE(eventually([&] { return words_of(pids).size() == 5; }));
    ::kill(std::stoi(words_of(pids)[4]), SIGKILL);
    CHECK(bench.sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{0, 9});
  }
  SUBCASE("when the node shuts down") {
    bench.engine->start({job}, Bench::script(daemons + "sleep 100"));
    REQUIRE(eventually([&] { return words_of(pids).size() == 3; }));
    bench.cluster.kill(bench.nodes[0].vm, SIGTERM);
  }
  SUBCASE("when the agent is killed") {
    bench.engine->start({job}, Bench::script(daemons + "sleep 100"));
    REQUIRE(eventually([&] { return words_of(pids).size() == 3; }));
    bench.cluster.kill(bench.nodes[0].vm, SIGKILL);
    for (const std::string& pid : words_of(pids)) CHECK(eventually([&] { return !alive(pid); }));
  }
  REQUIRE(!words_of(pids).empty());
  for (const std::string& pid : words_of(pids)) CHECK_MESSAGE(!alive(pid), "process " << pid << " is still there");
}

TEST_CASE("batch: signals for the batch shell only") {
  Bench bench;
  Job job = bench.job(1);
  const std::string ready = bench.cluster.work("ready");
  bench.engine->start(
      {job}, Bench::script("trap 'echo warned; exit 6' USR1\ntouch " + ready + "\nwhile :; do sleep 0.01; done"));
  REQUIRE(eventually([&] { return std::filesystem::exists(ready); }));
  bench.engine->signal({job.id, 0, SIGUSR1, false});  // for steps, and there is none
  bench.engine->signal({job.id, 0, SIGUSR1, true});
  CHECK(bench.sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{6, 0});
  CHECK(bench.output(1) == "warned\n");
}

TEST_CASE("batch: a job runs as its user, with his groups and no capability") {
  if (!is_root()) return;
  Bench bench;
  Job job = bench.job(1);
  bench.run(job, Bench::script("id -u; id -g; id -G; grep -E '^Cap(Inh|Prm|Eff|Amb)' /proc/self/status; "
                               "kill -9 $PPID 2>/dev/null && echo killed the supervisor; "
                               "kill -9 " +
                               std::to_string(bench.cluster.agent(bench.nodes[0].vm)) +
                               " 2>/dev/null && echo killed the agent; cat $0 > /dev/null && ls -ld $0 | cut -c1-10"));
  const std::string none = ":\t0000000000000000\n";
  CHECK(bench.output(1) ==
        "65534\n65534\n65534\nCapInh" + none + "CapPrm" + none + "CapEff" + none + "CapAmb" + none + "-rwx------\n");
}

TEST_CASE("batch: root's output path cannot be abused by a job's user") {
  if (!is_root()) return;
  Bench bench;
  Job job = bench.job(1);
  const std::string secret = bench.cluster.home().path + "/secret";
  std::ofstream(secret) << "untouched";
  chmod(secret.c_str(), 0600);
  REQUIRE(symlink(secret.c_str(), bench.cluster.work("slurm-1.out").c_str()) == 0);
  CHECK(has(launch_message(bench, job, Bench::script("true")), "Permission denied"));
  CHECK(read_file(secret) == "untouched");
}

}  // namespace virga::test
