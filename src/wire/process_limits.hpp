// The limits of processes that a job takes over from its submission (sbatch --propagate), by their names.
//
//   for (const ProcessLimit& limit : process_limits()) …
//   take_limits(environment);         // in the child: sets what SLURM_RLIMIT_* ask for, and leaves these out
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace virga {

struct ProcessLimit {
  std::string_view name;  ///< "NOFILE"
  int resource = 0;       ///< RLIMIT_NOFILE
};

inline constexpr std::string_view k_limit_variable = "SLURM_RLIMIT_";

std::span<const ProcessLimit> process_limits();

struct LimitWish {
  int resource = 0;
  unsigned long long soft = 0;  ///< all bits: unlimited
};
/// Takes the variables out of `environment`, and tells what they ask for.
std::vector<LimitWish> take_limits(std::vector<std::string>& environment);
/// Sets soft limits, up to the hard ones that this process has. Safe between fork and exec.
void apply_limits(std::span<const LimitWish> wishes);

}  // namespace virga
