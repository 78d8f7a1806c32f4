#include "arm/sizes.hpp"

#include <algorithm>

#include "arm/text.hpp"
#include "base/assert.hpp"
#include "wire/config_units.hpp"
#include "wire/csv_table.hpp"
#include "wire/sku_table.hpp"
#include "wire/words.hpp"

namespace virga {
extern const std::string_view k_azure_families_csv;
}  // namespace virga

namespace virga::arm {

namespace {

bool read_size(std::string_view line, AzureSize& size) {
  size.name = take_until(line, ',');
  size.family = take_until(line, ',');
  size.infiniband = take_until(line, ',') == "yes";
  const std::string_view vcpus = take_until(line, ',');
  const std::string_view memory = take_until(line, ',');
  if (size.name.empty() || size.family.empty()) return false;
  if (const Sku* sku = find_sku(size.name)) {
    size.vcpus = sku->resources.cpus;
    size.memory_mib = sku->resources.memory_bytes >> 20;
    size.gpus = sku->resources.gpus;
    size.price_per_hour = sku->price_per_hour;
    return vcpus.empty() && memory.empty() && line.empty();
  }
  const auto price = parse_money(line);
  if (price) size.price_per_hour = *price;
  return price && read_number(vcpus, size.vcpus) && read_number(memory, size.memory_mib);
}

}  // namespace

Result<std::vector<AzureSize>> parse_azure_families(std::string_view csv) {
  return read_csv_table<AzureSize>(csv, "table of families",
                                   "name,family,infiniband,vcpus,memory_mib,price_usd_per_hour", read_size);
}

const std::vector<AzureSize>& azure_sizes() {
  static const std::vector<AzureSize> k_sizes = [] {
    auto sizes = parse_azure_families(k_azure_families_csv);
    VIRGA_ASSERT(sizes.has_value() && !sizes->empty(), "the embedded table of families is readable");
    return std::move(*sizes);
  }();
  return k_sizes;
}

const AzureSize* find_azure_size(std::string_view name) {
  const auto& sizes = azure_sizes();
  const auto found = std::find_if(sizes.begin(), sizes.end(), [&](const auto& s) { return same_word(s.name, name); });
  return found == sizes.end() ? nullptr : &*found;
}

bool is_quota_family(std::string_view family) {
  const std::string key = family_key(family);
  if (key == k_regional_family || key == family_key(k_spot_family)) return true;
  const auto& sizes = azure_sizes();
  return std::any_of(sizes.begin(), sizes.end(), [&](const AzureSize& s) { return family_key(s.family) == key; });
}

std::string family_key(std::string_view family) {
  std::string key = lower_case(family);
  key.erase(std::remove(key.begin(), key.end(), ' '), key.end());
  return key;
}

}  // namespace virga::arm
