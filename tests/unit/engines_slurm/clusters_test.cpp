// Several clusters of Slurm as one engine: who is asked for what, now and after a restart.
#include "engines/slurm/clusters.hpp"

#include <signal.h>

#include <filesystem>
#include <fstream>

#include "engines/slurm/ledger.hpp"
#include "support/temp_dir.hpp"
#include "unit/engines_slurm/world.hpp"

namespace virga::slurm_test {
namespace {

using engine_contract::RecordingSink;
using engine_contract::wait_ready;

/// Says what it was asked.
class Asked : public Engine {
 public:
  explicit Asked(std::vector<std::string>& words) : words_(words) {}
  void lead(std::uint64_t term) override { words_.push_back("lead " + std::to_string(term)); }
  std::string user_data(const WantedVm& vm, const Pool&) override {
    words_.push_back("boot " + vm.name);
    return vm.name;
  }
  void attach(VmId vm, const std::string&) override { words_.push_back("attach " + std::to_string(vm.value)); }
  void detach(VmId vm) override { words_.push_back("detach " + std::to_string(vm.value)); }
  void start(const StartJob& c, LaunchPayload) override { words_.push_back("start " + std::to_string(c.job.id.value)); }
  void signal(const SignalJob& c) override { words_.push_back("signal " + std::to_string(c.job.value)); }
  void end(const EndJob& c) override { words_.push_back("end " + std::to_string(c.job.value)); }
  void forget(const ForgetJob& c) override { words_.push_back("forget " + std::to_string(c.job.value)); }

 private:
  std::vector<std::string>& words_;
};

using Words = std::vector<std::string>;

/// Two clusters; opened again, they are those of another controller.
struct Two {
  explicit Two(ClusterOfPool pools = {{"wd", "west"}}) {
    for (const char* folder : {"slurm/jobs", "slurm/nodes", "slurm-west/jobs", "slurm-west/nodes"}) {
      std::filesystem::create_directories(folder_ / folder);
    }
    open(std::move(pools));
  }
  void open(ClusterOfPool pools) {
    first.clear();
    west.clear();
    std::vector<ClusterMember> members;
    members.push_back({"", "virga", path("slurm"), std::make_unique<Asked>(first)});
    members.push_back({"west", "west", path("slurm-west"), std::make_unique<Asked>(west)});
    engine =
        route_clusters(std::move(members), std::move(pools), [this](const std::string& line) { said.push_back(line); });
  }
  std::string path(const std::string& name) const { return folder_ / name; }
  std::string boot(std::uint64_t vm, const std::string& name, const std::string& pool) {
    Pool of;
    of.name = pool;
    return engine->user_data({VmId{vm}, name}, of);
  }
  void start(std::uint32_t id, std::vector<JobNode> nodes) {
    Job job;
    job.id = {id};
    job.nodes = std::move(nodes);
    engine->start({job}, {});
  }
  Words first;
  Words west;
  Words said;
  std::unique_ptr<SlurmClusters> engine;

