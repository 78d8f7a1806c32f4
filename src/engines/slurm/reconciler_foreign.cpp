// Jobs that came to Slurm past Virga: which of our nodes they are on (core/foreign.hpp), and what of ours gives way.
#include <fmt/format.h>

#include <algorithm>

#include "core/foreign.hpp"
#include "engines/slurm/reconciler.hpp"
#include "wire/hostlist.hpp"

namespace virga::slurm {
namespace {

bool is_on_nodes(const SlurmJob& job) { return job.stage != JobStage::over && !job.nodes.empty(); }

}  // namespace

void Reconciler::stir() {
  stirred_ = true;
  wake();
}

/// Where the controller is no administrator, all jobs are one user's.
bool Reconciler::is_ours(const SlurmJob& job) const {
  return (job.by_administrator || options_.site.as_user) &&
         key_of(job.comment, options_.cluster.options().cluster_name).has_value();
}

/// A comment alone makes a job ours only where it is asked for, and its owner is the one whom we gave it.
bool Reconciler::is_foreign(const SlurmJob& job) const {
  const auto key = key_of(job.comment, options_.cluster.options().cluster_name);
  if (!key) return true;
  const auto run = runs_.find(*key);
  if (run == runs_.end() || !run->second.start_asked) return !is_ours(job);
  return run->second.job.owner.uid != job.uid;
}

/// `jobs` are all that Slurm knows.
void Reconciler::note_foreign(const std::vector<SlurmJob>& jobs) {
  foreign_.clear();
  stirred_ = false;
  for (const SlurmJob& job : jobs) {
    if (!is_on_nodes(job) || !is_foreign(job)) continue;
    stirred_ = stirred_ || job.stage == JobStage::completing;  // nobody tells when it has left its nodes
    const auto names = expand_hostlist(job.nodes);
    if (!names) continue;
    for (const std::string& name : *names) foreign_[name].push_back({job.id, job.user, options_.told_name});
  }
  looked_for_foreign_ = true;
}

void Reconciler::tell_foreign() {
  if (!looked_for_foreign_) return;
  for (auto& [vm, node] : nodes_) {
    if (!node.ready || node.failed) continue;
    std::string reason;
    if (const auto there = foreign_.find(node.name); there != foreign_.end()) {
      std::sort(there->second.begin(), there->second.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
      reason = foreign_reason(there->second);
    }
    if (node.foreign == reason) continue;
    if (!reason.empty()) {
      options_.say(fmt::format("node {} takes no jobs of Virga's: {}", node.name, reason));
    } else if (node.foreign) {
      options_.say(fmt::format("node {} has no jobs any more that came past Virga", node.name));
    }
    sink_.post(NodeUpdated{engine_actor(), node.name, !reason.empty(), reason});
    node.foreign = std::move(reason);
  }
}

/// Only what the brain was told: it then sends the job elsewhere.
std::string Reconciler::occupied_node_of(const Run& run) const {
  for (const JobNode& node : run.job.nodes) {
    const auto it = nodes_.find(node.vm);
    if (it != nodes_.end() && it->second.foreign && !it->second.foreign->empty()) {
      return "node " + node.name + ": " + *it->second.foreign;
    }
  }
  return "";
}

}  // namespace virga::slurm
