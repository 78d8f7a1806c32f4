// What --distribution asks for: "block", "cyclic:block", "plane=2", "arbitrary", "block,nopack".
//
//   Result<Distribution> wanted = parse_distribution("plane=2", "");        // {plane, 2, "plane"}
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wire/slurm_env.hpp"

namespace virga {

struct Distribution {
  TaskDistribution kind = TaskDistribution::block;
  std::uint32_t plane_size = 0;
  std::string text;  ///< as SLURM_DISTRIBUTION has it; "": not asked for
};

/// `plane_size` is $SLURM_DIST_PLANESIZE: of "plane" without a size. "" is no wish.
Result<Distribution> parse_distribution(std::string_view text, std::string_view plane_size);

}  // namespace virga
