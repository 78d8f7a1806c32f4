// What a healthy node of a VM size shows, from data/azure_health.csv, which the build puts into the program.
//
//   const HealthLimits* limits = find_health_limits("Standard_ND96isr_H100_v5");   // nullptr: nothing is known of it
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/result.hpp"

namespace virga {

enum class GpuVendor : std::uint8_t { nvidia, amd };
template <>
struct EnumNames<GpuVendor> {
  static constexpr std::string_view names[] = {"nvidia", "amd"};
};

/// A zero is not checked.
struct HealthLimits {
  std::string size;
  GpuVendor vendor = GpuVendor::nvidia;
  std::uint32_t gpus = 0;
  std::uint32_t nvlinks = 0;  ///< active ones of each GPU
  std::uint32_t ib_ports = 0;
  std::uint32_t ib_gbit_per_s = 0;
  std::uint32_t all_reduce_gb_per_s = 0;  ///< the least bus bandwidth
  std::uint32_t all_reduce_gib = 0;       ///< of such a message
};

/// In the order of the file.
const std::vector<HealthLimits>& known_health_limits();
const HealthLimits* find_health_limits(std::string_view size);

/// Reads the file's text; public for its test. A line that cannot be read is a fault of the build, told as such.
Result<std::vector<HealthLimits>> parse_health_table(std::string_view csv);

}  // namespace virga
