// The batch script: read, checked, and searched for #SBATCH lines. Slurm's rules and messages.
//
//   Result<std::string> script = read_batch_script("train.sbatch");     // "" reads standard input
//   Result<std::vector<std::string>> args = sbatch_lines(*script);      // {"-N", "4", "--time=10"}
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace virga {

inline constexpr std::size_t k_script_bytes_max = 64 << 20;

Result<std::string> read_batch_script(const std::string& path);
/// Nothing if it is one; else what is wrong with it.
Status check_batch_script(std::string_view script);
/// A script of one command, as --wrap makes it.
std::string wrapped_script(std::string_view command);

/// The words of all #SBATCH lines up to the first command. Quotes and backslashes as in a shell; # begins a comment.
std::vector<std::string> sbatch_lines(std::string_view script);

}  // namespace virga
