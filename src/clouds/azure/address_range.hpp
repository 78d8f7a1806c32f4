// Ranges of IPv4 addresses as Azure writes them.
//
//   const auto range = parse_address_range("10.64.0.0/16");
//   range->touches(k_infiniband_addresses);                    // false
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace virga::azure {

struct AddressRange {
  std::uint32_t first = 0;
  std::uint32_t last = 0;

  bool touches(const AddressRange& other) const { return first <= other.last && other.first <= last; }
  bool holds(const AddressRange& other) const { return first <= other.first && other.last <= last; }
  std::uint64_t size() const { return std::uint64_t{last} - first + 1; }
};

/// 172.16.0.0/16: of Azure's InfiniBand; no network of nodes may have them.
inline constexpr AddressRange k_infiniband_addresses{0xAC10'0000, 0xAC10'FFFF};

/// Nothing for what is no range, or one that does not begin at its first address.
std::optional<AddressRange> parse_address_range(std::string_view text);

/// Of a virtual network as Azure tells it; without what is no range of IPv4.
std::vector<AddressRange> spaces_of(std::string_view network_body);
bool touches_infiniband(const std::vector<AddressRange>& spaces);

}  // namespace virga::azure
