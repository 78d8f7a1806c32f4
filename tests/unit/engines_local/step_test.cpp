// Steps: run_step() of srun against real agents. Each call runs in a child, as it owns stdin, stdout and signals.
#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "cli/step_client.hpp"
#include "unit/engines_local/nodes.hpp"

namespace virga::test {
namespace {

/// srun as a process of the job's user.
class Srun {
 public:
  Srun(const StepRequest& request, const std::string& input = "", bool hold = false) {
    ::signal(SIGPIPE, SIG_IGN);
    int in[2];
    REQUIRE(pipe2(in, O_CLOEXEC) == 0);
    char out_name[] = "/tmp/virga-srun-out-XXXXXX";
    char err_name[] = "/tmp/virga-srun-err-XXXXXX";
    int out = mkstemp(out_name);
    int err = mkstemp(err_name);
    out_ = out_name;
    err_ = err_name;
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(in[0], 0);
      dup2(out, 1);
      dup2(err, 2);
      close_range(3, ~0U, 0);
      const Actor& owner = request.job.owner;
      if (is_root() && (setgid(owner.gid) != 0 || setuid(owner.uid) != 0)) _exit(99);
      _exit(child(request, hold));
    }
    close(in[0]);
    close(out);
    close(err);
    in_ = in[1];
    if (!input.empty()) {
      std::thread([fd = in_, input] {  // more than a pipe holds must not block the test
        std::size_t done = 0;
        while (done < input.size()) {
          ssize_t n = write(fd, input.data() + done, input.size() - done);
          if (n <= 0) break;
          done += static_cast<std::size_t>(n);
        }
        close(fd);
      })
          .detach();
      in_ = -1;
    }
  }
  ~Srun() {
    if (in_ >= 0) close(in_);
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    unlink(out_.c_str());
    unlink(err_.c_str());
  }
  void signal(int number) const { ::kill(pid_, number); }
  int wait() {
    if (in_ >= 0) close(in_);
    in_ = -1;
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }
  std::string out() const { return read_file(out_); }
  std::string err() const { return read_file(err_); }
  std::vector<std::string> out_lines() const {
    std::vector<std::string> lines;
    std::istringstream text(out());
    for (std::string line; std::getline(text, line);) lines.push_back(line);
    std::sort(lines.begin(), lines.end());
    return lines;
  }

 private:
  static int child(const StepRequest& request, bool hold) {
    std::optional<AllocationHold> held;
    if (hold) {
      auto got = AllocationHold::attach(request.home, request.job);
      if (!got) {
        std::fprintf(stderr, "%s\n", got.error().message.c_str());
        return 98;
      }
      held.emplace(std::move(*got));
    }
    auto outcome = run_step(request);
    if (!outcome) std::fprintf(stderr, "%s\n", outcome.error().message.c_str());
    if (held && outcome) held->done(outcome->exit);
    return outcome ? outcome->exit_code : 97;
  }

