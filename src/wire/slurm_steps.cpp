#include "wire/slurm_steps.hpp"

#include <algorithm>
#include <filesystem>

#include "wire/slurm_env.hpp"

namespace virga {
namespace {

constexpr std::size_t k_host_lines_max = 65'536;

std::string path_without_virga(const std::string& path, const std::string& bin_dir) {
  std::string kept;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t colon = std::min(path.find(':', at), path.size());
    const std::string one = path.substr(at, colon - at);
    if (one != bin_dir && !has_virgas_commands(one)) kept += (kept.empty() ? "" : ":") + one;
    at = colon + 1;
  }
  return kept;
}

}  // namespace

bool has_virgas_commands(const std::string& folder) {
  std::error_code not_there;
  return std::filesystem::canonical(folder + "/srun", not_there).filename() == "virga";
}

std::string path_with_slurm_first(const std::string& path, const std::string& bin_dir) {
  return path_without_virga(path, bin_dir) + ":" + bin_dir;
}

std::string host_file(const Job& job) {
  const auto counts =
      layout_tasks(job.spec->tasks, static_cast<std::uint32_t>(job.nodes.size()), job.spec->tasks_per_node);
  std::string text;
  std::size_t lines = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    for (std::uint32_t k = 0; k < counts[i]; ++k, ++lines) text += job.nodes[i].name + "\n";
  }
  const std::size_t wanted = job.nodes.size() * std::max<std::size_t>(job.spec->per_node.cpus, 1);
  for (std::size_t i = 0; lines < std::min(wanted, k_host_lines_max); ++i, ++lines) {
    text += job.nodes[i % job.nodes.size()].name + "\n";
  }
  return text;
}

}  // namespace virga
