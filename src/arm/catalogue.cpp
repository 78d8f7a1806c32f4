// What can be had: usages and quotas, sizes, images, providers.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::string_view k_image_version = "22.04.202611010";
constexpr const char* k_compute_versions[] = {"2026-03-01", "2025-04-01", "2024-07-01", "2022-11-01",
                                              "2022-08-01", "2021-07-01", "2020-06-01", "2019-04-01"};
constexpr const char* k_network_versions[] = {"2025-05-01", "2024-05-01", "2022-07-01", "2022-01-01", "2015-06-15"};
constexpr const char* k_compute_types[] = {"virtualMachineScaleSets",
                                           "virtualMachineScaleSets/virtualMachines",
                                           "virtualMachines",
                                           "availabilitySets",
                                           "proximityPlacementGroups",
                                           "capacityReservationGroups",
                                           "capacityReservationGroups/capacityReservations",
                                           "interconnectBlocks",
                                           "images",
                                           "disks",
                                           "locations/usages",
                                           "skus"};
constexpr const char* k_network_types[] = {"virtualNetworks", "networkInterfaces",     "publicIPAddresses",
                                           "loadBalancers",   "networkSecurityGroups", "interconnectGroups"};

Answer answer_usages(const World& world, const Call& call) {
  const std::string region = lower_case(call.target.name());
  std::vector<std::string> families = {std::string(k_regional_family), std::string(k_spot_family)};
  std::set<std::string> seen;
  for (const AzureSize& size : azure_sizes()) {
    if (seen.insert(size.family).second) families.push_back(size.family);
  }
  return list_answer(world, call, families.size(), [&](std::size_t i) -> json::object {
    const std::string& family = families[i];
    const std::string shown = family == k_regional_family ? "Total Regional vCPUs"
                              : family == k_spot_family   ? "Total Regional Low-priority vCPUs"
                                                          : family + " vCPUs";
    return {{"limit", world.machines.quota(region, family)},
            {"unit", "Count"},
            {"currentValue", world.machines.quota_used(region, family)},
            {"name", {{"value", family}, {"localizedValue", shown}}}};
  });
}

json::object capability(std::string_view name, std::string value) { return {{"name", name}, {"value", value}}; }

json::object view_of_restriction(const RestrictionRule& rule, const std::string& region) {
  const json::array places{json::string(region)};
  const json::array zones(rule.zones.begin(), rule.zones.end());
  return {{"type", rule.zones.empty() ? "Location" : "Zone"},
          {"values", places},
          {"restrictionInfo", {{"locations", places}, {"zones", zones}}},
          {"reasonCode", rule.reason}};
}

json::array restrictions_of(const Scenario& scenario, const AzureSize& size, const std::string& region) {
  json::array restrictions;
  for (const RestrictionRule& rule : scenario.restrictions) {
    const bool is_here = rule.region.empty() || same_word(rule.region, region);
    if (is_here && same_word(rule.size, size.name)) restrictions.push_back(view_of_restriction(rule, region));
  }
  return restrictions;
}

json::object view_of_sku(const Scenario& scenario, const AzureSize& size, const std::string& region) {
  json::array capabilities = {
      capability("vCPUs", std::to_string(size.vcpus)),
      capability("MemoryGB", fmt::format("{:g}", static_cast<double>(size.memory_mib) / 1024.0)),
      capability("GPUs", std::to_string(size.gpus)),
      capability("HyperVGenerations", "V2"),
      capability("LowPriorityCapable", "True"),
      capability("PremiumIO", "True"),
      capability("RdmaEnabled", size.infiniband ? "True" : "False"),
      capability("CapacityReservationSupported", can_be_reserved(size) ? "True" : "False"),
      capability("EncryptionAtHostSupported", "True"),
  };
  const std::string tier_free = size.name.substr(size.name.find('_') + 1);
  return {{"resourceType", "virtualMachines"},
          {"name", size.name},
          {"tier", "Standard"},
          {"size", tier_free},
          {"family", size.family},
          {"locations", json::array({json::string(region)})},
          {"locationInfo",
           json::array({json::object{
               {"location", region}, {"zones", json::array({"1", "2", "3"})}, {"zoneDetails", json::array()}}})},
          {"capabilities", std::move(capabilities)},
          {"restrictions", restrictions_of(scenario, size, region)}};
}

/// $filter=location eq 'eastus'; without it all regions.
Answer answer_skus(const World& world, const Call& call) {
  std::vector<std::pair<const AzureSize*, std::string>> offers;
  const std::string filter = lower_case(call.target.query_value("$filter"));
  for (const std::string& region : world.scenario.regions) {
    if (!filter.empty() && filter.find("'" + region + "'") == std::string::npos) continue;
    for (const AzureSize& size : azure_sizes()) offers.emplace_back(&size, region);
  }
  return list_answer(world, call, offers.size(),
                     [&](std::size_t i) { return view_of_sku(world.scenario, *offers[i].first, offers[i].second); });
}

/// The name in …/type/name/….
std::string name_after(const Target& target, std::string_view type) {
  for (std::size_t i = 0; i < target.types.size() && i < target.names.size(); ++i) {
    if (same_word(target.types[i], type)) return target.names[i];
  }
  return {};
}

