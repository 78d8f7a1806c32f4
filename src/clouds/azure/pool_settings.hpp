// [cloud.azure.pool.NAME]: how the scale sets of a pool are shaped and placed. The brain knows nothing of it.
//
//   AzurePool placed = settings.pool("nd");
//   shape_of(placed, pool) == SetShape::uniform;         // by the pool's size, unless the section says otherwise
//
// What Azure excludes is refused here, where a line of the file can be named, and not by the first gang.
// Sources: Microsoft's "On-demand capacity reservation", "Associate a scale set to a capacity reservation group",
// "Orchestration modes" and the resource schemas of Microsoft.Compute 2026-03-01.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/enum_names.hpp"
#include "core/config.hpp"
#include "wire/sku_table.hpp"

namespace virga {

class TomlSection;

enum class Orchestration : std::uint8_t { uniform, flexible };
template <>
struct EnumNames<Orchestration> {
  static constexpr std::string_view names[] = {"uniform", "flexible"};
};

enum class ReservationType : std::uint8_t {
  targeted,  ///< VMs beyond what is reserved are had as without a reservation
  block,     ///< for a time that was fixed in advance; VMs come from there alone
};
template <>
struct EnumNames<ReservationType> {
  static constexpr std::string_view names[] = {"targeted", "block"};
};

/// Resources by their ids; empty: none.
struct AzurePool {
  std::optional<Orchestration> orchestration;
  std::string proximity_placement_group;
  std::string capacity_reservation_group;
  ReservationType reservation_type = ReservationType::targeted;
  std::string interconnect_block;
  std::string interconnect_group;
  std::vector<std::string> zones;
};

/// What is wrong is in the section's mistakes. `group` is the id of the resource group in which resources that are
/// named without a path lie.
AzurePool read_azure_pool(TomlSection& section, const Pool& pool, std::string group);

SetShape shape_of(const AzurePool& placed, const Pool& pool);
/// VMs of one set: the pool's own number, or what a set of this shape holds without a support request.
std::uint32_t set_nodes_of(const AzurePool& placed, const Pool& pool);

}  // namespace virga
