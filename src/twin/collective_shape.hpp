// A group as the formulas of collectives need it.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "twin/collective.hpp"

namespace virga {

struct CollectiveShape {
  double ranks = 1;
  double domains = 1;
  double ranks_per_domain = 1;  ///< of a full domain
  double nics = 1;              ///< of a domain's ranks together
  double depth = 0;             ///< of a binary tree over the domains

  bool one_domain() const { return domains == 1; }
};

inline CollectiveShape shape_of(const RankGroup& group) {
  const std::uint32_t per_domain = std::min(group.ranks_per_domain, group.ranks);
  const std::uint32_t domains = (group.ranks + per_domain - 1) / per_domain;
  const std::uint32_t nics = group.nics_per_domain_share == 0 ? per_domain : group.nics_per_domain_share;
  return {.ranks = double(group.ranks),
          .domains = double(domains),
          .ranks_per_domain = double(per_domain),
          .nics = double(nics),
          .depth = double(std::bit_width(domains - 1))};
}

/// The generation whose rate is nearest, for links that no generation has (GPUs with fewer links).
inline const NvlinkConstants& nvlink_of(double bytes_s) {
  const NvlinkConstants* nearest = &k_nvlinks[0];
  const auto distance = [bytes_s](const NvlinkConstants& link) { return std::abs(link.bytes_s - bytes_s); };
  for (const NvlinkConstants& link : k_nvlinks) {
    if (distance(link) < distance(*nearest)) nearest = &link;
  }
  return *nearest;
}

inline bool is_blackwell(const Net& net) { return nvlink_of(net.nvlink_bytes_s).bytes_s == k_nvlink5.bytes_s; }

/// What NCCL counts with for rings through NVLink.
inline double nccl_nvlink_rate(const Net& net) { return net.nvlink_bytes_s * nvlink_of(net.nvlink_bytes_s).nccl_share; }

/// What all NICs of a domain's ranks send a second.
inline double domain_rate(const CollectiveShape& shape, const Net& net) {
  return shape.nics * net.nic_bytes_s / std::max(net.taper, 1.0);
}

}  // namespace virga
