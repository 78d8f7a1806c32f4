// What is left of its NICs' rate to a job that shares the fabric with others like it.
//
//   const SharedFabric shared{.graph = &graph, .tables = &tables, .other_jobs = 1, .scattered = true};
//   nic_share(shared, 64);                  // 0.5: two jobs of 64 nodes each; the slowest flow gets half of its NIC
//
// Hosts are handed to the jobs in turn, in the order in which they lie in the tree: a job alone has neighbours, and the
// ring of one among others crosses a leaf's uplinks no more than once each way, whatever the others do. Scattered, they
// are handed out in no order, as they come free on a busy cluster, and ranks follow that order: nearly every hop goes
// over the spines. The order is drawn by a generator that always draws the same. The flows and what each gets:
// twin/routed.hpp.
//
// Errors: Code::exhausted, fewer hosts than the jobs need.
#pragma once

#include <cstdint>

#include "fabric/routing.hpp"

namespace virga::twin {

struct SharedFabric {
  const FabricGraph* graph = nullptr;
  const ForwardingTables* tables = nullptr;
  std::uint32_t other_jobs = 0;  ///< of as many nodes each
  bool scattered = false;
};

/// At most 1; one node needs no network: 1.
Result<double> nic_share(const SharedFabric& shared, std::uint32_t nodes);

}  // namespace virga::twin
