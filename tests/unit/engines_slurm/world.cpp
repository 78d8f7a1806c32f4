#include "unit/engines_slurm/world.hpp"

#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "clouds/host/node_main.hpp"
#include "clouds/host/tier.hpp"
#include "clouds/host/vm_file.hpp"
#include "engines/slurm/hook_main.hpp"
#include "wire/command.hpp"

namespace virga::slurm_test {
namespace {

__attribute__((constructor)) void be_virga_node(int argc, char** argv, char**) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "vm") std::exit(virga_node_vm_main(argc - 1, argv + 1));
  if (verb == "slurm-hook") std::exit(virga_node_slurm_hook_main(argc - 1, argv + 1));
  if (verb == "slurm-prolog") std::exit(virga_node_slurm_prolog_main(argc - 1, argv + 1));
}

std::string own_program() {
  char path[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  return std::string(path, n > 0 ? static_cast<std::size_t>(n) : 0);
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

bool World::usable() {
  std::string why;
  if (const auto slurm = slurm::find_slurm(); !slurm) why = slurm.error().message;
  if (probe_tier().tier != Tier::root) why = "nodes with a network of their own need root";
  if (!why.empty()) MESSAGE("skipped: " << why);
  return why.empty();
}

World::World(std::string site_conf) : site_conf_(std::move(site_conf)) {
  char folder[] = "/var/tmp/virga-slurm-XXXXXX";  // nodes have a /tmp of their own
  REQUIRE(mkdtemp(folder));
  home_.path = folder;
  chmod(folder, 0755);
  mkdir(work().c_str(), 0777);
  chmod(work().c_str(), 0777);
  HostCloudOptions options{home_, own_program(), "testing"};
  options.machine_on_fabric = true;
  cloud_ = make_host_cloud(std::move(options), cloud_sink_);
}

World::~World() {
  for (std::uint64_t vm = 1; vm < next_; ++vm) cloud_->release(VmId{vm});
  contract::eventually({}, [&] { return cloud_sink_.count<VmReleased>() >= static_cast<int>(next_ - 1); });
  cloud_.reset();
  slurm::stop_clusters(home_);
  std::error_code ignored;
  std::filesystem::remove_all(home_.path, ignored);
}

SlurmEngineOptions World::options(std::chrono::milliseconds sweep, const std::string& cluster) {
  SlurmEngineOptions options;
  options.cluster = {home_, cluster, own_program(), host_address_on_fabric(home_)};
  options.cluster.site_conf = site_conf_;
  options.sweep = sweep;
  options.adopt = adopt;
  options.cluster.accounting = accounting;
  options.cluster.direct_jobs_wait = static_cast<bool>(adopt);
  options.say = [](const std::string& line) { std::fprintf(stderr, "slurm: %s\n", line.c_str()); };
  return options;
}

std::unique_ptr<SlurmClusters> World::clusters(EventSink& sink, ClusterOfPool pools, const std::string& conf) {
  SlurmClustersOptions both;
  both.clusters = {options(std::chrono::seconds(15), "testing"), options(std::chrono::seconds(15), "testing")};
  both.clusters.back().cluster.name = "west";
  both.clusters.back().cluster.site_conf = conf;
  both.pools = std::move(pools);
  auto engine = make_slurm_clusters(std::move(both), sink);
  REQUIRE_MESSAGE(engine, (engine ? "" : engine.error().message));
  bootstraps_ = engine->get();
  return std::move(*engine);
}

std::unique_ptr<Engine> World::engine(EventSink& sink, std::chrono::milliseconds sweep, const std::string& cluster) {
  auto engine = make_slurm_engine(options(sweep, cluster), sink);
  REQUIRE_MESSAGE(engine, (engine ? "" : engine.error().message));
  bootstraps_ = engine->get();
  return std::move(*engine);
}

JobNode World::boot(const std::string& name, std::uint32_t gpus, const std::string& pool) {
  ReserveGang gang{GangId{next_}, {}, {{VmId{next_}, name.empty() ? "nd-" + std::to_string(next_) : name}}};
  gang.pool.name = pool;
  gang.pool.node_prefix = "nd-";
  gang.pool.sku.resources = {16, gpus, 4ULL << 30};
  ++next_;
  cloud_->reserve(gang, [&](const WantedVm& vm) { return bootstraps_->user_data(vm, gang.pool); });
  cloud_sink_.wait_for<GangGranted>([&](const GangGranted& granted) { return granted.gang == gang.gang; });
  return {gang.vms[0].vm, gang.vms[0].name, {}};
}

void World::kill(VmId vm) {
  REQUIRE(::kill(host::load_vm_file(home_, vm).init.pid, SIGKILL) == 0);
  cloud_sink_.wait_for<VmFailed>([&](const VmFailed& failed) { return failed.vm == vm; });
}

Job World::job(std::uint32_t id, std::vector<JobNode> nodes) const {
  Job job;
  job.id = {id};
  job.owner = owner();
  job.spec.edit().name = "test";
  job.spec.edit().work_dir = work();
  job.spec.edit().nodes = static_cast<std::uint32_t>(nodes.size());
  job.spec.edit().tasks = job.spec->nodes;
  job.spec.edit().per_node = {1, 0, 0};
  job.nodes = std::move(nodes);
  return job;
}

std::string World::slurm(const std::vector<std::string>& argv) const {
  const CommandEnd end =
      run_command(argv, {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF=" + home_.slurm() + "/slurm.conf"},
                  std::chrono::seconds(60));
  CHECK_MESSAGE(end.ok(), end.why());
  return end.out;
}

pid_t World::controller(const std::string& cluster) const {
  return std::atoi(read_file(home_.slurm(cluster) + "/slurmctld.pid").c_str());
}

LaunchPayload World::script(const std::string& text) const {
  LaunchPayload payload;
  payload.script = "#!/bin/sh\necho x >> " + work() + "/runs.$VIRGA_JOB_ID\n" + text + "\n";
  payload.environment = {"PATH=/usr/local/bin:/usr/bin:/bin"};
  return payload;
}

int World::runs(JobId job) const {
  std::istringstream text(read_file(work("runs." + std::to_string(job.value))));
  int lines = 0;
  for (std::string line; std::getline(text, line);) ++lines;
  return lines;
}

}  // namespace virga::slurm_test
