// What --cpu-bind and --gpu-bind ask for, as texts of srun's command line.
//
//   Result<CpuBind> wish = parse_cpu_bind("verbose,map_cpu:0,1");
//   TaskBinding binding = work_out(*wish, {.tasks = 4, .cpus_per_task = 2, .cpus = 8});
//   cpu_bind_variables(*wish, binding);                    // SLURM_CPU_BIND=verbose,map_cpu:0,1 …
//
// "cores", "threads" and "sockets" become masks here: a node has one socket, and processors are cores.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "wire/step_protocol.hpp"

namespace virga {

struct CpuBind {
  std::string type;  ///< "", "none", "rank", "map_cpu", "mask_cpu", "cores", "sockets"
  std::vector<std::string> list;
  bool verbose = false;
  bool told = false;  ///< more than "quiet" was asked for: tasks are told
};

/// Errors are Slurm's.
Result<CpuBind> parse_cpu_bind(std::string_view text);

/// What one node has for its tasks.
struct NodeShare {
  std::uint32_t tasks = 1;
  std::uint32_t cpus_per_task = 1;
  std::uint32_t cpus = 1;  ///< of the job
};
TaskBinding work_out(const CpuBind& wish, const NodeShare& share);
/// NAME=value texts for the tasks.
std::vector<std::string> cpu_bind_variables(const CpuBind& wish, const TaskBinding& binding);

/// Fills in the GPUs of `binding`.
Status parse_gpu_bind(std::string_view text, TaskBinding& binding);

}  // namespace virga
