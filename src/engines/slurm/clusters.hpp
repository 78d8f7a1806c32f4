// Several clusters of Slurm as one engine: each pool says in which of them its nodes are, and a job runs where its
// nodes are, which are all of one pool.
//
//   auto engine = make_slurm_clusters({{east, west}, {{"nd", ""}, {"wd", "west"}}, say}, sink);
//   engine->take_pools({{"late", "west"}});        // pools that the configuration has got since
//
// Each cluster is an engine of its own (slurm_engine.hpp), with a folder, daemons, a ledger and a thread: one whose
// slurmctld hangs or is away keeps nobody else waiting.
//
// Whose a node is: of the cluster whose bootstrap it was given. That is written into the folder of the cluster before
// the cloud has the bootstrap (file `nodes/NAME`, the VM's number), so that a controller that comes back sends nobody
// elsewhere, whatever its configuration says now. A node of which nothing is written is the first cluster's. As long as
// a pool has nodes, further ones of it go where those are, so that no gang lies in two clusters: a pool that is told to
// go elsewhere goes once it is empty.
//
// Whose a job is: of the cluster that was told of it, whose ledger has it, or that its nodes are in, in this order.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engines/slurm/slurm_engine.hpp"

namespace virga {

/// The cluster of each pool by its name, ClusterOptions::name.
using ClusterOfPool = std::map<std::string, std::string>;

class SlurmClusters : public Engine {
 public:
  /// Pools that are not known yet; what others say holds from the next start on.
  virtual void take_pools(const ClusterOfPool& pools) = 0;
  /// ClusterOptions::slurm_name() of where its nodes are, or will be; "" where there is one cluster only.
  virtual std::string cluster_of(const std::string& pool) const = 0;
};

struct ClusterMember {
  std::string name;       ///< ClusterOptions::name
  std::string told_name;  ///< ClusterOptions::slurm_name()
  std::string folder;     ///< ClusterOptions::folder()
  std::unique_ptr<Engine> engine;
};

/// Over engines that are there; the first one's name is "".
std::unique_ptr<SlurmClusters> route_clusters(std::vector<ClusterMember> clusters, ClusterOfPool pools,
                                              std::function<void(const std::string&)> say);

struct SlurmClustersOptions {
  std::vector<SlurmEngineOptions> clusters;  ///< the first has no name; all have one home
  ClusterOfPool pools;                       ///< one that is not there is the first cluster's
  std::function<void(const std::string&)> say = [](const std::string&) {};
};

/// A cluster of an earlier start that is not wanted any more is ended if it has no nodes; else this fails.
Result<std::unique_ptr<SlurmClusters>> make_slurm_clusters(SlurmClustersOptions options, EventSink& sink);

}  // namespace virga