 private:
  test::TempDir folder_;
};

}  // namespace

TEST_CASE("slurm clusters: a node is of its pool's cluster, a job of its nodes', and a term of all") {
  Two two;
  two.engine->lead(3);
  CHECK(two.boot(1, "nd1", "nd") == "nd1");
  CHECK(two.boot(2, "wd1", "wd") == "wd1");
  two.engine->attach(VmId{1}, "nd");
  two.engine->attach(VmId{2}, "wd");
  two.start(7, {{VmId{1}, "nd1", {}}});
  two.start(8, {{VmId{2}, "wd1", {}}});
  two.engine->signal({{8}, 0, 10, false});
  two.engine->end({{8}, 0, 15, {{VmId{2}, "wd1", {}}}});
  two.engine->forget({{8}, 0, {}});
  two.engine->detach(VmId{2});
  CHECK(two.first == Words{"lead 3", "boot nd1", "attach 1", "start 7"});
  CHECK(two.west == Words{"lead 3", "boot wd1", "attach 2", "start 8", "signal 8", "end 8", "forget 8", "detach 2"});
  CHECK(two.engine->cluster_of("nd") == "virga");
  CHECK(two.engine->cluster_of("wd") == "west");
  CHECK(two.said.empty());
}

TEST_CASE("slurm clusters: who comes back finds nodes where they were booted, whatever the pools say now") {
  Two two;
  two.boot(1, "nd1", "nd");
  two.boot(2, "wd1", "wd");
  two.open({{"nd", "west"}});  // both have changed sides
  two.engine->attach(VmId{1}, "nd");
  two.engine->attach(VmId{2}, "wd");
  two.start(8, {{VmId{9}, "gone", {}}, {VmId{2}, "wd1", {}}});
  // Others join them as long as one is there.
  two.boot(3, "nd2", "nd");
  two.boot(4, "wd2", "wd");
  CHECK(two.first == Words{"attach 1", "boot nd2"});
  CHECK(two.west == Words{"attach 2", "start 8", "boot wd2"});
  for (const std::uint64_t vm : {1, 2, 3, 4}) two.engine->detach(VmId{vm});
  CHECK(two.engine->cluster_of("nd") == "west");
  CHECK(two.engine->cluster_of("wd") == "virga");
  two.boot(5, "nd1", "nd");
  two.boot(6, "wd1", "wd");
  CHECK(two.west.back() == "boot nd1");
  CHECK(two.first.back() == "boot wd1");
}

TEST_CASE("slurm clusters: a job is found by the ledger that has it, where its nodes are gone") {
  Two two;
  REQUIRE(slurm::Ledger(two.path("slurm-west/jobs")).note_submitted({{8}, 2}));
  two.engine->end({{8}, 2, 9, {{VmId{2}, "wd1", {}}}});
  two.engine->forget({{8}, 2, {}});
  two.engine->end({{8}, 1, 9, {{VmId{2}, "wd1", {}}}});  // another incarnation, of which nobody knows
  CHECK(two.west == Words{"end 8", "forget 8"});
  CHECK(two.first == Words{"end 8"});
  // A node that nobody knows may be in the list of any of them.
  two.engine->detach(VmId{5});
  CHECK(two.first.back() == "detach 5");
  CHECK(two.west.back() == "detach 5");
}

TEST_CASE("slurm clusters: a node that cannot be noted does not come up") {
  Two two;
  std::filesystem::remove_all(two.path("slurm-west/nodes"));
  CHECK(two.boot(2, "wd1", "wd").find("exit 1") != std::string::npos);
  CHECK(two.west.empty());
  REQUIRE(two.said.size() == 1);
  CHECK(two.said[0].find("slurm-west/nodes/wd1") != std::string::npos);
}

TEST_CASE("slurm clusters: pools that are new are taken in; the others wait for the next start") {
  Two two;
  two.engine->take_pools({{"late", "west"}, {"wd", ""}});
  CHECK(two.engine->cluster_of("late") == "west");
  CHECK(two.engine->cluster_of("wd") == "west");
}

TEST_CASE("slurm clusters: real ones; one that hangs keeps only its own jobs waiting, and outlives a controller") {
  if (!World::usable()) return;
  World world;
  RecordingSink sink;
  const ClusterOfPool pools = {{"wd", "west"}};
  std::unique_ptr<SlurmClusters> engine = world.clusters(sink, pools);
  const JobNode east = world.boot("nd1");
  const JobNode west = world.boot("wd1", 0, "wd");
  const auto wait_both = [&](RecordingSink& into) {
    engine->attach(east.vm, "nd");
    engine->attach(west.vm, "wd");
    for (const JobNode& node : {east, west}) into.wait_for<VmReady>([&](const VmReady& f) { return f.vm == node.vm; });
  };
  wait_both(sink);
  const LaunchPayload tells = world.script("echo $SLURM_CLUSTER_NAME; srun hostname");
  for (const auto& [id, node] : {std::pair(1U, east), std::pair(2U, west)}) {
    const Job job = world.job(id, {node});
    engine->start({job}, tells);
    CHECK(sink.wait_for_job<JobEnded>(job.id).exit.ok());
  }
  CHECK(world.output(1) == "testing\nnd1\n");
  CHECK(world.output(2) == "west\nwd1\n");

  const Job lasting = world.job(3, {west});
  engine->start({lasting}, world.script("exec sleep 300"));
  sink.wait_for_job<JobStarted>(lasting.id);
  REQUIRE(contract::eventually({}, [&] { return world.runs(lasting.id) == 1; }));
  REQUIRE(kill(world.controller("west"), SIGSTOP) == 0);
  const Job meanwhile = world.job(4, {east});
  engine->start({meanwhile}, world.script("exit 4"));
  engine->end({lasting.id, 0, 15, lasting.nodes});
  CHECK(sink.wait_for_job<JobEnded>(meanwhile.id).exit == ExitStatus{4, 0});
  CHECK(sink.count<JobEnded>() == 3);
  REQUIRE(kill(world.controller("west"), SIGCONT) == 0);
  engine.reset();

  RecordingSink second;
  engine = world.clusters(second, {});  // the pool is another cluster's now
  wait_both(second);
  engine->start({lasting}, world.script("exec sleep 300"));
  engine->end({lasting.id, 0, 15, lasting.nodes});
  CHECK(second.wait_for_job<JobEnded>(lasting.id).exit == ExitStatus{0, 15});
  CHECK(world.runs(lasting.id) == 1);
  engine.reset();

  // A cluster with nodes cannot be left out of the configuration; one without is ended.
  SlurmClustersOptions one;
  one.clusters.resize(1);
  one.clusters[0].cluster.home = world.home();
  const auto refused = make_slurm_clusters(one, second);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("engine.cluster.west is not in virga.toml any more") != std::string::npos);
}

TEST_CASE("slurm clusters: one that exists may be away when the controller starts, and is used once it is back") {
  if (!World::usable()) return;
  World site;
  RecordingSink site_sink;
  {
    const auto raises = site.engine(site_sink, std::chrono::seconds(15), "site");
    REQUIRE(contract::eventually({}, [&] { return site.controller() > 0; }));
  }
  REQUIRE(kill(site.controller(), SIGKILL) == 0);
  {
    World world;
    RecordingSink sink;
    auto engine = world.clusters(sink, {{"wd", "west"}}, site.home().slurm() + "/slurm.conf");
    const JobNode east = world.boot("nd1");
    const JobNode west = world.boot("wd1", 0, "wd");
    engine->attach(west.vm, "wd");
    wait_ready(sink, *engine, {east});
    const Job job = world.job(1, {east});
    engine->start({job}, world.script("exit 3"));
    CHECK(sink.wait_for_job<JobEnded>(job.id).exit == ExitStatus{3, 0});
    CHECK(sink.count<VmReady>() == 1);

    const auto site_engine = site.engine(site_sink, std::chrono::seconds(15), "site");
    sink.wait_for<VmReady>([&](const VmReady& f) { return f.vm == west.vm; });
    const Job late = world.job(2, {west});
    engine->start({late}, world.script("srun hostname; exit 4"));
    CHECK(sink.wait_for_job<JobEnded>(late.id).exit == ExitStatus{4, 0});
    CHECK(world.output(2) == "wd1\n");
    engine->detach(west.vm);
    engine.reset();
  }
}

}  // namespace virga::slurm_test
