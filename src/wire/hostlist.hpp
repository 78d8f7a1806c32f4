// Slurm's short form of node names, both ways.
//
//   expand_hostlist("nd-[1-3,7],login");                  // nd-1 nd-2 nd-3 nd-7 login
//   compress_hostlist({"127.77.0.1", "127.77.0.2"});       // 127.77.0.[1-2]
//
// Rules, as `scontrol show hostnames` and `show hostlist` have them: several brackets multiply, the last one fastest;
// leading zeros are kept (n[08-10] is n08 n09 n10); the order of names is kept, so only neighbours are folded, and a
// name that occurs twice stays twice.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace virga {

/// Longer lists are refused: a typing error such as n[1-10000000] must not eat the memory.
inline constexpr std::size_t k_hostlist_names_max = 65'536;

Result<std::vector<std::string>> expand_hostlist(std::string_view text, std::size_t names_max = k_hostlist_names_max);
std::string compress_hostlist(const std::vector<std::string>& names);

}  // namespace virga
