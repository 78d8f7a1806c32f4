// The VM sizes that Virga knows by name, from data/azure_skus.csv, which the build puts into the program.
//
//   const Sku* sku = find_sku("Standard_ND96isr_H100_v5");   // nullptr if unknown
//   set_shape_of(sku->name) == SetShape::uniform;
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"
#include "core/config.hpp"

namespace virga {

/// How Azure groups the VMs of a size in scale sets.
enum class SetShape : std::uint8_t {
  uniform,   ///< one placement group, among whose VMs InfiniBand works
  flexible,  ///< no InfiniBand, and up to 1,000 VMs
  rack,      ///< VMs that NVLink joins: k_rack_nodes of them, in a set without a placement group
};
template <>
struct EnumNames<SetShape> {
  static constexpr std::string_view names[] = {"uniform", "flexible", "rack"};
};

inline constexpr std::uint32_t k_rack_nodes = 18;
/// What a placement group holds without a support request.
inline constexpr std::uint32_t k_placement_group_nodes = 100;

/// In the order of the file.
const std::vector<Sku>& known_skus();
const Sku* find_sku(std::string_view name);
/// Uniform for a size that the file does not have.
SetShape set_shape_of(std::string_view name);
/// Whether Azure reserves capacity of the size for who names it (targeted); true for one that the file does not have.
bool can_be_targeted(std::string_view name);

struct KnownSku {
  Sku sku;  ///< without a price, if no list price is published
  SetShape set_shape = SetShape::uniform;
  bool targeted = true;
};
/// Reads the file's text; public for its test. A line that cannot be read is a fault of the build, told as such.
Result<std::vector<KnownSku>> parse_sku_table(std::string_view csv);

}  // namespace virga
