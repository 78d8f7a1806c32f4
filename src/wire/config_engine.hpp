// [engine] of virga.toml: who runs the jobs, and with slurm in which cluster those of a pool. No part of what the brain
// knows, so it is read apart from the Config.
//
//   Result<EngineSettings> engine = parse_engine_settings(text, "virga.toml");
//   engine->clusters[0];               // [engine] itself: the cluster of pools that name none
//   engine->cluster_of("nd")->name;    // of [pool.nd]: "west", for slurm_cluster = "west"
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace virga {

enum class EngineKind : std::uint8_t {
  local,  ///< Virga's own agents on nodes of this machine
  slurm,  ///< real Slurm
};
template <>
struct EnumNames<EngineKind> {
  static constexpr std::string_view names[] = {"local", "slurm"};
};

/// What is done about jobs that somebody gives to the batch system itself, past Virga.
enum class ForeignJobs : std::uint8_t {
  leave,  ///< they are seen, and nothing is done to them; where one is, Virga puts no job
  adopt,  ///< those that wait become jobs of Virga's queue
};
template <>
struct EnumNames<ForeignJobs> {
  static constexpr std::string_view names[] = {"leave", "adopt"};
};

/// [engine], or [engine.cluster.NAME]. None takes anything from another one.
struct SlurmClusterSettings {
  std::string name;                        ///< and Slurm's ClusterName; empty: of [engine], called as Virga's cluster
  std::string conf;                        ///< slurm.conf of a cluster that exists; empty: one is raised
  std::string partition = "virga";         ///< Virga's in that cluster
  std::string address;                     ///< where nodes reach this machine; empty: on the host cloud's fabric
  bool accounting = false;                 ///< the cluster that is raised has slurmdbd
  Duration sweep = Duration::seconds(15);  ///< how often it is looked at though it has told nothing
  ForeignJobs foreign_jobs = ForeignJobs::leave;
};

struct EngineSettings {
  EngineKind kind = EngineKind::local;
  // Of slurm:
  std::vector<SlurmClusterSettings> clusters = {{}};    ///< that of [engine] first
  std::map<std::string, std::string> slurm_cluster_of;  ///< by pool, where it names one

  bool has_several_clusters() const { return clusters.size() > 1; }
  const SlurmClusterSettings& cluster_of(const std::string& pool) const;
};

Result<EngineSettings> parse_engine_settings(std::string_view text, const std::string& file_name);

}  // namespace virga
