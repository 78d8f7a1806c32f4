// The VM sizes that the stand-in offers: data/azure_skus.csv (wire/sku_table.hpp) with data/azure_families.csv.
//
//   const AzureSize* size = find_azure_size("standard_nd96isr_h100_V5");   // compared without case; nullptr if unknown
//   size->family == "standardNDSH100v5Family";
//   family_key("Standard NDASv4_A100 Family") == "standardndasv4_a100family";
//
// Names of quota families are irregular in blanks and letter case; only their keys are compared.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/money.hpp"
#include "base/result.hpp"

namespace virga::arm {

struct AzureSize {
  std::string name;
  std::string family;
  std::uint32_t vcpus = 0;
  std::uint64_t memory_mib = 0;
  std::uint32_t gpus = 0;
  bool infiniband = false;
  Money price_per_hour;

  bool is_gpu_or_hpc() const { return gpus > 0 || infiniband; }
};

const std::vector<AzureSize>& azure_sizes();
const AzureSize* find_azure_size(std::string_view name);
std::string family_key(std::string_view family);
/// The family of a size that is offered, or one of the two below.
bool is_quota_family(std::string_view family);

/// Reads the text of the second file; public for its test.
Result<std::vector<AzureSize>> parse_azure_families(std::string_view csv);

/// The quota of all Spot VMs of a region together.
inline constexpr std::string_view k_spot_family = "lowPriorityCores";
/// The quota of all vCPUs of a region together.
inline constexpr std::string_view k_regional_family = "cores";

}  // namespace virga::arm
