#include "programs/hands.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>

#include "clouds/azure/azure_cloud.hpp"
#include "clouds/host/host_cloud.hpp"
#include "engines/local/local_engine.hpp"
#include "engines/slurm/slurm_engine.hpp"
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

/// As with Azure, the settings are those of the start.
Result<std::unique_ptr<Engine>> open_slurm(const Home& home, const std::string& bin_dir, const Settings& settings,
                                           Controller& controller) {
  SlurmEngineOptions options;
  options.cluster.home = home;
  options.cluster.cluster_name = settings.config.cluster_name;
  options.cluster.node_program = bin_dir + "/virga-node";
  const std::string& address = settings.engine.address;
  options.cluster.node_address = address.empty() ? host_address_on_fabric(home) : address;
  options.cluster.partition = settings.engine.partition;
  options.cluster.site_conf = settings.engine.conf;
  options.cluster.accounting = settings.engine.accounting;
  options.bin_dir = bin_dir;
  options.sweep = std::chrono::milliseconds(settings.engine.sweep.ns / 1'000'000);
  options.say = [](const std::string& line) { std::fprintf(stderr, "virgad: slurm: %s\n", line.c_str()); };
  if (settings.engine.foreign_jobs == ForeignJobs::adopt) {
    options.cluster.direct_jobs_wait = true;
    options.adopt = [&controller](JobSubmitted job, LaunchPayload payload, auto done) {
      controller.request(
          std::move(job), std::move(payload),
          [done = std::move(done)](Result<std::uint64_t> answer, const Brain&) { done(std::move(answer)); });
    };
  }
  return make_slurm_engine(std::move(options), controller);
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
  host.machine_on_fabric = with_slurm && settings.engine.address.empty();
  hands->clouds.add("host", make_host_cloud(std::move(host), hands->clouds));
  if (settings.azure) hands->clouds.add("azure", open_azure(home, node_program, *settings.azure, hands->clouds));
  hands->storage.set(config.storage);
  if (with_slurm) {
    auto opened = open_slurm(home, bin_dir, settings, controller);
    if (!opened) return unexpected(opened.error());
    hands->engine = *std::move(opened);
  } else {
    hands->engine = open_local(home, bin_dir, config, hands->storage, controller);
  }
  controller.listen([made = hands.get()](Seq, const Event& event) {
    if (const auto* changed = std::get_if<ConfigChanged>(&event.body)) made->storage.set(changed->config.storage);
  });
  return hands;
}

}  // namespace virga
