// Nodes: when they are ready, when they fail, and how Slurm forgets them.
#include "engines/slurm/reconciler.hpp"

namespace virga::slurm {
namespace {

/// A slurmctld that was killed has forgotten the nodes of its last seconds, and they do not join again by themselves.
constexpr std::chrono::seconds k_unknown_after{20};

}  // namespace

void Reconciler::expect(const std::string& name, VmId vm) {
  expected_[name] = vm;
  wake();
}

void Reconciler::attach(VmId vm) {
  const auto [it, is_new] = nodes_.try_emplace(vm);
  if (!is_new && it->second.ready) sink_.post(VmReady{vm});
  if (is_new) it->second.seen_at = Clock::now();
  gone_.erase(vm);
  wake();
}

void Reconciler::detach(VmId vm) {
  nodes_.erase(vm);
  gone_.insert(vm);
  wake();
}

void Reconciler::look_at_nodes() {
  bool wanted = !gone_.empty() || !expected_.empty() || Clock::now() >= next_sweep_;
  for (const auto& [vm, node] : nodes_) wanted = wanted || !node.ready;
  for (const auto& [key, run] : runs_) wanted = wanted || (run.seen && run.seen->state == "NODE_FAIL");
  if (!wanted) return;
  const auto nodes = slurm_.nodes();
  if (!nodes) return unreachable(nodes.error());
  observe(*nodes);
  remove_nodes(*nodes);
}

void Reconciler::observe(const std::vector<SlurmNode>& nodes) {
  const auto now = Clock::now();
  for (const SlurmNode& listed : nodes) {
    const auto it = nodes_.find(listed.vm);
    if (it == nodes_.end()) continue;
    Node& node = it->second;
    node.seen_at = now;
    if (listed.usable && !node.ready) {
      node.ready = true;
      sink_.post(VmReady{listed.vm});
    } else if (node.ready && !node.failed && listed.state == "down") {
      node.failed = true;
      sink_.post(VmFailed{listed.vm, "Slurm has node " + listed.name + " as down: " + listed.reason});
    }
  }
  for (auto& [vm, node] : nodes_) {
    if (!node.ready || node.failed || now - node.seen_at < k_unknown_after) continue;
    node.failed = true;
    sink_.post(VmFailed{vm, "Slurm does not know the node any more"});
  }
}

/// A node is taken from its jobs first: Slurm deletes none that is in use.
void Reconciler::remove_nodes(const std::vector<SlurmNode>& nodes) {
  std::set<VmId> gone_still_there;
  std::map<std::string, VmId> expected_still;
  for (const SlurmNode& node : nodes) {
    const auto expected = expected_.find(node.name);
    const bool is_stale = expected != expected_.end() && node.vm != expected->second;
    if (!is_stale && !gone_.contains(node.vm)) continue;
    if (node.state != "down" && !take(slurm_.give_up_node(node.name, "given back"))) return;
    const Status deleted = slurm_.delete_node(node.name);
    if (!take(deleted)) return;
    if (deleted) continue;
    if (gone_.contains(node.vm)) gone_still_there.insert(node.vm);
    if (is_stale) expected_still.insert(*expected);
  }
  gone_ = std::move(gone_still_there);
  expected_ = std::move(expected_still);
}

}  // namespace virga::slurm
