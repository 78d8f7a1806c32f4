// What a placement is worth to a gang: how long its all-reduce takes there, as the twin predicts it.
//
//   const CollectiveTime time(pool);
//   const Spread tight{.nodes = 8, .leaves = 1, .spines = 1, .pods = 1};
//   const Spread wide{.nodes = 8, .leaves = 4, .spines = 2, .pods = 1};
//   time.all_reduce(tight, 8, k_reference_bytes) < time.all_reduce(wide, 8, k_reference_bytes);
//
// The machine is the pool's SKU (data/systems.csv): GPUs that NVLink joins, NICs and their rate. The placement comes in
// by two terms of twin/collective.hpp's Net:
//
//   taper        the product of the pool's tapers at the levels that the gang crosses, as if all sent at once
//   nic_latency  the network's, which holds below one leaf, and two more switches at each level that a hop crosses. Of
//                the hops of a ring in rank order, as many leave a leaf as there are leaves, a spine as there are
//                spines, a pod as there are pods:
//                  + 2 k_switch_latency_s (leaves + spines + pods, those that are more than one) / nodes
//
// NCCL sees none of that, so algorithm and protocol are those that it chooses below one leaf: more switches and
// narrower links never make a collective faster.
//
// In racks that NVLink joins (GB200 NVL72), more leaves are smaller NVLink domains, too.
//
// Computed in double without transcendental functions and rounded to nanoseconds once: equal on every machine. Spreads
// are counts; bytes are those of each rank's buffer.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/time.hpp"
#include "core/config.hpp"
#include "fabric/fabric.hpp"
#include "twin/hardware.hpp"

namespace virga {

/// Of a job that does not say what it trains: about the gradients of half a billion parameters.
inline constexpr std::uint64_t k_reference_bytes = std::uint64_t{1} << 30;

/// From port to port of a switch (NVIDIA Quantum QM8700 data sheet: 130 ns).
inline constexpr double k_switch_latency_s = 130e-9;

/// Seconds to nanoseconds, for what the twin hands to the brain; what takes for ever is infinite.
Duration duration_from(double seconds);

/// What the nodes of a gang are below.
struct Spread {
  std::uint32_t nodes = 0;
  std::uint32_t leaves = 0;
  std::uint32_t spines = 0;
  std::uint32_t pods = 0;

  friend bool operator==(const Spread&, const Spread&) = default;
};

/// Of slots in rank order. O(slots).
Spread spread_of(const Fabric& fabric, std::span<const std::uint32_t> slots);
/// "2 leaves below 1 spine"
std::string words_of(const Spread& spread);

/// The twin's description of the SKU; by its GPU where the size itself is unknown; null where that is, too.
const twin::System* system_of(const Sku& sku);

class CollectiveTime {
 public:
  explicit CollectiveTime(const Pool& pool);

  /// Whether the SKU is known. Else one rank per node and an HDR NIC are taken: enough to compare placements within
  /// the pool, and with no other pool.
  bool knows_sku() const { return system_ != nullptr; }

  /// `gpus` of each node take part; at least 1 does.
  Duration all_reduce(const Spread& spread, std::uint32_t gpus, std::uint64_t bytes) const;

 private:
  std::uint32_t ranks_per_domain(const Spread& spread, std::uint32_t gpus) const;
  double taper(const Spread& spread) const;

  const twin::System* system_ = nullptr;
  PoolFabric fabric_;
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
