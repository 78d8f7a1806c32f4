// `srun --multi-prog FILE`: which command each task of a step runs, as a file says it.
//
//   # of tasks 0 to 3              a line: task numbers, a program, its arguments
//   0      ./server --port 7
//   1-2,4  ./client %t %o          %t: the task's number, %o: its place among the tasks of this line
//   *      ./idle                  all others; the last line
//
// Single quotes keep all but themselves, a backslash keeps the next character or, at the end of a line, joins the next
// one. Texts of errors are Slurm 22.05's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace virga {

/// The command of each task. `name` is the file's, for messages; `more` follows the arguments of every line.
Result<std::vector<std::vector<std::string>>> parse_step_programs(std::string_view text, const std::string& name,
                                                                  std::uint32_t tasks,
                                                                  const std::vector<std::string>& more);
/// The same of a file; an error's message has one line for each that srun prints.
Result<std::vector<std::vector<std::string>>> read_step_programs(const std::string& path, std::uint32_t tasks,
                                                                 const std::vector<std::string>& more);

}  // namespace virga
