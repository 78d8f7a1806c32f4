// The time of a collective on nodes that are spread over a tree of switches: what a placement is worth.
//
//   const SpreadTime time(find_system("Standard_ND96isr_H100_v5"), {.leaf_permille = 2000});
//   time.all_reduce({.nodes = 8, .leaves = 1, .spines = 1, .pods = 1}, 8, 1 << 30);   // less than …
//   time.all_reduce({.nodes = 8, .leaves = 4, .spines = 2, .pods = 1}, 8, 1 << 30);
//
// The placement enters twin/collective.hpp's Net by two terms:
//
//   taper        the product of the tapers at the levels that the gang crosses, as if all sent at once
//   nic_latency  the network's, which holds below one leaf, and two more switches at each level that a hop crosses. Of
//                the hops of a ring in rank order, as many leave a leaf as there are leaves, a spine as there are
//                spines, a pod as there are pods:
//                  + 2 k_switch_latency_s (leaves + spines + pods, those that are more than one) / nodes
//
// NCCL sees none of that, so algorithm and protocol are those that it chooses below one leaf: more switches and
// narrower links never make a collective faster. In racks that NVLink joins (GB200 NVL72), a leaf is such a rack, and
// more leaves are smaller NVLink domains, too.
//
// Results are nanoseconds, rounded once, and equal on every machine; infinite where the collective cannot be. Bytes are
// those of each rank's buffer.
#pragma once

#include <cstdint>

#include "base/time.hpp"
#include "twin/hardware.hpp"

namespace virga::twin {

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

/// Oversubscription of each level's uplinks, times 1000.
struct SpreadTapers {
  std::uint32_t leaf_permille = 1000;
  std::uint32_t spine_permille = 1000;
  std::uint32_t pod_permille = 1000;
};

class SpreadTime {
 public:
  /// `system` may be null: one rank per node and an HDR NIC are taken then, which is enough to compare placements on
  /// the same machines.
  SpreadTime(const System* system, const SpreadTapers& tapers) : system_(system), tapers_(tapers) {}

  /// `gpus` of each node take part; at least 1 does. No nodes take no time.
  Duration all_reduce(const Spread& spread, std::uint32_t gpus, std::uint64_t bytes) const;

 private:
  std::uint32_t ranks_per_domain(const Spread& spread, std::uint32_t gpus) const;
  double taper(const Spread& spread) const;

  const System* system_;
  SpreadTapers tapers_;
};

}  // namespace virga::twin
