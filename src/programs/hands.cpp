#include "programs/hands.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>

#include "clouds/azure/azure_cloud.hpp"
#include "clouds/host/host_cloud.hpp"
#include "engines/local/local_engine.hpp"
#include "engines/slurm/clusters.hpp"
#include "wire/machine_paths.hpp"
#include "wire/node_board.hpp"
#include "wire/words.hpp"

namespace virga {

namespace {

std::string folder_of_this_program() {
  char path[4096];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  std::string all(path, n > 0 ? static_cast<std::size_t>(n) : 0);
  return all.substr(0, all.rfind('/'));
}

/// Its settings are those of the start: another subscription or region is another cloud.
std::unique_ptr<Cloud> open_azure(const Home& home, const std::string& node_program, const AzureSettings& settings,
                                  EventSink& sink) {
  const auto board = std::make_shared<NodeBoard>(home.board());
  std::error_code ignored;  // told by the first use
  std::filesystem::create_directories(home.board(),
                                      ignored);  // nodes with private files keep it, so it has to be there
  AzureOptions options;
  options.settings = settings;
  const std::string bin_dir = node_program.substr(0, node_program.rfind('/'));
  options.join_script = "#!/bin/sh\n" + machine_path_line(home.run()) + machine_path_line(home.board()) +
                        machine_path_line(bin_dir) + "exec " + shell_quoted(node_program) + " join --board " +
                        shell_quoted(home.board()) + "\n";
  options.publish = [board](const auto& machines) { return board->put(machines); };
  options.withdraw = [board, home](VmId vm) {
    board->remove(vm);
    unlink(home.agent_socket(vm).c_str());  // the agent had no time to do it
  };
  options.say = [](const std::string& line) { std::fprintf(stderr, "virgad: azure: %s\n", line.c_str()); };
  return make_azure_cloud(std::move(options), sink);
}

/// What a cluster of Slurm has to say, by its name if there are several.
std::function<void(const std::string&)> sayer(const std::string& cluster) {
  return [speaker = cluster.empty() ? "slurm" : "slurm " + cluster](const std::string& line) {
    std::fprintf(stderr, "virgad: %s: %s\n", speaker.c_str(), line.c_str());
  };
}

SlurmEngineOptions slurm_options(const Home& home, const std::string& bin_dir, const Settings& settings,
                                 const SlurmClusterSettings& cluster, Controller& controller) {
  SlurmEngineOptions options;
  options.cluster.home = home;
  options.cluster.name = cluster.name;
  options.cluster.cluster_name = settings.config.cluster_name;
  options.cluster.node_program = bin_dir + "/virga-node";
  options.cluster.node_address = cluster.address.empty() ? host_address_on_fabric(home) : cluster.address;
  options.cluster.partition = cluster.partition;
  options.cluster.site_conf = cluster.conf;
  options.cluster.accounting = cluster.accounting;
  options.bin_dir = bin_dir;
  options.sweep = std::chrono::milliseconds(cluster.sweep.ns / 1'000'000);
  options.say = sayer(settings.engine.has_several_clusters() ? options.cluster.slurm_name() : "");
  if (cluster.foreign_jobs == ForeignJobs::adopt) {
    options.cluster.direct_jobs_wait = true;
    options.adopt = [&controller](JobSubmitted job, LaunchPayload payload, auto done) {
      controller.request(
          std::move(job), std::move(payload),
          [done = std::move(done)](Result<std::uint64_t> answer, const Brain&) { done(std::move(answer)); });
    };
  }
  return options;
}

/// As with Azure, the settings are those of the start.
Result<std::unique_ptr<SlurmClusters>> open_slurm(const Home& home, const std::string& bin_dir,
                                                  const Settings& settings, Controller& controller) {
  SlurmClustersOptions options;
  for (const SlurmClusterSettings& cluster : settings.engine.clusters) {
    options.clusters.push_back(slurm_options(home, bin_dir, settings, cluster, controller));
  }
  options.pools = settings.engine.slurm_cluster_of;
  options.say = sayer("");
  return make_slurm_clusters(std::move(options), controller);
}

std::unique_ptr<Engine> open_local(const Home& home, const std::string& bin_dir, const Config& config,
                                   const StorageList& storage, EventSink& sink) {
  LocalEngineOptions options;
  options.home = home;
  options.node_program = bin_dir + "/virga-node";
  options.cluster_name = config.cluster_name;
  options.bin_dir = bin_dir;
  options.storage = [&storage] { return storage.get(); };
  return make_local_engine(std::move(options), sink);
}

}  // namespace

Result<std::unique_ptr<Hands>> Hands::open(Controller& controller, const Home& home, const Settings& settings) {
  auto hands = std::make_unique<Hands>(controller);
  const Config& config = settings.config;
  const std::string bin_dir = folder_of_this_program();
  const std::string node_program = bin_dir + "/virga-node";
  const bool with_slurm = settings.engine.kind == EngineKind::slurm;
  HostCloudOptions host{home, node_program, config.cluster_name};
  const auto& slurm = settings.engine.clusters;
  host.machine_on_fabric =
      with_slurm && std::any_of(slurm.begin(), slurm.end(), [](const auto& one) { return one.address.empty(); });
  hands->clouds.add("host", make_host_cloud(std::move(host), hands->clouds));
  if (settings.azure) hands->clouds.add("azure", open_azure(home, node_program, *settings.azure, hands->clouds));
  hands->storage.set(config.storage);
  hands->started_with = settings.engine;
  if (with_slurm) {
    auto opened = open_slurm(home, bin_dir, settings, controller);
    if (!opened) return unexpected(opened.error());
    hands->slurm = opened->get();
    hands->engine = *std::move(opened);
  } else {
    hands->engine = open_local(home, bin_dir, config, hands->storage, controller);
  }
  controller.listen([made = hands.get()](Seq, const Event& event) {
    if (const auto* changed = std::get_if<ConfigChanged>(&event.body)) made->storage.set(changed->config.storage);
  });
  return hands;
}

Status Hands::check_pools(const EngineSettings& wanted) const {
  if (slurm == nullptr) return {};
  for (const auto& entry : wanted.slurm_cluster_of) {
    const std::string& cluster = entry.second;  // clang 14 cannot capture a structured binding
    const auto& known = started_with.clusters;
    if (std::any_of(known.begin(), known.end(), [&](const auto& one) { return one.name == cluster; })) continue;
    return fail(Code::conflict, "pool." + entry.first + ".slurm_cluster: virgad was started without the cluster " +
                                    cluster + "; start it again");
  }
  return {};
}

void Hands::take_pools(const EngineSettings& wanted) {
  if (slurm != nullptr) slurm->take_pools(wanted.slurm_cluster_of);
}

std::string Hands::cluster_of(const std::string& pool) const { return slurm == nullptr ? "" : slurm->cluster_of(pool); }

}  // namespace virga
