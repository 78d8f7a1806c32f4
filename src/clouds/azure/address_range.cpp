#include "clouds/azure/address_range.hpp"

#include <algorithm>
#include <charconv>

#include "clouds/azure/json_path.hpp"

namespace virga::azure {

std::optional<AddressRange> parse_address_range(std::string_view text) {
  std::uint32_t address = 0;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (int part = 0; part < 5; ++part) {
    std::uint32_t number = 0;
    const auto [stop, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number > (part < 4 ? 255U : 32U)) return std::nullopt;
    at = stop;
    if (part == 4) {
      const std::uint32_t rest = number == 0 ? ~0U : number == 32 ? 0 : (~0U >> number);
      if (at != end || (address & rest) != 0) return std::nullopt;
      return AddressRange{address, address | rest};
    }
    address = address << 8 | number;
    if (at == end || *at++ != (part < 3 ? '.' : '/')) return std::nullopt;
  }
  return std::nullopt;
}

std::vector<AddressRange> spaces_of(std::string_view network_body) {
  const auto document = JsonDocument::parse(network_body);
  const JsonNode properties = document ? at(document->root(), "properties") : JsonNode();
  const JsonNode prefixes = at(at(properties, "addressSpace"), "addressPrefixes");
  std::vector<AddressRange> spaces;
  for (std::size_t i = 0; i < count(prefixes); ++i) {
    if (const auto space = parse_address_range(text(prefixes.element(i)))) spaces.push_back(*space);
  }
  return spaces;
}

bool touches_infiniband(const std::vector<AddressRange>& spaces) {
  return std::any_of(spaces.begin(), spaces.end(),
                     [](const AddressRange& space) { return space.touches(k_infiniband_addresses); });
}

}  // namespace virga::azure
