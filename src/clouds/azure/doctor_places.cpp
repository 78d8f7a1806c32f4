// What the pools need of their region and resource group (see doctor.hpp).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "clouds/azure/address_range.hpp"
#include "clouds/azure/catalogue.hpp"
#include "clouds/azure/doctor_checks.hpp"
#include "clouds/azure/image_name.hpp"
#include "clouds/azure/json_path.hpp"

namespace virga::azure {
namespace {

/// What this room does in the group, with what scale sets and the sweep of orphans do there. Making the group is
/// another matter: it may be there already.
constexpr std::string_view k_actions[] = {
    "Microsoft.Compute/virtualMachineScaleSets/read",
    "Microsoft.Compute/virtualMachineScaleSets/write",
    "Microsoft.Compute/virtualMachineScaleSets/delete",
    "Microsoft.Compute/virtualMachineScaleSets/delete/action",
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/read",
    "Microsoft.Compute/virtualMachineScaleSets/networkInterfaces/read",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Compute/disks/read",
    "Microsoft.Compute/disks/delete",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/write",
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.Network/virtualNetworks/subnets/write",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/networkInterfaces/join/action",
    "Microsoft.Network/networkInterfaces/delete",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/publicIPAddresses/delete",
};
constexpr std::uint64_t k_addresses_of_azure = 5;  ///< of every subnet

/// Whether `pattern`, in which '*' stands for any text, is the text; without case.
bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip) {
      if (matches(pattern.substr(1), text.substr(skip))) return true;
    }
    return false;
  }
  return !text.empty() && lower(pattern.substr(0, 1)) == lower(text.substr(0, 1)) &&
         matches(pattern.substr(1), text.substr(1));
}

bool any_matches(JsonNode patterns, std::string_view action) {
  for (std::size_t i = 0; i < count(patterns); ++i) {
    if (matches(text(patterns.element(i)), action)) return true;
  }
  return false;
}

/// Each role grants its actions less its notActions; what one of them grants may be done.
void check_permissions(Examination& e) {
  std::vector<std::string_view> missing(std::begin(k_actions), std::end(k_actions));
  const auto listed =
      e.client.list({.path = e.client.group_path() + "/providers/Microsoft.Authorization/permissions",
                     .version = ApiVersion::authorization,
                     .kind = CallKind::catalogue_read,
                     .is_patient = false},
                    [&](JsonNode role) {
                      std::erase_if(missing, [&](std::string_view action) {
                        return any_matches(at(role, "actions"), action) && !any_matches(at(role, "notActions"), action);
                      });
                    });
  if (!listed) {
    return e.report.add({"permissions", Verdict::warning, "are not told: " + listed.error().text(),
                         "the first job will show whether scale sets and networks can be written"});
  }
  if (missing.empty()) return e.ok("permissions", "what Virga does in the group is allowed");
  e.report.add({"permissions", Verdict::failed, fmt::format("not allowed: {}", fmt::join(missing, ", ")),
                fmt::format("az role assignment create --role Contributor --scope {}", e.client.group_path())});
}

std::uint64_t nodes_of(const std::vector<Pool>& pools) {
  std::uint64_t nodes = 0;
  for (const Pool& pool : pools) nodes += pool.max_nodes;
  return nodes;
}

void check_room(Examination& e, const std::string& what, std::string_view range_text) {
  const auto range = parse_address_range(range_text);
  const std::uint64_t needed = nodes_of(e.pools);
  if (!range) {
    return e.report.add({"subnet", Verdict::warning, fmt::format("{} has no readable range of addresses", what),
                         fmt::format("see that it has {} free addresses", needed)});
  }
  const std::uint64_t room = range->size() - std::min(range->size(), k_addresses_of_azure);
  if (range->touches(k_infiniband_addresses)) {
    return e.report.add({"subnet", Verdict::failed,
                         fmt::format("{} touches 172.16.0.0/16, which Azure's InfiniBand uses", what),
                         "name another subnet in cloud.azure.subnet, or another network"});
  }
  if (room < needed) {
    return e.report.add({"subnet", Verdict::failed,
                         fmt::format("{} ({}) has room for {} nodes, the pools' max_nodes are {} together", what,
                                     range_text, room, needed),
                         "use a larger one (cloud.azure.subnet, or address_space for one that is made), or lower "
                         "max_nodes"});
  }
  e.ok("subnet", fmt::format("{} ({}) has room for {} nodes, {} are needed", what, range_text, room, needed));
}