Answer answer_vm_sizes(const World& world, const Call& call) {
  const auto& sizes = azure_sizes();
  return list_answer(world, call, sizes.size(), [&](std::size_t i) -> json::object {
    return {{"name", sizes[i].name},       {"numberOfCores", sizes[i].vcpus}, {"memoryInMB", sizes[i].memory_mib},
            {"osDiskSizeInMB", 1'047'552}, {"resourceDiskSizeInMB", 65'536},  {"maxDataDiskCount", 16}};
  });
}

/// …/publishers/P/artifacttypes/vmimage/offers/O/skus/K/versions[/V]: any image exists, in one version, but those that
/// the scenario names. The list is a bare array, unlike all others.
Answer answer_image(const World& world, const Call& call) {
  const Target& target = call.target;
  const std::string image = fmt::format("{}:{}:{}", name_after(target, "publishers"), name_after(target, "offers"),
                                        name_after(target, "skus"));
  const auto& missing = world.scenario.missing_images;
  if (std::any_of(missing.begin(), missing.end(), [&](const std::string& one) { return same_word(one, image); })) {
    return refusal(404, "PlatformImageNotFound",
                   fmt::format("The platform image '{}:latest' is not available. Verify that all fields in the storage "
                               "profile are correct.",
                               image));
  }
  std::string id = target.path;
  if (target.tail_key == "versions") {
    json::array versions;
    versions.push_back(json::object{{"id", id + "/" + std::string(k_image_version)},
                                    {"name", k_image_version},
                                    {"location", target.names.front()}});
    Answer answer;
    answer.body = json::serialize(versions);
    return answer;
  }
  return json_answer(200, {{"id", id},
                           {"name", target.name()},
                           {"location", target.names.front()},
                           {"properties",
                            {{"osDiskImage", {{"operatingSystem", "Linux"}, {"sizeInGb", 30}}},
                             {"hyperVGeneration", "V2"},
                             {"architecture", "x64"},
                             {"dataDiskImages", json::array()}}}});
}

json::object view_of_provider(const World& world, std::string_view name) {
  const bool network = same_word(name, "Microsoft.Network");
  const bool compute = same_word(name, "Microsoft.Compute");
  const auto& absent = world.scenario.unregistered;
  const bool is_registered =
      std::none_of(absent.begin(), absent.end(), [&](const std::string& one) { return same_word(one, name); });
  json::array regions;
  for (const std::string& region : world.scenario.regions) regions.push_back(json::string(region));
  json::array versions;
  if (network) versions = json::array(std::begin(k_network_versions), std::end(k_network_versions));
  if (compute) versions = json::array(std::begin(k_compute_versions), std::end(k_compute_versions));
  json::array types;
  const auto add = [&](const char* type) {
    types.push_back(
        {{"resourceType", type}, {"locations", regions}, {"apiVersions", versions}, {"capabilities", "None"}});
  };
  if (compute) std::for_each(std::begin(k_compute_types), std::end(k_compute_types), add);
  if (network) std::for_each(std::begin(k_network_types), std::end(k_network_types), add);
  return {{"id", fmt::format("/subscriptions/{}/providers/{}", world.scenario.subscription, name)},
          {"namespace", name},
          {"registrationState", is_registered ? "Registered" : "NotRegistered"},
          {"registrationPolicy", "RegistrationRequired"},
          {"resourceTypes", std::move(types)}};
}

/// Microsoft.Authorization/permissions: what the caller may do here.
Answer answer_permissions(const World& world, const Call& call) {
  const auto& actions = world.scenario.actions;
  return list_answer(world, call, 1, [&](std::size_t) -> json::object {
    return {{"actions", json::array(actions.begin(), actions.end())},
            {"notActions", json::array()},
            {"dataActions", json::array()},
            {"notDataActions", json::array()}};
  });
}

Answer answer_providers(const World& world, const Call& call) {
  const Target& target = call.target;
  if (!target.provider.empty()) return json_answer(200, view_of_provider(world, target.provider));
  constexpr const char* k_names[] = {"Microsoft.Compute", "Microsoft.Network", "Microsoft.Resources"};
  return list_answer(world, call, std::size(k_names),
                     [&](std::size_t i) { return view_of_provider(world, k_names[i]); });
}

}  // namespace

Answer answer_catalogue(World& world, const Call& call) {
  const Target& target = call.target;
  if (!target.names.empty() && target.types.front() == "locations") {
    const auto& regions = world.scenario.regions;
    if (std::find(regions.begin(), regions.end(), lower_case(target.names.front())) == regions.end()) {
      return refusal(400, "NoRegisteredProviderFound",
                     fmt::format("No registered resource provider found for location '{}'. The supported locations are "
                                 "'{}'.",
                                 target.names.front(), fmt::join(regions, ", ")));
    }
  }
  const bool registers = call.is("POST") && target.tail_key == "register";
  if (!call.is("GET") && !registers) return method_not_allowed(call);
  if (target.tail_key == "permissions") return answer_permissions(world, call);
  if (target.tail_key == "providers" || (target.types.empty() && target.tail.empty()) || registers) {
    return answer_providers(world, call);
  }
  if (target.tail_key == "skus" && target.types.empty()) return answer_skus(world, call);
  if (target.key.starts_with("locations/publishers/artifacttypes/offers/skus")) return answer_image(world, call);
  if (target.tail_key == "usages") return answer_usages(world, call);
  if (target.tail_key == "vmsizes") return answer_vm_sizes(world, call);
  const bool is_empty = target.key.starts_with("locations/publishers") || target.tail_key == "publishers" ||
                        target.provider == "Microsoft.Insights";
  if (!is_empty) return not_served(call);
  return list_answer(world, call, 0, [](std::size_t) { return json::object(); });
}

}  // namespace virga::arm
