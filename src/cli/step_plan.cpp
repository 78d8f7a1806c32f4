#include "cli/step_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "wire/hostlist.hpp"

namespace virga {
namespace {

/// The nodes that the step may use, in the job's order: those of --nodelist, or all from --relative on.
Result<std::vector<std::string>> usable_nodes(const Job& job, const JobOptions& o) {
  std::vector<std::string> names;
  for (const JobNode& node : job.nodes) names.push_back(node.name);
  if (!o.node_list.empty()) {
    std::string joined;
    for (const std::string& part : o.node_list) joined += (joined.empty() ? "" : ",") + part;
    Result<std::vector<std::string>> wanted = expand_hostlist(joined);
    if (!wanted) return unexpected(wanted.error());
    for (const std::string& name : *wanted) {
      if (std::count(names.begin(), names.end(), name) == 0) {
        return fail(Code::invalid, "Requested node configuration is not available");
      }
    }
    std::erase_if(names, [&](const std::string& n) { return std::count(wanted->begin(), wanted->end(), n) == 0; });
  } else if (o.relative > 0) {
    if (o.relative >= names.size()) return fail(Code::invalid, "Requested node configuration is not available");
    names.erase(names.begin(), names.begin() + o.relative);
  }
  std::erase_if(names, [&](const std::string& n) { return std::count(o.exclude.begin(), o.exclude.end(), n) != 0; });
  return names;
}

}  // namespace

Result<StepPlan> plan_step(const Job& job, const JobOptions& o) {
  Result<std::vector<std::string>> usable = usable_nodes(job, o);
  if (!usable) return unexpected(usable.error());
  StepPlan plan;
  plan.nodes = std::move(*usable);
  const auto available = static_cast<std::uint32_t>(plan.nodes.size());
  // The environment of a job names all its nodes; a node list on the command line is meant to be smaller.
  std::uint32_t nodes = o.node_list.empty() && o.relative == 0 && o.exclude.empty()
                            ? o.nodes.value_or(available)
                            : std::min(o.nodes.value_or(available), available);
  if (nodes > available) return fail(Code::refused, "More processors requested than permitted");
  plan.tasks = o.tasks.value_or(nodes * std::max(1U, o.tasks_per_node.value_or(1)));
  if (plan.tasks < nodes) {
    plan.warning =
        fmt::format("Warning: can't run {} processes on {} nodes, setting nnodes to {}", plan.tasks, nodes, plan.tasks);
    nodes = plan.tasks;
  }
  plan.nodes.resize(nodes);
  plan.tasks_per_node = o.tasks_per_node.value_or(0);
  if (plan.tasks_per_node != 0 && std::uint64_t{plan.tasks_per_node} * nodes != plan.tasks) {
    if (plan.tasks > plan.tasks_per_node) {
      plan.warning = fmt::format(
          "Warning: can't honor --ntasks-per-node set to {} which doesn't match the requested tasks {} with the number "
          "of requested nodes {}. Ignoring --ntasks-per-node.",
          plan.tasks_per_node, plan.tasks, nodes);
    }
    plan.tasks_per_node = 0;
  }
  const std::uint64_t processors = std::uint64_t{job.spec->per_node.cpus} * nodes;
  const std::uint64_t wanted = std::uint64_t{plan.tasks} * o.cpus_per_task.value_or(1);
  if (!o.overcommit && !job.spec->exclusive && processors != 0 && wanted > processors) {
    return fail(Code::refused, "More processors requested than permitted");
  }
  return plan;
}

}  // namespace virga