  pid_t pid_ = -1;
  int in_ = -1;
  std::string out_;
  std::string err_;
};

/// A job of `nodes` nodes whose script waits until it is ended.
struct StepBench : Bench {
  explicit StepBench(int node_count, JobKind kind = JobKind::batch) : Bench(node_count), j(job(1)) {
    chmod(cluster.home().run().c_str(), 0755);
    j.spec.edit().kind = kind;
    engine->start({j}, script("exec sleep 300"));
    sink.wait_for_job<JobStarted>(j.id);
    if (j.owner.user.empty()) j.owner.user = "me";
  }
  StepRequest request(std::uint32_t tasks, const std::string& shell) const {
    StepRequest r;
    r.home = cluster.home();
    r.cluster_name = "testing";
    r.job = j;
    r.argv = {"sh", "-c", shell};
    r.environment = {"PATH=/usr/bin:/bin", "SLURM_JOB_ID=99"};
    r.work_dir = cluster.work();
    r.tasks = tasks;
    r.options.input = "none";
    return r;
  }
  Job j;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("step: tasks on all nodes, with their numbers and places") {
  StepBench bench(2);
  Srun srun(bench.request(4,
                          "echo $SLURM_PROCID $SLURM_LOCALID $SLURM_NODEID $SLURMD_NODENAME $SLURM_GTIDS "
                          "$SLURM_STEP_NODELIST $SLURM_NTASKS $SLURM_JOB_ID $(id -u)"));
  CHECK(srun.wait() == 0);
  const std::string rest = " nd-[1-2] 4 1 " + std::to_string(somebody().uid);
  CHECK(srun.out_lines() ==
        Lines{"0 0 0 nd-1 0,1" + rest, "1 1 0 nd-1 0,1" + rest, "2 0 1 nd-2 2,3" + rest, "3 1 1 nd-2 2,3" + rest});
  CHECK(srun.err() == "");
}

TEST_CASE("step: chosen nodes, fewer tasks than nodes, cyclic, labels") {
  StepBench bench(3);
  StepRequest request = bench.request(4, "echo $SLURMD_NODENAME");
  request.nodes = {"nd-3", "nd-1"};
  request.options.distribution = TaskDistribution::cyclic;
  request.options.label = true;
  Srun srun(request);
  CHECK(srun.wait() == 0);
  CHECK(srun.out_lines() == Lines{"0: nd-3", "1: nd-1", "2: nd-3", "3: nd-1"});
  Srun one(bench.request(1, "echo $SLURM_NNODES $SLURM_STEP_NODELIST"));
  CHECK(one.wait() == 0);
  CHECK(one.out() == "1 nd-1\n");
}

TEST_CASE("step: exit codes and what is said about them") {
  StepBench bench(2);
  Srun codes(bench.request(4, "exit $SLURM_PROCID"));
  CHECK(codes.wait() == 3);
  CHECK(codes.err().find("srun: error: nd-2: task 3: Exited with exit code 3\n") != std::string::npos);
  Srun killed(bench.request(4, "kill -9 $$"));
  CHECK(killed.wait() == 137);
  CHECK(killed.err().find("srun: error: nd-2: tasks 2-3: Killed\n") != std::string::npos);
  StepRequest missing = bench.request(2, "");
  missing.argv = {"no-such-program"};
  Srun absent(missing);
  CHECK(absent.wait() == 2);
  CHECK(absent.err().find("slurmstepd-nd-1: error: execve(): no-such-program: No such file or directory\n") !=
        std::string::npos);
}

TEST_CASE("step: one bad exit ends the others if asked for") {
  StepBench bench(2);
  StepRequest request = bench.request(2, "if [ $SLURM_PROCID = 1 ]; then exit 3; fi; exec sleep 100");
  request.options.kill_on_bad_exit = true;
  Srun srun(request);
  CHECK(srun.wait() == 143);
  CHECK(srun.err().find("srun: error: nd-1: task 0: Terminated\n") != std::string::npos);
}

TEST_CASE("step: input goes to every task, more of it than any buffer holds") {
  StepBench bench(2);
  StepRequest request = bench.request(3, "wc -c; [ $SLURM_PROCID != 1 ] || exec <&-");
  request.options.input = "";
  Srun srun(request, std::string(3'000'000, 'x'));
  CHECK(srun.wait() == 0);
  CHECK(srun.out() == "3000000\n3000000\n3000000\n");
}

TEST_CASE("step: a task that does not read its input does not hold up the end") {
  StepBench bench(2);
  StepRequest request = bench.request(2, "exec sleep 0.1");
  request.options.input = "";
  Srun srun(request, std::string(3'000'000, 'x'));
  CHECK(srun.wait() == 0);
}

TEST_CASE("step: much output from all tasks arrives whole, line by line") {
  StepBench bench(2);
  Srun srun(bench.request(4, "i=0; while [ $i -lt 20000 ]; do echo $SLURM_PROCID.$i; i=$((i+1)); done; printf end"));
  CHECK(srun.wait() == 0);
  std::map<std::string, int> by_task;
  for (const std::string& line : srun.out_lines()) ++by_task[line.substr(0, line.find('.'))];
  for (const char* task : {"0", "1", "2", "3"}) CHECK(by_task[task] == 20'000);
}

TEST_CASE("step: output files by task and node") {
  StepBench bench(2);
  StepRequest request = bench.request(2, "echo out; echo err >&2");
  request.options.output = bench.cluster.work("%s-%2t-%N.txt");
  Srun srun(request);
  CHECK(srun.wait() == 0);
  CHECK(read_file(bench.cluster.work("0-00-nd-1.txt")) == "out\nerr\n");
  CHECK(read_file(bench.cluster.work("0-01-nd-2.txt")) == "out\nerr\n");
  request.options.output = "/nowhere/x";
  Srun bad(request);
  CHECK(bad.wait() == 97);
  CHECK(bad.err() == "cannot write the output file '/nowhere/x': No such file or directory\n");
}

TEST_CASE("step: signals reach all tasks") {
  StepBench bench(2);
  const std::string ready = bench.cluster.work("ready.");
  auto all_ready = [&] { return std::filesystem::exists(ready + "0") && std::filesystem::exists(ready + "1"); };
  const std::string waiting = "touch " + ready + "$SLURM_PROCID; while :; do sleep 0.01; done";
  SUBCASE("SIGUSR1 from srun") {
    Srun srun(bench.request(2, "trap 'exit 5' USR1; " + waiting));
    REQUIRE(eventually(all_ready));
    srun.signal(SIGUSR1);
    CHECK(srun.wait() == 5);
  }
  SUBCASE("SIGTERM from srun, then again") {
    Srun srun(bench.request(2, "trap '' TERM; " + waiting));
    REQUIRE(eventually(all_ready));
    srun.signal(SIGTERM);
    REQUIRE(eventually([&] { return srun.err() == "srun: forcing job termination\n"; }));
    srun.signal(SIGTERM);
    CHECK(srun.wait() == 137);
  }
  SUBCASE("the job's warning signal") {
    Srun srun(bench.request(2, "trap 'exit 6' USR2; " + waiting));
    REQUIRE(eventually(all_ready));
    bench.engine->signal({bench.j.id, 0, SIGUSR2, false});
    CHECK(srun.wait() == 6);
    CHECK(bench.sink.count<JobEnded>() == 0);  // the batch shell did not get it
  }
  SUBCASE("the job's end") {
    Srun srun(bench.request(2, "trap '' TERM; " + waiting));
    REQUIRE(eventually(all_ready));
    bench.engine->end({bench.j.id, 0, 9, bench.j.nodes});
    CHECK(srun.wait() == 137);
    bench.sink.wait_for_job<JobEnded>(bench.j.id);
    Srun late(bench.request(1, "true"));
    CHECK(late.wait() == 97);
    CHECK(late.err().find("job 1 is ending") != std::string::npos);
  }
}

TEST_CASE("step: nothing outlives it") {
  StepBench bench(2);
  const std::string pids = bench.cluster.work("pids");
  const std::string daemon =
      "(setsid sh -c 'trap \"\" TERM; echo $$ >> " + pids + "; while :; do sleep 100; done' >/dev/null 2>&1 &); ";
  SUBCASE("a daemon that holds no pipe") {
    Srun srun(bench.request(2, daemon + "until grep -q . " + pids + "; do sleep 0.01; done"));
    CHECK(srun.wait() == 0);
  }
  SUBCASE("tasks whose srun is killed") {
    Srun srun(bench.request(2, daemon + "echo $$ >> " + pids + "; exec sleep 300"));
    REQUIRE(eventually([&] { return words_of(pids).size() == 4; }));
    srun.signal(SIGKILL);
    CHECK(srun.wait() == 1000 + SIGKILL);
  }
  for (const std::string& pid : words_of(pids)) CHECK(eventually([&] { return !alive(pid); }));
}

TEST_CASE("step: a node that dies ends it") {
  StepBench bench(2);
  const std::string ready = bench.cluster.work("ready");
  Srun srun(bench.request(2, "echo x >> " + ready + "; exec sleep 300"));
  REQUIRE(eventually([&] { return words_of(ready).size() == 2; }));
  bench.cluster.kill(bench.nodes[1].vm);
  CHECK(srun.wait() == 137);  // of the other task, which is killed then
  CHECK(srun.err() == "srun: error: Node failure on nd-2\nsrun: error: nd-1: task 0: Killed\n");
}

TEST_CASE("step: not for others, not for jobs that are not there") {
  StepBench bench(1);
  if (is_root()) {
    StepRequest request = bench.request(1, "id");
    request.job.owner = {k_daemon, k_daemon, "daemon", false};
    Srun thief(request);
    CHECK(thief.wait() == 97);
    CHECK(thief.err().find("you have no job on node nd-1") != std::string::npos);
    CHECK(thief.out() == "");
  }
  StepRequest request = bench.request(1, "id");
  request.job.id = {2};
  Srun lost(request);
  CHECK(lost.wait() == 97);
  CHECK(lost.err().find("you have no job 2 on node nd-1") != std::string::npos);
}

TEST_CASE("allocation: lives as long as it is held") {
  StepBench bench(2, JobKind::allocation);
  SUBCASE("done with the step's status") {
    Srun srun(bench.request(2, "exit 9"), "", true);
    CHECK(srun.wait() == 9);
    CHECK(bench.sink.wait_for_job<JobEnded>(bench.j.id).exit == ExitStatus{9, 0});
  }
  SUBCASE("lost with its client") {
    const std::string pids = bench.cluster.work("pids");
    Srun srun(bench.request(2, "echo $$ >> " + pids + "; exec sleep 300"), "", true);
    REQUIRE(eventually([&] { return words_of(pids).size() == 2; }));
    srun.signal(SIGKILL);
    CHECK(bench.sink.wait_for_job<JobEnded>(bench.j.id).exit == ExitStatus{1, 0});
    for (const std::string& pid : words_of(pids)) CHECK(!alive(pid));
  }
  SUBCASE("taken away") {
    const std::string pids = bench.cluster.work("pids");
    Srun srun(bench.request(2, "echo $$ >> " + pids + "; exec sleep 300"), "", true);
    REQUIRE(eventually([&] { return words_of(pids).size() == 2; }));
    bench.engine->end({bench.j.id, 0, 15, bench.j.nodes});
    CHECK(bench.sink.wait_for_job<JobEnded>(bench.j.id).exit == ExitStatus{0, 15});
    CHECK(srun.wait() == 143);
  }
}

TEST_CASE("step: a program for each task, input for one of them") {
  StepBench bench(2);
  StepRequest request = bench.request(3, "");
  request.programs = {{"sh", "-c", "echo a; cat"}, {"sh", "-c", "echo b; cat"}, {}};
  request.options.input = "";
  request.options.input_task = 1;
  Srun srun(request, "text\n");
  CHECK(srun.wait() == 2);
  CHECK(srun.out_lines() == Lines{"a", "b", "text"});
  CHECK(srun.err().find("error: No executable program specified for this task\n") != std::string::npos);
}

TEST_CASE("step: planes of tasks") {
  StepBench bench(2);
  StepRequest request = bench.request(4, "echo $SLURM_PROCID $SLURM_NODEID $SLURM_DIST_PLANESIZE");
  request.options.distribution = TaskDistribution::plane;
  request.options.plane_size = 1;
  Srun srun(request);
  CHECK(srun.wait() == 0);
  CHECK(srun.out_lines() == Lines{"0 0 1", "1 1 1", "2 0 1", "3 1 1"});
}

TEST_CASE("step: prologs and epilogs of tasks") {
  StepBench bench(1);
  const auto make = [&](const std::string& name, const std::string& text) {
    const std::string path = bench.cluster.work(name);
    std::ofstream(path) << "#!/bin/sh\n" << text;
    chmod(path.c_str(), 0755);
    return path;
  };
  StepRequest request = bench.request(2, "echo task $A $SLURM_PROCID; exit 3");
  request.options.task_prolog = make("before", "echo export A=x$SLURM_PROCID; echo print said; echo err >&2\n");
  request.options.task_epilog = make("after", "echo $SLURM_PROCID $A > " + bench.cluster.work("after.$SLURM_PROCID"));
  Srun srun(request);
  CHECK(srun.wait() == 3);
  CHECK(srun.out_lines() == Lines{"said", "said", "task x0 0", "task x1 1"});
  CHECK(read_file(bench.cluster.work("after.1")) == "1\n");
  request.options.task_prolog = make("bad", "exit 4\n");
  Srun refused(request);
  CHECK(refused.wait() == 4);
  CHECK(refused.out() == "");
  CHECK(refused.err().find("error: --task-prolog failed status=4\n") != std::string::npos);
  request.options.task_prolog = bench.cluster.work("none");
  Srun absent(request);
  CHECK(absent.wait() == 1);
}

TEST_CASE("step: a prolog that hangs ends with its step") {
  StepBench bench(1);
  const std::string path = bench.cluster.work("hangs");
  std::ofstream(path) << "#!/bin/sh\ntouch begun\nexec sleep 300\n";
  chmod(path.c_str(), 0755);
  StepRequest request = bench.request(1, "touch ran");
  request.options.task_prolog = path;
  Srun srun(request);
  CHECK(eventually([&] { return std::filesystem::exists(bench.cluster.work("begun")); }));
  srun.signal(SIGTERM);
  CHECK(srun.wait() == 143);
  CHECK_FALSE(std::filesystem::exists(bench.cluster.work("ran")));
}

TEST_CASE("step: tasks run on the processors they are bound to") {
  StepBench bench(1);
  StepRequest request = bench.request(2, "taskset -p $$ | sed 's/.*: //'");
  request.options.binding = {.cpus = "map_cpu", .cpu_list = {"0"}, .verbose = true, .gpus = "", .gpu_list = {}};
  Srun srun(request);
  CHECK(srun.wait() == 0);
  const Lines lines = srun.out_lines();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == lines[1]);
  CHECK(std::count(lines[0].begin(), lines[0].end(), '0') + 1 == static_cast<long>(lines[0].size()));
  CHECK(srun.err().find("cpu-bind=MAP  - nd-1, task  1  1 [") != std::string::npos);
}

}  // namespace virga::test
