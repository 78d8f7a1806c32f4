// The environment that Slurm's users rely on: of batch scripts, and of a step's tasks. Pure functions.
//
//   auto counts = layout_tasks(job.spec->tasks, job.nodes.size(), job.spec->tasks_per_node);   // {2, 2, 2, 2}
//   compress_counts(counts);                                                                  // 2(x4)
//   auto env = batch_environment(job, payload.environment, site);
//
// Names and values are those of Slurm 22.05. What the submitter's environment says of an outer job (SLURM_JOB_ID …,
// when sbatch is run inside a job) is dropped first, so that nothing of it shines through.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/job.hpp"
#include "wire/home.hpp"

namespace virga {

/// What the environment needs to know beyond the job itself.
struct EnvironmentSite {
  Home home;
  std::string checkpoints;  ///< the folder of all jobs' checkpoints
  std::string cluster_name;
  std::string bin_dir;      ///< Virga's commands; first in PATH
  std::string submit_host;  ///< used if the submission did not name it
  // Of the job's user, for submissions that bring no environment (over HTTP):
  std::string home_dir;
  std::string shell;
};

/// NAME=value texts as a map, ordered by name. Of a name that occurs twice the first counts, as with getenv().
class Environment {
 public:
  explicit Environment(std::vector<std::string> variables);

  void set(std::string_view name, std::string_view value);
  void set_default(std::string_view name, std::string_view value);
  void erase(std::string_view name);
  bool has(std::string_view name) const { return variables_.find(name) != variables_.end(); }
  std::string value(std::string_view name) const;  ///< "" if it is not set
  std::vector<std::string> take();

 private:
  std::map<std::string, std::string, std::less<>> variables_;
};

enum class TaskDistribution : std::uint8_t { block, cyclic, plane, arbitrary };

/// How many tasks each node gets: `per_node` each if that is given, else dealt evenly, earlier nodes first.
std::vector<std::uint32_t> layout_tasks(std::uint32_t tasks, std::uint32_t nodes, std::uint32_t per_node);
/// Which tasks each node gets: block 0,1|2,3 or cyclic 0,2|1,3. Others than these two are taken for block.
std::vector<std::vector<std::uint32_t>> number_tasks(const std::vector<std::uint32_t>& counts,
                                                     TaskDistribution distribution);
/// Planes of `size` tasks dealt in turn: of 2, 0,1,4,5|2,3,6,7. No node gets more than `room` tasks while another one
/// has some; 0: no limit.
std::vector<std::vector<std::uint32_t>> number_planes(std::uint32_t tasks, std::uint32_t nodes, std::uint32_t size,
                                                      std::uint32_t room);
/// {2,2,3} is "2(x2),3"
std::string compress_counts(const std::vector<std::uint32_t>& counts);

/// What identifies the processes of one incarnation of one instance's job: the value of VIRGA_JOB.
std::string job_marker(const Home& home, JobId job, std::uint32_t incarnation);
/// Where the job keeps its checkpoints: what its environment says, else <checkpoints>/<job>.
std::string checkpoint_dir(const std::string& checkpoints, JobId job, const std::vector<std::string>& environment);

std::vector<std::string> batch_environment(const Job& job, std::vector<std::string> submitted,
                                           const EnvironmentSite& site);
/// For a client that holds an allocation: the job's variables without those of a batch script's process.
std::vector<std::string> allocation_environment(const Job& job, std::vector<std::string> submitted,
                                                const EnvironmentSite& site);

/// A step as srun laid it out.
struct StepLayout {
  std::uint32_t step = 0;
  std::vector<std::string> nodes;
  std::vector<std::vector<std::uint32_t>> tasks;  ///< task numbers by node
  std::uint32_t cpus_per_task = 0;                ///< 0: not asked for
  TaskDistribution distribution = TaskDistribution::block;
  std::string distribution_text = {};  ///< as it was asked for
  std::uint32_t plane_size = 0;
  std::string launch_address;  ///< of the node that runs srun
  bool label = false;
};

/// The environment of all tasks of one node; the agent adds what differs from task to task with task_variables().
std::vector<std::string> step_environment(const Job& job, std::vector<std::string> clients, const StepLayout& layout,
                                          std::uint32_t node_index, const EnvironmentSite& site);
std::vector<std::string> task_variables(std::uint32_t task, std::uint32_t local_index);

}  // namespace virga
