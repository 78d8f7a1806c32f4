// Slurm's names of output files: "%x-%4j.out" becomes "train-0042.out".
//
//   OutputNames names = output_names_of(job);
//   expand_output_pattern("%x-%4j.out", names);
//
// %% a percent sign, %j the job's number, %A that of its array (else the job's), %J "job.step" inside a step, %a the
// array index (4294967294: none), %x the job's name, %u the user, %N the node, %n the node's number in the job, %s the
// step, %t the task. A number between % and the letter pads numbers with zeros. Unknown letters stay as they are. A
// backslash anywhere switches all of this off and is itself dropped. All as in Slurm 22.05.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/job.hpp"

namespace virga {

struct OutputNames {
  std::uint32_t job = 0;
  std::string job_name;
  std::string user;
  std::string node;
  std::uint32_t node_index = 0;
  std::optional<std::uint32_t> step;  ///< none: the batch script
  std::uint32_t task = 0;
  std::uint32_t array_job = 0;  ///< 0: no task of an array
  std::uint32_t array_task = 0;
};

/// The names of a job's batch script on its first node.
OutputNames output_names_of(const Job& job);
/// Without a pattern of one's own: slurm-%j.out, of an array's task slurm-%A_%a.out.
std::string_view default_output_pattern(const Job& job);

std::string expand_output_pattern(std::string_view pattern, const OutputNames& names);
/// True if each task or node of a step gets a file of its own (%t %N %n).
bool output_pattern_is_per_task(std::string_view pattern);

}  // namespace virga
