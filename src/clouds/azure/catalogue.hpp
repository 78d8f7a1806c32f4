// What a region offers to a subscription: its sizes with what restricts them, and the quotas with what is used of them.
//
//   Arm<Catalogue> catalogue = read_catalogue(client, "eastus");          // two lists of Azure's
//   const SizeFacts* size = catalogue->size_of("Standard_ND96isr_H100_v5");
//   std::optional<std::uint32_t> vms = catalogue->vms_left(*size, Purchase::spot);
//
// Quotas count vCPUs: of a size's family, of all on-demand VMs of the region together, and, for spot VMs, of one bucket
// for all families ("lowPriorityCores"). Names of families are irregular in blanks and letter case ("standard
// NDAMSv4_A100Family"): only their keys are compared. Source: Azure's REST reference, Usage - List and Resource Skus -
// List.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "clouds/azure/arm_client.hpp"
#include "core/config.hpp"

namespace virga::azure {

inline constexpr std::string_view k_regional_quota = "cores";
inline constexpr std::string_view k_spot_quota = "lowprioritycores";  ///< its key

/// In lower case, without blanks.
std::string quota_key(std::string_view family);

struct QuotaUse {
  std::string name;  ///< as Azure shows it
  std::uint64_t limit = 0;
  std::uint64_t used = 0;

  std::uint64_t left() const { return limit > used ? limit - used : 0; }
};

struct SizeFacts {
  std::string name;
  std::string family;
  std::uint32_t vcpus = 0;
  bool can_be_spot = true;
  std::string restriction;              ///< of the whole region: Azure's reason code; empty: none
  std::vector<std::string> zones_shut;  ///< zones in which it is restricted
  std::string zones_reason;

  /// "NotAvailableForSubscription", "NotAvailableForSubscription in zone 1, 2", or empty.
  std::string restriction_text() const;
};

struct Catalogue {
  std::string region;
  std::map<std::string, QuotaUse> quotas;  ///< by key
  std::map<std::string, SizeFacts> sizes;  ///< by name in lower case

  const SizeFacts* size_of(std::string_view name) const;
  const QuotaUse* quota_of(std::string_view family) const;
  /// How many further VMs the quotas allow; nothing if one of them is not in the list.
  std::optional<std::uint32_t> vms_left(const SizeFacts& size, Purchase price_class) const;
};

Arm<Catalogue> read_catalogue(ArmClient& client, const std::string& region);

}  // namespace virga::azure
