// Nodes that are checked: before they are ready, between jobs, and what becomes of a job that was on its way there.
// Their tools are scripts; a file makes the node sick, another one makes a check wait.
#include "unit/engines_local/nodes.hpp"

namespace virga::test {
namespace {

class CheckedNodes {
 public:
  explicit CheckedNodes(int count = 1) {
    folder_ = cluster.work("tools");
    mkdir(folder_.c_str(), 0777);
    chmod(folder_.c_str(), 0777);
    script("nvidia-smi",
           "case $1 in --query-gpu=index*) ;; *) echo 0x0000000000000001; exit 0 ;; esac\n"
           "echo look >> " +
               folder_ +
               "/looks\n"
               "while [ -e " +
               folder_ +
               "/hold ]; do sleep 0.02; done\n"
               "[ -e " +
               folder_ + "/sick ] || echo '0, 0'\n");
    script("dmesg", "exit 0\n");
    for (int i = 0; i < count; ++i) nodes.push_back(boot());
    engine = cluster.engine(sink);
  }

  /// A node whose only part is one GPU.
  JobNode boot() { return cluster.boot({}, {"--health-size", "Standard_NC24ads_A100_v4", "--health-tools", folder_}); }
  void make(const std::string& name) { std::ofstream(folder_ + "/" + name) << "x"; }
  void unmake(const std::string& name) { std::filesystem::remove(folder_ + "/" + name); }
  std::size_t looks() const { return words_of(folder_ + "/looks").size(); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  Job job(std::uint32_t id, std::uint32_t incarnation = 0) const {
    Job made = job_on(nodes, cluster.work(), id);
    made.incarnation = incarnation;
    return made;
  }
  VmUnhealthy wait_sick(std::uint32_t round) {
    return sink.wait_for<VmUnhealthy>([&](const VmUnhealthy& e) { return e.round == round; });
  }
  void wait_ready() { engine_contract::wait_ready(sink, *engine, nodes); }

  Nodes cluster;
  std::vector<JobNode> nodes;
  RecordingSink sink;
  std::unique_ptr<Engine> engine;

 private:
  void script(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << "#!/bin/sh\n" << text;
    chmod((folder_ + "/" + name).c_str(), 0755);
  }

  std::string folder_;
};

}  // namespace

TEST_CASE("node health: a healthy node is ready after its checks, and looked at again after a job") {
  CheckedNodes bench;
  bench.make("hold");
  bench.engine->attach(bench.nodes[0].vm, "nd");
  REQUIRE(eventually([&] { return bench.looks() >= 1; }));
  CHECK(bench.sink.count<VmReady>() == 0);
  bench.unmake("hold");
  bench.wait_ready();
  const std::size_t before = bench.looks();
  bench.engine->start({bench.job(1)}, Bench::script("exit 3"));
  CHECK(bench.sink.wait_for_job<JobEnded>({1}).exit == ExitStatus{3, 0});
  CHECK(eventually([&] { return bench.looks() > before; }));
  CHECK(bench.sink.count<VmUnhealthy>() == 0);
}

TEST_CASE("node health: a node that comes up sick says so instead of ready, and refuses jobs until it is healthy") {
  CheckedNodes bench;
  bench.make("sick");
  bench.engine->attach(bench.nodes[0].vm, "nd");
  const VmUnhealthy first = bench.wait_sick(1);
  CHECK(first.vm == bench.nodes[0].vm);
  CHECK(first.check == "gpu_count");
  CHECK(first.message == "0 GPUs, expected 1");
  bench.engine->start({bench.job(1)}, Bench::script("touch " + bench.path("ran")));
  const auto refused = bench.sink.wait_for_job<JobLaunchFailed>({1});
  CHECK_FALSE(refused.job_at_fault);
  CHECK(refused.message == "node " + bench.nodes[0].name + ": health: gpu_count: 0 GPUs, expected 1");
  bench.wait_sick(2);  // it was looked at once more for that job
  CHECK_FALSE(std::filesystem::exists(bench.path("ran")));
  bench.engine->forget({{1}, 0, bench.nodes});
  bench.unmake("sick");
  bench.engine->start({bench.job(1, 1)}, Bench::script("touch " + bench.path("ran")));
  CHECK(bench.sink.wait_for_job<JobEnded>({1}).exit.ok());
  CHECK(std::filesystem::exists(bench.path("ran")));
  CHECK(bench.sink.count<VmReady>() == 0);
}

TEST_CASE("node health: a node that a job leaves sick is told, again to an engine that comes back") {
  CheckedNodes bench;
  bench.engine->attach(bench.nodes[0].vm, "nd");
  bench.wait_ready();
  bench.engine->start({bench.job(1)}, Bench::script("touch " + bench.path("sick")));
  bench.sink.wait_for_job<JobEnded>({1});
  bench.wait_sick(2);
  bench.engine.reset();
  RecordingSink second;
  bench.engine = bench.cluster.engine(second);
  bench.engine->attach(bench.nodes[0].vm, "nd");
  const auto told = second.wait_for<VmUnhealthy>([](const VmUnhealthy&) { return true; });
  CHECK(told.round == 2);  // the same check: nothing new
  bench.engine->attach(bench.nodes[0].vm, "nd");
  REQUIRE(eventually([&] { return second.count<VmUnhealthy>() == 2; }));
  CHECK(second.count<VmReady>() == 0);
  bench.engine.reset();
}

TEST_CASE("node health: a bind waits for the check after the job before") {
  CheckedNodes bench;
  bench.engine->attach(bench.nodes[0].vm, "nd");
  bench.wait_ready();
  const std::size_t before = bench.looks();
  bench.engine->start({bench.job(1)}, Bench::script("touch " + bench.path("hold")));
  bench.sink.wait_for_job<JobEnded>({1});
  REQUIRE(eventually([&] { return bench.looks() > before; }));
  bench.engine->start({bench.job(2)}, Bench::script("exit 0"));
  bench.engine->start({bench.job(3)}, Bench::script("touch " + bench.path("ran")));
  bench.engine->end({{3}, 0, 15, bench.nodes, Reason::cancelled});  // while it waits: it never runs
  bench.sink.wait_for_job<JobEnded>({3});
  CHECK(bench.sink.count<JobStarted>() == 1);
  bench.engine->forget({{3}, 0, bench.nodes});
  bench.unmake("hold");
  CHECK(bench.sink.wait_for_job<JobEnded>({2}).exit.ok());
  CHECK_FALSE(std::filesystem::exists(bench.path("ran")));
}

TEST_CASE("node health: a job of several nodes starts on none when one of them is sick") {
  CheckedNodes bench(0);
  bench.nodes.push_back(bench.cluster.boot());  // is not checked
  bench.make("sick");
  bench.nodes.push_back(bench.boot());
  for (const JobNode& node : bench.nodes) bench.engine->attach(node.vm, "nd");
  bench.wait_sick(1);
  bench.sink.wait_for<VmReady>([&](const VmReady& e) { return e.vm == bench.nodes[0].vm; });
  bench.engine->start({bench.job(1)}, Bench::script("touch " + bench.path("ran")));
  CHECK_FALSE(bench.sink.wait_for_job<JobLaunchFailed>({1}).job_at_fault);
  bench.engine->forget({{1}, 0, bench.nodes});
  bench.nodes.pop_back();
  bench.engine->start({bench.job(2)}, Bench::script("exit 0"));
  CHECK(bench.sink.wait_for_job<JobEnded>({2}).exit.ok());
  CHECK_FALSE(std::filesystem::exists(bench.path("ran")));
}

TEST_CASE("node health: a checker that dies is a failed check, and the agent goes on") {
  CheckedNodes bench;
  bench.engine->attach(bench.nodes[0].vm, "nd");
  bench.wait_ready();
  bench.engine->start({bench.job(1)}, Bench::script("touch " + bench.path("hold")));
  bench.sink.wait_for_job<JobEnded>({1});
  const std::string agent = std::to_string(bench.cluster.agent(bench.nodes[0].vm));
  const auto checker = [&]() -> pid_t {
    for (const std::string& child : words_of("/proc/" + agent + "/task/" + agent + "/children")) {
      if (read_file("/proc/" + child + "/comm") == "virga-health\n") return std::stoi(child);
    }
    return 0;
  };
  REQUIRE(eventually([&] { return checker() != 0; }));
  kill(checker(), SIGKILL);
  CHECK(bench.wait_sick(2).check == "checker");
  bench.unmake("hold");
  bench.engine->start({bench.job(2)}, Bench::script("exit 0"));
  CHECK(bench.sink.wait_for_job<JobEnded>({2}).exit.ok());
}

}  // namespace virga::test
