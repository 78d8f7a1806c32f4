#include "clouds/azure/catalogue.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "clouds/azure/json_path.hpp"
#include "wire/csv_table.hpp"

namespace virga::azure {
namespace {

std::vector<std::string> texts_of(JsonNode list) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count(list); ++i) texts.push_back(text(list.element(i)));
  return texts;
}

void read_capability(SizeFacts& size, JsonNode capability) {
  const std::string name = text(at(capability, "name"));
  const std::string value = text(at(capability, "value"));
  if (name == "vCPUs") read_number(value, size.vcpus);
  if (name == "LowPriorityCapable") size.can_be_spot = value == "True";
}

void read_restriction(SizeFacts& size, JsonNode restriction) {
  std::string reason = text(at(restriction, "reasonCode"));
  if (reason.empty()) reason = "Restricted";
  if (text(at(restriction, "type")) != "Zone") {
    size.restriction = std::move(reason);
    return;
  }
  size.zones_shut = texts_of(at(at(restriction, "restrictionInfo"), "zones"));
  std::sort(size.zones_shut.begin(), size.zones_shut.end());
  size.zones_reason = std::move(reason);
}

SizeFacts size_from(JsonNode node) {
  SizeFacts size;
  size.name = text(at(node, "name"));
  size.family = text(at(node, "family"));
  const JsonNode capabilities = at(node, "capabilities");
  for (std::size_t i = 0; i < count(capabilities); ++i) read_capability(size, capabilities.element(i));
  const JsonNode restrictions = at(node, "restrictions");
  for (std::size_t i = 0; i < count(restrictions); ++i) read_restriction(size, restrictions.element(i));
  return size;
}

std::uint64_t number(JsonNode node) {
  const bool whole = node && node.kind() == JsonNode::Kind::integer;
  return whole ? node.unsigned_integer().value_or(0) : 0;
}

}  // namespace

std::string quota_key(std::string_view family) {
  std::string key = lower(family);
  std::erase(key, ' ');
  return key;
}

std::string SizeFacts::restriction_text() const {
  if (!restriction.empty()) return restriction;
  if (zones_shut.empty()) return {};
  return fmt::format("{} in zone {}", zones_reason, fmt::join(zones_shut, ", "));
}

const SizeFacts* Catalogue::size_of(std::string_view name) const {
  const auto found = sizes.find(lower(name));
  return found == sizes.end() ? nullptr : &found->second;
}

const QuotaUse* Catalogue::quota_of(std::string_view family) const {
  const auto found = quotas.find(quota_key(family));
  return found == quotas.end() ? nullptr : &found->second;
}

std::optional<std::uint32_t> Catalogue::vms_left(const SizeFacts& size, Purchase price_class) const {
  if (size.vcpus == 0) return std::nullopt;
  std::uint64_t vcpus = std::numeric_limits<std::uint32_t>::max();
  const auto limit_by = [&](std::string_view family) {
    const QuotaUse* quota = quota_of(family);
    if (quota != nullptr) vcpus = std::min(vcpus, quota->left());
    return quota != nullptr;
  };
  const bool known =
      price_class == Purchase::spot ? limit_by(k_spot_quota) : limit_by(size.family) && limit_by(k_regional_quota);
  if (!known) return std::nullopt;
  return static_cast<std::uint32_t>(vcpus / size.vcpus);
}

Arm<Catalogue> read_catalogue(ArmClient& client, const std::string& region) {
  Catalogue catalogue;
  catalogue.region = region;
  const std::string provider =
      fmt::format("/subscriptions/{}/providers/Microsoft.Compute", client.access().settings.subscription);
  auto usages = client.list(
      {.path = fmt::format("{}/locations/{}/usages", provider, region),
       .kind = CallKind::catalogue_read,
       .is_patient = false},
      [&](JsonNode usage) {
        const std::string name = text(at(at(usage, "name"), "value"));
        catalogue.quotas[quota_key(name)] = {name, number(at(usage, "limit")), number(at(usage, "currentValue"))};
      });
  if (!usages) return failed(usages.error());
  auto skus = client.list({.path = provider + "/skus",
                           .version = ApiVersion::skus,
                           .kind = CallKind::catalogue_read,
                           .query = fmt::format("&$filter=location%20eq%20'{}'", region),
                           .is_patient = false},
                          [&](JsonNode sku) {
                            if (text(at(sku, "resourceType")) != "virtualMachines") return;
                            SizeFacts size = size_from(sku);
                            std::string key = lower(size.name);
                            catalogue.sizes[std::move(key)] = std::move(size);
                          });
  if (!skus) return failed(skus.error());
  return catalogue;
}

}  // namespace virga::azure
