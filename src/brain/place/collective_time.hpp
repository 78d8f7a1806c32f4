// What a placement is worth to a gang: how long its all-reduce takes there, as the twin predicts it.
//
//   const CollectiveTime time(pool);
//   const Spread tight{.nodes = 8, .leaves = 1, .spines = 1, .pods = 1};
//   const Spread wide{.nodes = 8, .leaves = 4, .spines = 2, .pods = 1};
//   time.all_reduce(tight, 8, k_reference_bytes) < time.all_reduce(wide, 8, k_reference_bytes);
//
// The machine is the pool's SKU (data/systems.csv): GPUs that NVLink joins, NICs and their rate; the network is the
// pool's fabric with its tapers. twin/spread_time.hpp has the formulas.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/time.hpp"
#include "core/config.hpp"
#include "core/passed_over.hpp"
#include "fabric/fabric.hpp"
#include "twin/spread_time.hpp"

namespace virga {

using twin::Spread;

/// Of a job that does not say what it trains: about the gradients of half a billion parameters.
inline constexpr std::uint64_t k_reference_bytes = std::uint64_t{1} << 30;

/// Of slots in rank order. O(slots).
Spread spread_of(const Fabric& fabric, std::span<const std::uint32_t> slots);
/// "2 leaves below 1 spine"
std::string words_of(const Spread& spread);

/// The twin's description of the SKU; by its GPU where the size itself is unknown; null where that is, too.
const twin::System* system_of(const Sku& sku);

class CollectiveTime {
 public:
  explicit CollectiveTime(const Pool& pool);

  /// Whether the twin knows the SKU. Else times compare placements within the pool, and with no other pool.
  bool knows_sku() const { return knows_sku_; }

  /// `gpus` of each node take part; at least 1 does.
  Duration all_reduce(const Spread& spread, std::uint32_t gpus, std::uint64_t bytes) const {
    return time_.all_reduce(spread, gpus, bytes);
  }

 private:
  bool knows_sku_;
  twin::SpreadTime time_;
};

/// The time of one gang's all-reduce, for whoever chooses among placements; without `time` it is no criterion.
struct CollectiveWish {
  const CollectiveTime* time = nullptr;
  std::uint32_t gpus = 0;
  std::uint64_t bytes = 0;
  PassedOver* passed_over = nullptr;  ///< where the best of the others is noted, if not null

  Duration of(const Spread& spread) const { return time->all_reduce(spread, gpus, bytes); }
  /// Another placement that could have been chosen; the fastest of those noted stays.
  void note(Duration chosen, Duration other, std::string what) const;
};

}  // namespace virga
