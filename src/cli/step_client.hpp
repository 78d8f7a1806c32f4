// The streaming half of srun: starts a step's tasks on their nodes, carries input, output and signals, returns the
// exit code. It talks to the nodes' agents directly, so a running step does not depend on virgad.
//
//   StepRequest request{.home = home, .job = job, .step = 0, .argv = {"hostname"}, .environment = …, .tasks = 4};
//   Result<StepOutcome> outcome = run_step(request);       // blocks until no process of the step is left
//   return outcome ? outcome->exit_code : 1;
//
//   auto hold = AllocationHold::attach(home, job);          // srun outside a job: JobKind::allocation
//   … run_step() …
//   hold->done(outcome->exit);                              // without it the allocation ends as failed
//
// While run_step() runs it handles this process's signals: SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM
// and SIGCONT go to all tasks. At a terminal the first ^C only tells how the tasks are, as in Slurm; a second one
// within a second is sent. After SIGTERM the tasks have 30 s; a second SIGTERM kills them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/job.hpp"
#include "wire/home.hpp"
#include "wire/slurm_env.hpp"
#include "wire/step_protocol.hpp"

namespace virga {

struct StepOptions {
  std::string input;   ///< "" or "all": our standard input, for every task; "none"; or a file
  std::string output;  ///< "" or "all": our standard output; "none"; or a file name with % letters
  std::string error;   ///< the same; "" with a file as `output`: that file
  bool append_output = false;
  bool label = false;
  bool unbuffered = false;  ///< else output of several tasks is mixed line by line only
  bool kill_on_bad_exit = false;
  std::uint32_t wait_seconds = 0;  ///< after the first task ended the others have so long; 0: no limit
  bool quiet = false;              ///< no messages about tasks that failed
  std::uint32_t tasks_per_node = 0;
  std::uint32_t cpus_per_task = 0;
  TaskDistribution distribution = TaskDistribution::block;
  std::string distribution_text = {};  ///< for SLURM_DISTRIBUTION
  std::uint32_t plane_size = 0;        ///< of TaskDistribution::plane
  std::string task_prolog = {};        ///< run before each task; "": none
  std::string task_epilog = {};        ///< run after each task
  TaskBinding binding = {};            ///< "cores" and the like are worked out (step_binding.hpp)
  std::uint32_t input_task = k_all_tasks;
  bool pty = false;  ///< our standard input is a terminal, and task 0 gets one of its own
  std::uint32_t umask = 022;
};

struct StepRequest {
  Home home;
  std::string cluster_name;
  std::string bin_dir;
  Job job;  ///< with its nodes; running
  std::uint32_t step = 0;
  std::vector<std::string> argv;
  std::vector<std::vector<std::string>> programs = {};  ///< --multi-prog: one for each task, instead of argv
  std::vector<std::string> environment;
  std::string work_dir;
  std::vector<std::string> nodes;  ///< names; empty: all of the job's. More than tasks: the first ones are taken
  std::uint32_t tasks = 1;
  std::vector<std::string> task_nodes = {};  ///< TaskDistribution::arbitrary: the node of each task
  StepOptions options;

  /// What the environment of its tasks says about the cluster.
  EnvironmentSite site() const;
};

struct StepOutcome {
  int exit_code = 0;  ///< the highest of all tasks; 128 + n for one that signal n ended
  ExitStatus exit;    ///< of that task
  Usage usage;
};

/// An error means that the step could not be started (nothing of it runs then).
Result<StepOutcome> run_step(const StepRequest& request);

/// Keeps an allocation (JobKind::allocation) for as long as this object lives.
class AllocationHold {
 public:
  /// `job` must be running; Code::conflict if somebody holds it already or it is ending.
  static Result<AllocationHold> attach(const Home& home, const Job& job);
  AllocationHold(AllocationHold&&) noexcept;
  AllocationHold& operator=(AllocationHold&&) noexcept;
  ~AllocationHold();

  /// Readable once the allocation was taken away (scancel, time limit, node failure).
  int fd() const;
  bool revoked();
  /// Ends the allocation with this status.
  void done(ExitStatus exit);

 private:
  struct Inside;
  explicit AllocationHold(std::unique_ptr<Inside> inside);
  std::unique_ptr<Inside> inside_;
};

}  // namespace virga
