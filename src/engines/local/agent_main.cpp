// Arguments of `virga-node agent`.
#include "engines/local/agent_main.hpp"

#include <fcntl.h>
#include <getopt.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "engines/local/agent.hpp"
#include "wire/host_tmp.hpp"

namespace virga {
namespace {

int usage_error(const char* what) {
  std::fprintf(stderr,
               "virga-node agent: %s\nusage: virga-node agent --home DIR --vm ID --name NODE [--cluster NAME] "
               "[--bin-dir DIR] [--own-files] [--health-size SKU [--health-tools DIR]]\n",
               what);
  return 2;
}

/// They must be something, or a socket of ours would become a job's standard output.
void fill_standard_descriptors() {
  for (int fd = 0; fd <= 2;) {
    fd = open("/dev/null", O_RDWR);
    if (fd < 0 || fd > 2) {
      close(fd);
      break;
    }
  }
}

/// 0, or the exit code of a mistake that was told.
int read_arguments(int argc, char** argv, AgentSettings& settings) {
  static const option k_options[] = {{"home", required_argument, nullptr, 'h'},
                                     {"vm", required_argument, nullptr, 'v'},
                                     {"name", required_argument, nullptr, 'n'},
                                     {"cluster", required_argument, nullptr, 'c'},
                                     {"bin-dir", required_argument, nullptr, 'b'},
                                     {"own-files", no_argument, nullptr, 'o'},
                                     {"health-size", required_argument, nullptr, 's'},
                                     {"health-tools", required_argument, nullptr, 't'},
                                     {nullptr, 0, nullptr, 0}};
  std::string health_tools;
  optind = 1;
  for (int option; (option = getopt_long(argc, argv, "", k_options, nullptr)) != -1;) {
    switch (option) {
      case 'h':
        settings.home.path = optarg;
        break;
      case 'v': {
        const char* end = optarg + std::strlen(optarg);
        auto [rest, error] = std::from_chars(optarg, end, settings.vm.value);
        if (error != std::errc() || rest != end) return usage_error("--vm wants a number");
        break;
      }
      case 'n':
        settings.node_name = optarg;
        break;
      case 'c':
        settings.cluster_name = optarg;
        break;
      case 'b':
        settings.bin_dir = optarg;
        break;
      case 'o':
        settings.own_files = true;
        break;
      case 's': {
        const HealthLimits* limits = find_health_limits(optarg);
        if (limits == nullptr) return usage_error("--health-size: nothing is known of the health of this size");
        settings.health = HealthSettings{*limits, {}};
        break;
      }
      case 't':
        health_tools = optarg;
        break;
      default:
        return usage_error("unknown option");
    }
  }
  if (!settings.home.path.starts_with("/") || !settings.vm || settings.node_name.empty()) {
    return usage_error("--home (absolute), --vm and --name are needed");
  }
  if (settings.health && !health_tools.empty()) {
    // A folder that cannot be brought in shows as tools that are not there.
    (void)expose_from_host_tmp(health_tools);
    settings.health->tools = health_tools;
  }
  settings.checkpoints = settings.home.checkpoints();
  return 0;
}

}  // namespace

int virga_node_agent_main(int argc, char** argv) {
  AgentSettings settings;
  settings.cluster_name = "virga";
  if (const int mistake = read_arguments(argc, argv, settings); mistake != 0) return mistake;
  if (const char* url = std::getenv("VIRGA_IMDS"); url != nullptr && *url != '\0') {
    auto service = MetadataClient::at(url);
    if (!service) return usage_error(("VIRGA_IMDS: " + service.error().message).c_str());
    settings.metadata = std::move(*service);
  }
  fill_standard_descriptors();
  umask(022);
  Agent agent(std::move(settings));
  if (Status ok = agent.listen(); !ok) {
    std::fprintf(stderr, "virga-node agent: %s\n", ok.error().message.c_str());
    return 1;
  }
  agent.run();
  return 0;
}

}  // namespace virga
