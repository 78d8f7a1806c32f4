// The tools and files of this machine, as the health checks use them.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "engines/local/health_check.hpp"
#include "wire/command.hpp"

namespace virga {
namespace {

constexpr const char* k_standard_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr const char* k_azure_image_path = "/opt/nccl-tests/build:/opt/rccl-tests/build:/opt/rocm/bin";

std::vector<std::string> environment_with(const std::string& folder) {
  const char* inherited = std::getenv("PATH");
  std::string path = inherited != nullptr && *inherited != '\0' ? inherited : k_standard_path;
  if (!folder.empty()) path = folder + ":" + path;
  std::vector<std::string> environment{"PATH=" + path + ":" + k_azure_image_path, "LC_ALL=C"};
  for (const char* name : {"LD_LIBRARY_PATH", "CUDA_HOME", "NCCL_TOPO_FILE", "VIRGA_NODE_NAME", "VIRGA_VM"}) {
    if (const char* value = std::getenv(name)) environment.push_back(std::string(name) + "=" + value);
  }
  return environment;
}

ToolOutput run_tool(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                    std::chrono::milliseconds within) {
  CommandEnd end = run_command(argv, environment, within);
  switch (end.how) {
    case CommandEnd::How::not_started:
      return {ToolOutput::End::missing, 0, ""};
    case CommandEnd::How::stopped_at_limit:
      return {ToolOutput::End::timed_out, 0, ""};
    case CommandEnd::How::exited:
      break;
  }
  return {ToolOutput::End::exited, end.exit_code, std::move(end.out) + end.err};
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

HealthTools real_tools(const std::string& folder) {
  const std::string own_sys = folder + "/sys/";
  const bool has_own_sys = !folder.empty() && access(own_sys.c_str(), X_OK) == 0;
  return {.run = [environment = environment_with(folder)](const auto& argv,
                                                          auto within) { return run_tool(argv, environment, within); },
          .read = [root = has_own_sys ? own_sys : "/sys/"](const std::string& path) { return read_file(root + path); }};
}

}  // namespace virga
