// The Slurm cluster of an instance: one that Virga raises where there is none (MUNGE and slurmctld on this machine), or
// one that exists, of which a partition is Virga's. Nodes join by themselves (bootstrap.hpp).
//
//   Result<Cluster> cluster = Cluster::prepare({home, "virga", "/usr/lib/virga/virga-node", "10.77.250.1", "virga"});
//   cluster->keep();               // both daemons run; started if they do not
//   stop_clusters(home);           // when the last node is gone
//
// The daemons do not depend on this process. What they need lies in Home::slurm(name):
//   slurm.conf   for this machine           node.conf   the same for the nodes, which find the controller elsewhere
//   job.conf     the same for commands inside jobs (conf.hpp)
//   munge.key, munge.sock                   hook, prolog   programs that Slurm runs (hook_main.hpp)
//   state, log, spool, jobs (ledger.hpp), nodes (clusters.hpp), usage (accounts.hpp), holds (for srun outside of jobs),
//   poke.sock
// Of a cluster that exists nothing is changed or started: its administrator has given Virga a partition of dynamic
// nodes (docs/slurm.md), and may let EpilogSlurmctld run our hook. Its slurm.conf is where he keeps it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engines/slurm/database.hpp"
#include "engines/slurm/listing.hpp"
#include "wire/home.hpp"

namespace virga::slurm {

struct ClusterOptions {
  Home home;
  std::string cluster_name;  ///< Virga's, in the marks of its jobs and nodes
  std::string node_program;  ///< path of virga-node
  std::string node_address;  ///< of this machine, as the nodes reach it
  std::string partition = "virga";
  std::string site_conf = {};     ///< slurm.conf of a cluster that exists; empty: one is raised
  bool accounting = false;        ///< in a cluster that is raised: with slurmdbd (database.hpp)
  bool direct_jobs_wait = false;  ///< in a cluster that is raised: what comes past Virga is not begun
  std::string name = {};          ///< of several clusters of an instance; empty: the first one

  std::string folder() const { return home.slurm(name); }
  /// Slurm's ClusterName of one that is raised.
  const std::string& slurm_name() const { return name.empty() ? cluster_name : name; }
};

/// What this machine has of Slurm: "22.05.8", or why it cannot be used.
Result<std::string> find_slurm();
/// Whether it is a version that this adapter was proven with.
bool is_proven(const std::string& version);

class Cluster {
 public:
  /// Makes the folder and its files, and looks whether an existing cluster has the partition. Nothing is started.
  static Result<Cluster> prepare(ClusterOptions options);

  /// Starts what does not run, and waits a moment until the controller answers.
  Status keep();

  const ClusterOptions& options() const { return options_; }
  std::string file(const std::string& name) const { return options_.folder() + "/" + name; }
  /// For srun inside jobs: job.conf, written anew if it changes.
  Status show_nodes(const std::vector<SlurmNode>& nodes) const;
  /// Whether slurmctld knows the generic resource "gpu": one of ours does, a site's if its GresTypes says so.
  bool counts_gpus() const { return counts_gpus_; }
  /// Whether Slurm has accounts of its own to be asked for usage and steps.
  bool keeps_accounts() const { return database_.has_value() || keeps_accounts_; }
  /// Of a cluster that is raised with accounts.
  const std::optional<Database>& database() const { return database_; }
  /// Of Slurm's commands on this machine.
  std::vector<std::string> environment() const;

 private:
  explicit Cluster(ClusterOptions options) : options_(std::move(options)) {}
  Status make_own_files();
  Status make_files_for_site();
  Status start_munge() const;
  Status start_controller() const;

  ClusterOptions options_;
  std::optional<Database> database_;
  bool counts_gpus_ = true;
  bool keeps_accounts_ = false;  ///< of a cluster that exists
  bool is_changed_ = false;      ///< slurm.conf is another one than before
};

/// Of a cluster that is raised in `folder`, or exists: whether its slurmctld answers, and what is to be said of it.
struct ClusterSight {
  bool ok = false;
  std::string text;
};
ClusterSight look_at_cluster(const std::string& folder, const std::string& site_conf);

/// The names of clusters that have a folder there, beside the first one's.
std::vector<std::string> named_clusters(const Home& home);

/// Ends the daemons of a cluster and removes its folder. Nothing to do where there is none.
void stop_cluster(const std::string& folder);
/// Of all of the instance.
void stop_clusters(const Home& home);

}  // namespace virga::slurm
