#include "engines/slurm/clusters.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <utility>

#include "engines/slurm/ledger.hpp"
#include "wire/replace_file.hpp"

namespace virga {
namespace {

/// Which VMs were given the bootstrap of a cluster; one small file for each name of a node, so that they do not become
/// more and more.
class NodeNotes {
 public:
  explicit NodeNotes(std::string folder) : folder_(std::move(folder)) {}

  std::map<VmId, std::string> all() const {
    std::map<VmId, std::string> names;
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, none)) {
      VmId vm;
      if (std::ifstream(entry.path()) >> vm.value && vm) names[vm] = entry.path().filename().string();
    }
    return names;
  }
  Status put(const std::string& node, VmId vm) const {
    return replace_file(folder_ + "/" + node, std::to_string(vm.value) + "\n", 0600, Durable::yes);
  }
  void remove(const std::string& node) const { unlink((folder_ + "/" + node).c_str()); }

 private:
  std::string folder_;
};

/// Where nothing is told of a VM that is there.
constexpr std::size_t k_first = 0;

/// Instead of a node that the next controller would look for in another cluster.
constexpr const char* k_no_node = "#!/bin/sh\necho 'virgad could not write down where this node is' >&2\nexit 1\n";

class Router : public SlurmClusters {
 public:
  Router(std::vector<ClusterMember> clusters, ClusterOfPool pools, std::function<void(const std::string&)> say)
      : say_(std::move(say)) {
    for (ClusterMember& one : clusters) {
      clusters_.push_back({std::move(one.name), std::move(one.told_name), slurm::Ledger(one.folder + "/jobs"),
                           NodeNotes(one.folder + "/nodes"), std::move(one.engine)});
      for (auto& [vm, name] : clusters_.back().nodes.all()) vms_[vm] = {clusters_.size() - 1, name, "", false};
    }
    take_pools(pools);
  }

  void lead(std::uint64_t term) override {
    for (Member& member : clusters_) member.engine->lead(term);
  }

  void take_pools(const ClusterOfPool& pools) override {
    const std::lock_guard lock(mutex_);
    for (const auto& [pool, name] : pools) pools_.try_emplace(pool, number_of(name));
  }

  std::string cluster_of(const std::string& pool) const override {
    if (clusters_.size() < 2) return "";
    const std::lock_guard lock(mutex_);
    return clusters_[cluster_of_pool(pool)].told_name;
  }

  std::string user_data(const WantedVm& vm, const Pool& pool) override {
    const std::size_t number = cluster_for(vm, pool.name);
    if (number != k_first) {
      if (Status noted = clusters_[number].nodes.put(vm.name, vm.vm); !noted) {
        say_(noted.error().message);
        return k_no_node;
      }
    }
    return clusters_[number].engine->user_data(vm, pool);
  }
  void attach(VmId vm, const std::string& pool) override {
    std::size_t number = k_first;
    {
      const std::lock_guard lock(mutex_);
      Known& known = vms_.try_emplace(vm, Known{k_first, "", "", false}).first->second;
      known.pool = pool;
      known.lives = true;
      number = known.cluster;
    }
    clusters_[number].engine->attach(vm, pool);
  }
  /// One that nobody knows may still be in the list of any of them.
  void detach(VmId vm) override {
    std::vector<std::size_t> whose;
    {
      const std::lock_guard lock(mutex_);
      if (const auto known = vms_.find(vm); known != vms_.end()) {
        whose.push_back(known->second.cluster);
        if (!known->second.name.empty()) clusters_[known->second.cluster].nodes.remove(known->second.name);
        vms_.erase(known);
      }
    }
    if (whose.empty()) {
      for (std::size_t i = 0; i < clusters_.size(); ++i) whose.push_back(i);
    }
    for (const std::size_t number : whose) clusters_[number].engine->detach(vm);
  }

  void start(const StartJob& command, LaunchPayload payload) override {
    owner_of({command.job.id, command.job.incarnation}, command.job.nodes).start(command, std::move(payload));
  }
  void signal(const SignalJob& command) override { owner_of({command.job, command.incarnation}, {}).signal(command); }
  void end(const EndJob& command) override { owner_of({command.job, command.incarnation}, command.nodes).end(command); }
  void forget(const ForgetJob& command) override {
    const JobKey key{command.job, command.incarnation};
    owner_of(key, command.nodes).forget(command);
    const std::lock_guard lock(mutex_);
    jobs_.erase(key);
  }