/// The first range of a subnet, which has one or several.
std::string range_of(JsonNode properties) {
  const std::string one = text(at(properties, "addressPrefix"));
  const JsonNode several = at(properties, "addressPrefixes");
  return one.empty() && count(several) > 0 ? text(several.element(0)) : one;
}

void check_subnet(Examination& e, const std::string& network_path, const std::vector<AddressRange>& spaces) {
  const AzureSettings& settings = e.settings;
  const auto answer = e.read(network_path + "/subnets/" + settings.subnet, ApiVersion::network);
  if (answer) {
    const auto document = JsonDocument::parse(answer->body);
    return check_room(e, settings.subnet, document ? range_of(at(document->root(), "properties")) : "");
  }
  if (!answer.error().says_absent()) {
    return e.report.add({"subnet", Verdict::failed, answer.error().text(), "let the identity read the network"});
  }
  const auto range = parse_address_range(settings.address_space);
  const bool fits = range && std::any_of(spaces.begin(), spaces.end(), [&](const auto& s) { return s.holds(*range); });
  if (fits) return check_room(e, settings.subnet + ", which is made with the first job,", settings.address_space);
  e.report.add({"subnet", Verdict::failed,
                fmt::format("{} is not there, and {} does not lie in network {}", settings.subnet,
                            settings.address_space, settings.network),
                "write a free range of that network into cloud.azure.address_space, or name a subnet that is there"});
}

void check_spaces(Examination& e, const std::vector<AddressRange>& spaces) {
  const std::string& name = e.settings.network;
  if (!touches_infiniband(spaces)) return e.ok("network", name + " is there");
  e.report.add({"network", Verdict::failed, name + " has addresses of 172.16.0.0/16, which Azure's InfiniBand uses",
                "name another network in cloud.azure.network"});
}

Arm<HttpAnswer> read_image(Examination& e) {
  const std::string& image = e.settings.image;
  const auto name = parse_image_name(image);
  if (!name) {
    const bool in_gallery = lower(image).find("/galleries/") != std::string::npos;
    return e.read(image, in_gallery ? ApiVersion::galleries : ApiVersion::compute);
  }
  std::string path = fmt::format(
      "{}/providers/Microsoft.Compute/locations/{}/publishers/{}/artifacttypes/vmimage/offers/{}/skus/{}/versions",
      e.subscription_path(), e.settings.region, name->publisher, name->offer, name->sku);
  if (name->version != "latest") path.append("/").append(name->version);
  return e.read(std::move(path), ApiVersion::compute);
}

void check_sets(Examination& e, const Pool& pool, const std::string& what) {
  const AzurePool placed = e.settings.pool(pool.name);
  const std::uint32_t most = set_nodes_of(placed, pool);
  if (shape_of(placed, pool) != SetShape::uniform || most <= k_placement_group_nodes) return;
  e.report.add({what, Verdict::warning,
                fmt::format("set_nodes_max is {}, and a placement group holds {} VMs unless support raised that", most,
                            k_placement_group_nodes),
                fmt::format("ask support for placement groups of 300 VMs, or write set_nodes_max = {}",
                            k_placement_group_nodes)});
}

void check_quota(Examination& e, const Pool& pool, const std::string& what, const QuotaUse* quota,
                 const SizeFacts& size) {
  if (quota == nullptr || size.vcpus == 0) {
    return e.report.add({what, Verdict::warning, "Azure does not tell this quota", "look at it in the portal"});
  }
  const std::uint64_t ever = quota->limit / size.vcpus;
  const std::string text =
      fmt::format("{}: {} of {} vCPUs are used, {} more nodes of {} would fit; max_nodes is {}", quota->name,
                  quota->used, quota->limit, quota->left() / size.vcpus, size.name, pool.max_nodes);
  if (quota->left() / size.vcpus >= pool.max_nodes) return e.ok(what, text);
  e.report.add({what, ever == 0 ? Verdict::failed : Verdict::warning, text,
                fmt::format("ask for {} vCPUs of {} in {} (portal: Quotas), or lower max_nodes",
                            std::uint64_t{pool.max_nodes} * size.vcpus, quota->name, e.settings.region)});
}

