#include "programs/hands.hpp"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "clouds/host/host_cloud.hpp"
#include "engines/local/local_engine.hpp"
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

}  // namespace

Hands::Hands(Controller& controller, const Home& home, const Config& config, const std::optional<AzureSettings>& azure)
    : clouds(controller) {
  const std::string bin_dir = folder_of_this_program();
  const std::string node_program = bin_dir + "/virga-node";
  clouds.add("host", make_host_cloud({home, node_program, config.cluster_name}, clouds));
  if (azure) clouds.add("azure", open_azure(home, node_program, *azure, clouds));
  storage.set(config.storage);
  controller.listen([this](Seq, const Event& event) {
    if (const auto* changed = std::get_if<ConfigChanged>(&event.body)) storage.set(changed->config.storage);
  });
  LocalEngineOptions engine_options;
  engine_options.home = home;
  engine_options.node_program = node_program;
  engine_options.cluster_name = config.cluster_name;
  engine_options.bin_dir = bin_dir;
  engine_options.storage = [this] { return storage.get(); };
  engine = make_local_engine(std::move(engine_options), controller);
}

}  // namespace virga
