#include "cli/step_layout.hpp"

#include <netdb.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace virga {
namespace {

/// The address of the node that srun runs on, for SLURM_LAUNCH_NODE_IPADDR.
std::string own_address() {
  if (const char* address = std::getenv("VIRGA_NODE_ADDRESS")) return address;
  char name[256] = "";
  gethostname(name, sizeof(name) - 1);
  addrinfo hints{};
  hints.ai_family = AF_INET;
  addrinfo* found = nullptr;
  char text[NI_MAXHOST] = "127.0.0.1";
  if (getaddrinfo(name, nullptr, &hints, &found) == 0) {
    getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), nullptr, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
  }
  return text;
}

/// A line of a host file for each task; nodes are counted in the job's order.
Status lay_out_by_names(const StepRequest& request, StepLayout& layout) {
  for (const JobNode& node : request.job.nodes) {
    std::vector<std::uint32_t> tasks;
    for (std::uint32_t task = 0; task < request.task_nodes.size(); ++task) {
      if (request.task_nodes[task] == node.name) tasks.push_back(task);
    }
    if (tasks.empty()) continue;
    layout.nodes.push_back(node.name);
    layout.tasks.push_back(std::move(tasks));
  }
  std::size_t placed = 0;
  for (const auto& tasks : layout.tasks) placed += tasks.size();
  if (placed == request.tasks) return {};
  return fail(Code::invalid, "Requested node configuration is not available");
}

void lay_out_by_counts(const StepRequest& request, StepLayout& layout) {
  layout.nodes = request.nodes;
  if (layout.nodes.empty()) {
    for (const JobNode& node : request.job.nodes) layout.nodes.push_back(node.name);
  }
  if (layout.nodes.size() > request.tasks) layout.nodes.resize(request.tasks);
  auto count = static_cast<std::uint32_t>(layout.nodes.size());
  if (layout.distribution == TaskDistribution::plane) {
    const std::uint32_t room = request.job.spec->per_node.cpus / std::max(1U, layout.cpus_per_task);
    layout.tasks = number_planes(request.tasks, count, layout.plane_size, room);
    std::erase_if(layout.tasks, [](const auto& tasks) { return tasks.empty(); });  // the last ones, if any
    layout.nodes.resize(layout.tasks.size());
    return;
  }
  const std::uint32_t per_node = request.options.tasks_per_node;
  if (per_node != 0) count = std::min(count, (request.tasks + per_node - 1) / per_node);
  layout.nodes.resize(count);
  layout.tasks = number_tasks(layout_tasks(request.tasks, count, per_node), layout.distribution);
}

}  // namespace

Result<StepLayout> lay_out_step(const StepRequest& request) {
  if (request.tasks == 0 || request.argv.empty()) return fail(Code::invalid, "a step needs a command and a task");
  StepLayout layout;
  layout.step = request.step;
  layout.cpus_per_task = request.options.cpus_per_task;
  layout.distribution = request.options.distribution;
  layout.distribution_text = request.options.distribution_text;
  layout.plane_size = request.options.plane_size;
  layout.launch_address = own_address();
  layout.label = request.options.label;
  if (request.task_nodes.empty()) {
    lay_out_by_counts(request, layout);
  } else if (Status ok = lay_out_by_names(request, layout); !ok) {
    return unexpected(ok.error());
  }
  return layout;
}

}  // namespace virga
