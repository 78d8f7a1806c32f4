#include "cli/step_hosts.hpp"

#include <algorithm>
#include <fstream>

#include "cli/step_distribution.hpp"
#include "wire/hostlist.hpp"

namespace virga {
namespace {

Result<std::vector<std::string>> read_hosts(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    const std::string shown = path.find('/') == path.npos ? "./" + path : path;
    return fail(Code::invalid, "slurm_allocate_resources error opening file " + shown +
                                   ", No such file or directory\nFailure getting NodeNames from hostfile");
  }
  std::vector<std::string> names;
  for (std::string line; std::getline(file, line);) {
    line = line.substr(0, line.find('#'));
    std::erase_if(line, [](char c) { return c == ' ' || c == '\t' || c == '\r'; });
    if (line.empty()) continue;
    Result<std::vector<std::string>> some = expand_hostlist(line);
    if (!some) return unexpected(some.error());
    names.insert(names.end(), some->begin(), some->end());
  }
  return names;
}

}  // namespace

Result<std::vector<std::string>> take_task_nodes(JobOptions& options, std::optional<std::uint32_t> tasks_given,
                                                 const char* host_file) {
  const bool has_file = host_file != nullptr && *host_file != '\0';
  if (options.distribution.empty() && has_file) options.distribution = "arbitrary";
  const Result<Distribution> wanted = parse_distribution(options.distribution, "1");
  if (!wanted || wanted->kind != TaskDistribution::arbitrary) return std::vector<std::string>();
  std::vector<std::string> names = options.node_list;
  if (names.empty() && has_file) {
    Result<std::vector<std::string>> read = read_hosts(host_file);
    if (!read) return read;
    names = std::move(*read);
  }
  if (names.empty()) return fail(Code::invalid, "invalid number of tasks (-n 0)");
  if (tasks_given && *tasks_given > names.size()) {
    return fail(Code::invalid, "Too few NodeNames in Slurm Hostfile\nFailure getting NodeNames from hostfile");
  }
  if (tasks_given) names.resize(*tasks_given);
  options.node_list = names;
  std::sort(options.node_list.begin(), options.node_list.end());
  options.node_list.erase(std::unique(options.node_list.begin(), options.node_list.end()), options.node_list.end());
  options.nodes = static_cast<std::uint32_t>(options.node_list.size());
  options.tasks = static_cast<std::uint32_t>(names.size());
  return names;
}

}  // namespace virga
