// Slurm's names of output files: "%x-%4j.out" becomes "train-0042.out".
//
//   OutputNames names{.job = 42, .job_name = "train", .user = "ada", .node = "nd-1"};
//   expand_output_pattern("%x-%4j.out", names);
//
// %% a percent sign, %j %A the job's number, %J "job.step" inside a step, %a the array index (4294967294: none),
// %x the job's name, %u the user, %N the node, %n the node's number in the job, %s the step, %t the task. A number
// between % and the letter pads numbers with zeros. Unknown letters stay as they are. A backslash anywhere switches
// all of this off and is itself dropped. All as in Slurm 22.05.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace virga {

struct OutputNames {
  std::uint32_t job = 0;
  std::string job_name;
  std::string user;
  std::string node;
  std::uint32_t node_index = 0;
  std::optional<std::uint32_t> step;  ///< none: the batch script
  std::uint32_t task = 0;
};

std::string expand_output_pattern(std::string_view pattern, const OutputNames& names);
/// True if each task or node of a step gets a file of its own (%t %N %n).
bool output_pattern_is_per_task(std::string_view pattern);

}  // namespace virga
