// Slurm's REST interface, as slurmrestd of 22.05 offers it: which paths there are, and what their documents look like.
//
//   SlurmRestMatch match = match_slurm_rest("GET", "/slurm/v0.0.38/job/7");
//   if (match.route) switch (match.route->operation) …             // match.parameters == {"7"}
//   std::string text = match.route->codec->jobs(jobs, site, {});
//
// Each version of the interface is a codec: a table of functions that write its documents, and its row in
// slurm_rest_codecs(). A newer one takes the functions that did not change from the one before.
// Source: the OpenAPI document of Debian's slurmrestd 22.05.8 (openapi/v0.0.38, openapi/dbv0.0.38), and its answers.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.hpp"
#include "core/job.hpp"
#include "wire/slurm_errors.hpp"
#include "wire/slurm_json.hpp"
#include "wire/slurm_nodes.hpp"

namespace virga {

enum class SlurmOperation : std::uint8_t {
  ping,
  diag,
  licenses,
  jobs,
  job,
  update_job,
  cancel_job,
  submit_job,
  nodes,
  node,
  partitions,
  partition,
  reservations,
  reservation,
  accounted_jobs,
  accounted_job,
  db_config,
  tres,
  qos_list,
  qos,
  associations,
  association,
  users,
  user,
  clusters,
  cluster,
  wckeys,
  wckey,
  accounts,
  account,
  db_diag,
  change_database,  ///< any change of slurmdb: who may use what is in virga.toml
};

/// What the documents about a whole cluster say.
struct SlurmRestSite {
  SlurmSite site;
  std::string controller;  ///< host name
  std::uint32_t controller_port = 0;
  // Of diag only:
  std::uint32_t jobs_pending = 0;
  std::uint32_t jobs_running = 0;
  std::uint32_t jobs_submitted = 0;
};

struct SlurmRestAnswer {
  int status = 200;
  std::string text;
};

struct SlurmRestCodec {
  std::string_view version;  ///< "v0.0.38"
  std::string (*ping)(const SlurmRestSite&);
  std::string (*diag)(const SlurmRestSite&);
  std::string (*licenses)();
  std::string (*jobs)(const std::vector<Job>&, const SlurmSite&, const SlurmRestErrors&);
  std::string (*nodes)(const std::vector<SlurmNode>&, const SlurmRestErrors&);
  /// Of all partitions, or the one that is named.
  std::string (*partitions)(const Config&, const std::vector<SlurmNode>&, std::string_view name,
                            const SlurmRestErrors&);
  std::string (*reservations)(const Config&, const std::vector<SlurmNode>&, std::string_view name,
                              const SlurmRestErrors&);
  std::string (*accounted_jobs)(const std::vector<Job>&, const SlurmSite&, const SlurmRestErrors&);
  /// A document of slurmdb about the configuration's policy. `wanted` picks by the members "name", "account", "user",
  /// "cluster" and "partition"; empty: all.
  SlurmRestAnswer (*database)(SlurmOperation, const Config&, const std::vector<SlurmNode>&, const SlurmRestSite&,
                              const std::map<std::string, std::string>& wanted);
  /// Errors and nothing else.
  std::string (*failed)(SlurmOperation, const SlurmRestErrors&);
};

struct SlurmRestRoute {
  SlurmOperation operation;
  std::string_view method;
  std::string_view root;  ///< "slurm" or "slurmdb"
  std::string_view path;  ///< behind the version: "/job/{job_id}"
};

struct SlurmRestMatch {
  const SlurmRestRoute* route = nullptr;
  const SlurmRestCodec* codec = nullptr;
  std::vector<std::string_view> parameters;  ///< still percent-encoded
  bool known_path = false;                   ///< with another method
};
/// Is it a path of Slurm's interface at all?
bool is_slurm_rest(std::string_view path);
SlurmRestMatch match_slurm_rest(std::string_view method, std::string_view path);
std::span<const SlurmRestRoute> slurm_rest_routes();
/// The newest last.
std::span<const SlurmRestCodec> slurm_rest_codecs();

extern const SlurmRestCodec k_slurm_rest_v0_0_38;

}  // namespace virga
