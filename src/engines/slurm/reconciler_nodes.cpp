// Nodes: when they are ready, when they fail, and how Slurm forgets them.
#include "engines/slurm/reconciler.hpp"

namespace virga::slurm {
namespace {

/// A slurmctld that was killed has forgotten the nodes of its last seconds, and they do not join again by themselves.
constexpr std::chrono::seconds k_unknown_after{20};

}  // namespace

void Reconciler::expect(const std::string& name, VmId vm) {
  expected_[name] = vm;
  booted_.insert(vm);
  wake();
}

void Reconciler::attach(VmId vm) {
  const auto [it, is_new] = nodes_.try_emplace(vm);
  if (!is_new && it->second.ready) sink_.post(VmReady{vm});
  if (is_new) it->second.seen_at = Clock::now();
  if (is_new && booted_.erase(vm) != 0) it->second.foreign = "";
  gone_.erase(vm);
  wake();
}

void Reconciler::detach(VmId vm) {
  nodes_.erase(vm);
  booted_.erase(vm);
  gone_.insert(vm);
  wake();
}

void Reconciler::look_at_nodes() {
  bool wanted = !gone_.empty() || !expected_.empty() || Clock::now() >= next_sweep_;
  for (const auto& [vm, node] : nodes_) wanted = wanted || !node.ready;
  for (const auto& [key, run] : runs_) wanted = wanted || (run.seen && run.seen->state == "NODE_FAIL");
  if (!wanted) return;
  const auto nodes = slurm_.nodes(options_.cluster.options().cluster_name);
  if (!nodes) return unreachable(nodes.error());
  if (Status shown = options_.cluster.show_nodes(*nodes); !shown) options_.say(shown.error().message);
  observe(*nodes);
  give_up_nodes(*nodes);
}

void Reconciler::observe(const std::vector<SlurmNode>& nodes) {
  const auto now = Clock::now();
  for (const SlurmNode& listed : nodes) {
    const auto it = nodes_.find(listed.vm);
    if (it == nodes_.end()) continue;
    Node& node = it->second;
    node.seen_at = now;
    node.name = listed.name;
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

/// Nodes that are gone are left in Slurm's list as down, until a node of that name comes: it remembers jobs by them.
void Reconciler::give_up_nodes(const std::vector<SlurmNode>& nodes) {
  std::vector<std::string> given_back;
  std::vector<std::string> in_the_way;
  for (const SlurmNode& node : nodes) {
    if (!node.vm) continue;
    const auto expected = expected_.find(node.name);
    const bool is_in_the_way = expected != expected_.end() && expected->second != node.vm;
    if (is_in_the_way) in_the_way.push_back(node.name);
    if (node.state != "down" && (is_in_the_way || gone_.contains(node.vm))) given_back.push_back(node.name);
  }
  if (!take(slurm_.give_up_nodes(given_back, "given back")) || !make_way(in_the_way)) return;
  gone_.clear();
  expected_.clear();
}

/// False: Slurm was not reached.
bool Reconciler::make_way(const std::vector<std::string>& names) {
  if (names.empty()) return true;
  const auto remembered = slurm_.remembered_of(names);
  if (!remembered) {
    unreachable(remembered.error());
    return false;
  }
  std::vector<std::string> handed_over;
  std::vector<std::string> deleted;
  for (const std::string& name : names) (remembered->contains(name) ? handed_over : deleted).push_back(name);
  return take(slurm_.hand_over_nodes(handed_over)) && take(slurm_.delete_nodes(deleted));
}

}  // namespace virga::slurm