 private:
  struct Member {
    std::string name;
    std::string told_name;
    slurm::Ledger ledger;
    NodeNotes nodes;
    std::unique_ptr<Engine> engine;
  };
  struct Known {
    std::size_t cluster;
    std::string name;  ///< where it is noted
    std::string pool;
    bool lives;  ///< it was attached; else it may have been refused
  };

  std::size_t number_of(const std::string& name) const {
    const auto found =
        std::find_if(clusters_.begin(), clusters_.end(), [&](const Member& member) { return member.name == name; });
    return found == clusters_.end() ? k_first : static_cast<std::size_t>(found - clusters_.begin());
  }

  std::size_t cluster_for(const WantedVm& vm, const std::string& pool) {
    const std::lock_guard lock(mutex_);
    if (const auto known = vms_.find(vm.vm); known != vms_.end()) return known->second.cluster;
    const std::size_t number = cluster_of_pool(pool);
    // What was noted of an earlier VM of this name is over.
    std::erase_if(vms_, [&](const auto& entry) { return !entry.second.lives && entry.second.name == vm.name; });
    vms_[vm.vm] = {number, vm.name, pool, false};
    return number;
  }

  /// Where its nodes are, as long as it has some.
  std::size_t cluster_of_pool(const std::string& pool) const {
    const auto neighbour = std::find_if(
        vms_.begin(), vms_.end(), [&](const auto& entry) { return entry.second.lives && entry.second.pool == pool; });
    if (neighbour != vms_.end()) return neighbour->second.cluster;
    const auto wanted = pools_.find(pool);
    return wanted == pools_.end() ? k_first : wanted->second;
  }

  std::size_t cluster_of(const SharedList<JobNode>& nodes) const {
    for (const JobNode& node : nodes) {
      if (const auto known = vms_.find(node.vm); known != vms_.end()) return known->second.cluster;
    }
    return k_first;
  }

  Engine& owner_of(const JobKey& key, const SharedList<JobNode>& nodes) {
    const std::lock_guard lock(mutex_);
    if (const auto told = jobs_.find(key); told != jobs_.end()) return *clusters_[told->second].engine;
    const auto has_it = std::find_if(clusters_.begin(), clusters_.end(),
                                     [&](const Member& member) { return member.ledger.may_have(key); });
    const auto number =
        has_it != clusters_.end() ? static_cast<std::size_t>(has_it - clusters_.begin()) : cluster_of(nodes);
    jobs_[key] = number;
    return *clusters_[number].engine;
  }

  const std::function<void(const std::string&)> say_;
  mutable std::mutex mutex_;
  std::map<std::string, std::size_t> pools_;
  std::map<VmId, Known> vms_;
  std::map<JobKey, std::size_t> jobs_;  ///< until they are forgotten
  std::vector<Member> clusters_;
};

/// A cluster that virga.toml had.
Status end_leftover(const std::string& name, const std::string& folder, const SlurmClustersOptions& options) {
  if (!NodeNotes(folder + "/nodes").all().empty()) {
    return fail(Code::invalid, "engine.cluster." + name +
                                   " is not in virga.toml any more, but has nodes; put it and its pools back, and let "
                                   "'virga down' end it, or remove " +
                                   folder + " if its nodes are gone");
  }
  options.say("the cluster " + name + " is not in virga.toml any more, and is ended");
  slurm::stop_cluster(folder);
  return {};
}

}  // namespace

std::unique_ptr<SlurmClusters> route_clusters(std::vector<ClusterMember> clusters, ClusterOfPool pools,
                                              std::function<void(const std::string&)> say) {
  return std::make_unique<Router>(std::move(clusters), std::move(pools), std::move(say));
}

Result<std::unique_ptr<SlurmClusters>> make_slurm_clusters(SlurmClustersOptions options, EventSink& sink) {
  const Home home = options.clusters.front().cluster.home;
  for (const std::string& name : slurm::named_clusters(home)) {
    const bool is_wanted = std::any_of(options.clusters.begin(), options.clusters.end(),
                                       [&](const auto& one) { return one.cluster.name == name; });
    if (is_wanted) continue;
    if (Status ended = end_leftover(name, home.slurm(name), options); !ended) return unexpected(ended.error());
  }
  std::vector<ClusterMember> members;
  for (SlurmEngineOptions& one : options.clusters) {
    one.is_one_of_several = options.clusters.size() > 1;
    ClusterMember member{one.cluster.name, one.cluster.slurm_name(), one.cluster.folder(), nullptr};
    auto engine = make_slurm_engine(std::move(one), sink);
    if (!engine) return unexpected(engine.error());
    member.engine = *std::move(engine);
    members.push_back(std::move(member));
  }
  return route_clusters(std::move(members), std::move(options.pools), std::move(options.say));
}

}  // namespace virga