void check_pool(Examination& e, const Pool& pool, const Catalogue& catalogue) {
  const std::string what = "pool " + pool.name;
  const SizeFacts* size = catalogue.size_of(pool.sku.name);
  check_sets(e, pool, what + " scale sets");
  if (size == nullptr) {
    return e.report.add({what + " size", Verdict::failed,
                         fmt::format("{} is not offered in {}", pool.sku.name, catalogue.region),
                         "see `virga offers --market --sku` for regions, and `az vm list-skus` for sizes"});
  }
  const bool is_spot = pool.purchase == Purchase::spot;
  if (!size->restriction.empty()) {
    e.report.add({what + " size", Verdict::failed,
                  fmt::format("{} is restricted in {}: {}", size->name, catalogue.region, size->restriction),
                  "ask support for access to the size in that region, or use another size or region"});
  } else if (is_spot && !size->can_be_spot) {
    e.report.add(
        {what + " size", Verdict::failed, size->name + " cannot be had as spot VMs", "write purchase = \"on_demand\""});
  } else if (!size->zones_shut.empty()) {
    e.report.add({what + " size", Verdict::warning,
                  fmt::format("{} is restricted: {}", size->name, size->restriction_text()),
                  "there are fewer machines than the region has; ask support for access to those zones"});
  } else {
    e.ok(what + " size", fmt::format("{} is offered in {}", size->name, catalogue.region));
  }
  if (is_spot) return check_quota(e, pool, what + " spot quota", catalogue.quota_of(k_spot_quota), *size);
  check_quota(e, pool, what + " quota", catalogue.quota_of(size->family), *size);
  check_quota(e, pool, what + " regional quota", catalogue.quota_of(k_regional_quota), *size);
}

}  // namespace

void check_group(Examination& e) {
  const auto answer = e.read(e.client.group_path(), ApiVersion::resources);
  const std::string& name = e.settings.resource_group;
  if (answer) {
    e.ok("group", name + " is there");
    return check_permissions(e);
  }
  if (!answer.error().says_absent()) {
    return e.report.add({"group", Verdict::failed, answer.error().text(),
                         fmt::format("give the identity a role on {}", e.client.group_path())});
  }
  e.ok("group", name + " is not there yet; it is made with the first job");
  e.report.add({"permissions", Verdict::skipped, "are told of a group that is there",
                fmt::format("az group create -n {} -l {}, then ask again", name, e.settings.region)});
}

void check_network(Examination& e) {
  const AzureSettings& settings = e.settings;
  const std::string path =
      fmt::format("{}/providers/Microsoft.Network/virtualNetworks/{}", e.client.group_path(), settings.network);
  const auto answer = e.read(path, ApiVersion::network);
  if (answer) {
    const std::vector<AddressRange> spaces = spaces_of(answer->body);
    check_spaces(e, spaces);
    return check_subnet(e, path, spaces);
  }
  if (!answer.error().says_absent()) {
    return e.report.add({"network", Verdict::failed, answer.error().text(), "let the identity read the network"});
  }
  e.ok("network", settings.network + " is not there yet; it is made with the first job");
  check_room(e, settings.subnet + ", which is made with it,", settings.address_space);
}

void check_image(Examination& e) {
  const auto answer = read_image(e);
  if (answer) {
    const auto document = JsonDocument::parse(answer->body);
    const JsonNode root = document ? document->root() : JsonNode();
    const bool is_empty = root && root.kind() == JsonNode::Kind::array && root.size() == 0;
    if (!is_empty) return e.ok("image", e.settings.image + " is there");
  }
  const std::string why = answer ? "it has no version in " + e.settings.region : answer.error().text();
  e.report.add(
      {"image", Verdict::failed, e.settings.image + ": " + why,
       "write publisher:offer:sku:version (az vm image list --all), or an image's id, into cloud.azure.image"});
}

void check_pools(Examination& e) {
  if (e.pools.empty()) {
    return e.report.add(
        {"pools", Verdict::warning, "no pool is Azure's", "write a [pool.NAME] with cloud = \"azure\""});
  }
  const auto catalogue = read_catalogue(e.client, e.settings.region);
  if (!catalogue) {
    return e.report.add({"pools", Verdict::failed, catalogue.error().text(),
                         "let the identity read Microsoft.Compute/skus and locations/usages (role Reader)"});
  }
  for (const Pool& pool : e.pools) check_pool(e, pool, *catalogue);
}

}  // namespace virga::azure
