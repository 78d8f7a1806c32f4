// Which nodes of a pool live in which scale set. Pure.
//
//   Result<std::vector<SetShare>> shares = plan_gang(command, settings);   // virga-c1-nd-1: places 0..99, …
//
// Node n of a pool (its name is the pool's prefix and n, from 1) belongs to set (n - 1) / set_nodes_of(pool) + 1. The
// VMs of one Uniform set with a single placement group share an InfiniBand fabric, those of two sets do not, and a rack
// is a set; that is why nodes have a fixed set, and why the brain places by node number.
//
// Source: "Set up InfiniBand on HPC VMs" and "Orchestration modes" of Microsoft's documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "clouds/azure/settings.hpp"
#include "core/command.hpp"

namespace virga::azure {

/// The part of a gang that one set has.
struct SetShare {
  std::string set;
  std::uint32_t number = 0;         ///< from 1
  std::vector<std::size_t> places;  ///< in ReserveGang::vms, ascending
};

/// In the order of the sets' numbers. Refused: a node's name without a number, a set's name that is too long.
Result<std::vector<SetShare>> plan_gang(const ReserveGang& command, const AzureSettings& settings);

/// From 1; nothing if the name is none of this pool's.
std::optional<std::uint32_t> node_number(const Pool& pool, std::string_view name);

std::string set_name(const std::string& cluster, const std::string& pool, std::uint32_t number);

}  // namespace virga::azure
