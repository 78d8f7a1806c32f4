// --propagate: the limits of the submitting process, for the job's.
//
// They travel as Slurm lets them travel, in variables SLURM_RLIMIT_NOFILE and so on, which whoever starts the job takes
// out of its environment again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace virga {

/// "ALL", "NONE", or names such as "NOFILE,CORE", also with RLIMIT_ in front.
Status check_limit_names(std::string_view names);
/// NAME=value of the soft limits that `names` propagate.
std::vector<std::string> limit_variables(std::string_view names);

}  // namespace virga
