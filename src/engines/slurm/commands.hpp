// Slurm's commands, as far as the engine needs them, with their failures told apart. Each blocks for some milliseconds,
// or as long as Slurm takes to give up: not on the control thread.
//
//   Commands slurm(cluster.environment());
//   Result<std::uint32_t> id = slurm.submit(submission, arguments);   // held
//   slurm.release({*id});
//
// An error with `retryable` is one of the way to slurmctld, and nothing is known of what it did; any other is its
// answer.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engines/slurm/batch_script.hpp"
#include "engines/slurm/listing.hpp"

namespace virga::slurm {

class Commands {
 public:
  /// `environment` has SLURM_CONF; `scratch` is a folder for the script while sbatch reads it.
  Commands(std::vector<std::string> environment, std::string scratch)
      : environment_(std::move(environment)), scratch_(std::move(scratch)) {}

  /// The id of the job that now waits, held, in Slurm.
  Result<std::uint32_t> submit(const Submission& submission, const std::vector<std::string>& arguments) const;
  Status release(const std::vector<std::uint32_t>& jobs) const;
  /// Ends it whatever it does: SIGTERM, and SIGKILL after Slurm's KillWait; one that waits never starts.
  Status cancel(std::uint32_t job) const;
  /// The same, unless it has begun.
  Status cancel_pending(std::uint32_t job) const;
  /// Writes an AdminComment, which only administrators can, and perhaps keeps the job from beginning.
  enum class Hold : std::uint8_t { unchanged, yes };
  Status note(std::uint32_t job, const std::string& text, Hold hold) const;
  /// One job, in columns of the caller's.
  Result<std::string> describe(std::uint32_t job, const std::string& columns) const;
  Result<std::string> script_of(std::uint32_t job) const;
  /// Whether what it asks for of memory is for each CPU and not for each node.
  Result<bool> counts_memory_per_cpu(std::uint32_t job) const;
  /// Where slurmctld keeps what it knows.
  Result<std::string> state_folder() const;
  enum class Whom : std::uint8_t { steps, batch_shell, everything };
  Status signal(std::uint32_t job, std::uint32_t signal, Whom whom) const;

  /// All jobs that Slurm knows, those that ended lately included.
  Result<std::vector<SlurmJob>> jobs() const;
  /// Those with these ids. What Slurm does not know is missing.
  Result<std::vector<SlurmJob>> jobs(const std::vector<std::uint32_t>& ids) const;
  Result<std::vector<SlurmNode>> nodes(std::string_view cluster) const;
  /// Those of the nodes on which a job is, or was lately.
  Result<std::set<std::string>> remembered_of(const std::vector<std::string>& nodes) const;

  // Each of these is one command for all nodes: a gang's are there at once, or gone at once.

  /// Takes the nodes from their jobs; what runs on others of theirs goes on.
  Status give_up_nodes(const std::vector<std::string>& names, const std::string& why) const;
  /// Only where no job is remembered of them: slurmctld 22.05 crashes when it comes to one whose node is gone.
  Status delete_nodes(const std::vector<std::string>& names) const;
  /// What is remembered of the nodes becomes other machines', which are still to come: nobody's until one's bootstrap
  /// says that it is its own (bootstrap.hpp).
  Status hand_over_nodes(const std::vector<std::string>& names) const;

 private:
  Result<std::string> run(const std::vector<std::string>& argv) const;
  Status for_nodes(const std::vector<std::string>& names, const std::vector<std::string>& verb,
                   const std::vector<std::string>& rest) const;

  std::vector<std::string> environment_;
  std::string scratch_;
};

}  // namespace virga::slurm
