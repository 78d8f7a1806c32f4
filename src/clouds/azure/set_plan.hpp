// Which nodes of a pool live in which scale set, and what Azure is told about such a set. Pure.
//
//   Result<std::vector<SetShare>> shares = plan_gang(command, "c1");   // virga-c1-nd-1: places 0..99, …
//   put_body(settings, pool, "virga-c1-nd-1", 100, join_script);       // makes the set
//   patch_body(80);                                                    // one PATCH, whatever the number of nodes
//
// Node n of a pool (its name is the pool's prefix and n, from 1) belongs to set (n - 1) / set_nodes_max + 1. The VMs of
// one Uniform set with a single placement group share an InfiniBand fabric, those of two sets do not; that is why
// nodes have a fixed set, and why the brain places by node number.
//
// Every size is made Uniform. Sizes without InfiniBand (NC) could be Flexible, which holds 1,000 VMs.
// Source of the shape: "Set up InfiniBand on HPC VMs" and "Orchestration modes" of Microsoft's documentation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "clouds/azure/settings.hpp"
#include "core/command.hpp"

namespace virga::azure {

inline constexpr std::uint32_t k_set_nodes_default = 100;  ///< what a placement group holds without a support request

inline constexpr std::string_view k_tag_cluster = "virga-cluster";
inline constexpr std::string_view k_tag_pool = "virga-pool";
inline constexpr std::string_view k_tag_set = "virga-set";

/// The part of a gang that one set has.
struct SetShare {
  std::string set;
  std::uint32_t number = 0;         ///< from 1
  std::vector<std::size_t> places;  ///< in ReserveGang::vms, ascending
};

/// In the order of the sets' numbers. Refused: a node's name without a number, a set's name that is too long.
Result<std::vector<SetShare>> plan_gang(const ReserveGang& command, const std::string& cluster);

std::string set_name(const std::string& cluster, const std::string& pool, std::uint32_t number);

/// `ssh_key` may be empty.
std::string put_body(const AzureSettings& settings, const Pool& pool, const std::string& set, std::uint32_t capacity,
                     const std::string& join_script, const std::string& ssh_key);
std::string patch_body(std::uint32_t capacity);
std::string instances_body(const std::vector<std::string>& instance_ids);

}  // namespace virga::azure
