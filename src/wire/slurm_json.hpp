// Slurm 22.05's JSON (OpenAPI v0.0.38, dbv0.0.38) of jobs, nodes, partitions and accounting records: what `--json`
// prints. Every key of real Slurm is there; where Virga has nothing to say, with the value of a Slurm that was never
// told otherwise.
//
//   std::string text = slurm_jobs_json(jobs, SlurmSite{.cluster = config.cluster_name, .now = body.now});
#pragma once

#include <string>
#include <vector>

#include "core/config.hpp"
#include "core/job.hpp"
#include "wire/json_codec.hpp"
#include "wire/slurm_errors.hpp"
#include "wire/slurm_nodes.hpp"

namespace virga {

struct SlurmSite {
  std::string cluster;
  Time now;
};

/// squeue --json, and scontrol show job --json
std::string slurm_jobs_json(const std::vector<Job>& jobs, const SlurmSite& site, const SlurmRestErrors& errors = {});
/// The same in pieces: what put() and end() return, one after the other, is that text.
class SlurmJobsJson {
 public:
  explicit SlurmJobsJson(SlurmSite site, const SlurmRestErrors& errors = {});
  std::string put(const Job& job);
  std::string end();

 private:
  SlurmSite site_;
  JsonWriter writer_;
};
/// sinfo --json, and scontrol show node --json
std::string slurm_nodes_json(const std::vector<SlurmNode>& nodes, const SlurmRestErrors& errors = {});
/// scontrol show partition --json; of all partitions, or the one that is named
std::string slurm_partitions_json(const Config& config, const std::vector<SlurmNode>& nodes, std::string_view name = {},
                                  const SlurmRestErrors& errors = {});
/// sacct --json
std::string slurm_accounts_json(const std::vector<Job>& jobs, const SlurmSite& site,
                                const SlurmRestErrors& errors = {});

/// "nd-[1-4]" of the nodes that a job has or had.
std::string job_node_list(const Job& job);
/// What its nodes give it in all; for a pending job, what it asks for.
std::string job_tres_text(const Job& job);
/// The job's output or error file with its % letters filled in, absolute; "" for an allocation.
std::string job_output_path(const Job& job, bool error_file);
/// The time since its start; zero while it waits.
Duration job_run_time(const Job& job, Time now);

}  // namespace virga
