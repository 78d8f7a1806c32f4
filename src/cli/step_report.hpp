// What srun says on stderr about tasks that ended badly, in Slurm's words and folded as Slurm folds them:
//
//   srun: error: nd-1: tasks 0-2: Exited with exit code 2
//   srun: error: nd-2: task 3: Segmentation fault (core dumped)
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/job.hpp"

namespace virga {

/// "task 3" or "tasks 0-2,5"
std::string describe_tasks(std::vector<std::uint32_t> tasks);
std::string describe_exit(const ExitStatus& exit, bool core_dumped);

/// Holds a message back for a moment, so that tasks of a node that end together share one line.
class StepReport {
 public:
  using Clock = std::chrono::steady_clock;

  void add(const std::string& node, std::uint32_t task, const ExitStatus& exit, bool core_dumped);
  std::optional<Clock::time_point> due() const { return due_; }
  /// The lines, without "srun: error: "; nothing is left in here.
  std::vector<std::string> take();

 private:
  struct Entry {
    std::string node;
    std::string what;
    std::vector<std::uint32_t> tasks;
  };
  std::vector<Entry> entries_;
  std::optional<Clock::time_point> due_;
};

}  // namespace virga
