// srun outside of a job, where jobs run on real Slurm: an allocation is a job whose script does nothing but keep its
// nodes, and the step is started by Slurm's own srun, which this process becomes.
//
//   Result<SlurmHold> hold = SlurmHold::make(home);
//   submit(client, spec, hold->payload(environment, umask));
//   Result<SlurmAllocation> known = hold->wait([&] { return is_over(job); });
//   return hold->become_srun(*known, job, arguments);          // returns where that cannot be
//
// The script waits for a lock on a file that this process has, and Slurm's srun after it: whatever ends that one, the
// allocation is over. Its end is that of its steps; where no step was begun, it has failed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/options.hpp"
#include "core/job.hpp"
#include "wire/home.hpp"

namespace virga {

/// Whether jobs of this instance run on real Slurm, whose commands are on this machine.
bool runs_on_slurm(const Home& home);

/// Whether Slurm's srun is told of this option of ours. What is about the allocation it is not told.
bool is_of_slurms_step(const OptionInfo& row);

/// Of `parsed` what is for Slurm's srun, as its arguments.
std::vector<std::string> slurm_step_arguments(const ParsedOptions& parsed, const std::vector<OptionInfo>& rows);

/// An allocation as Slurm knows it.
struct SlurmAllocation {
  std::uint32_t id = 0;
  std::string conf;  ///< SLURM_CONF of the cluster that it is in
};

/// The environment that Slurm's srun reads: `ours` without what describes another job.
std::vector<std::string> slurm_step_environment(const SlurmAllocation& allocation, const Job& job, const Home& home,
                                                const std::string& bin_dir, const std::vector<std::string>& ours);

class SlurmHold {
 public:
  static Result<SlurmHold> make(const Home& home);
  SlurmHold(SlurmHold&& other) noexcept;
  SlurmHold& operator=(SlurmHold&&) = delete;
  /// Gives the allocation up, unless srun has it.
  ~SlurmHold();

  /// What keeps the nodes.
  LaunchPayload payload(std::vector<std::string> environment, std::uint32_t umask) const;

  /// What the job is in Slurm, once its script runs. Waits until then, or until `is_over` says that it never will.
  Result<SlurmAllocation> wait(const std::function<bool()>& is_over) const;

  /// Does not return if Slurm's srun could be started. `step` are slurm_step_arguments() and the command.
  Error become_srun(const SlurmAllocation& allocation, const Job& job, const std::vector<std::string>& step,
                    const std::string& bin_dir);

 private:
  SlurmHold(Home home, std::string path, int fd) : home_(std::move(home)), path_(std::move(path)), fd_(fd) {}

  Home home_;
  std::string path_;
  int fd_ = -1;
};

}  // namespace virga
