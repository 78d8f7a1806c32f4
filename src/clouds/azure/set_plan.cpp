#include "clouds/azure/set_plan.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <charconv>
#include <map>
#include <optional>

#include "wire/json_codec.hpp"

namespace virga::azure {
namespace {

constexpr std::size_t k_longest_name = 64;
constexpr std::size_t k_longest_prefix = 50;  ///< of a host's name, which gets six characters more

std::optional<std::uint32_t> number_of(const Pool& pool, std::string_view name) {
  if (!name.starts_with(pool.node_prefix)) return std::nullopt;
  name.remove_prefix(pool.node_prefix.size());
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  const bool whole = parsed.ec == std::errc() && parsed.ptr == name.data() + name.size();
  return whole && number > 0 ? std::optional(number) : std::nullopt;
}

std::string base64(const std::string& text) {
  std::string result(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(result.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  result.resize(static_cast<std::size_t>(size));
  return result;
}

/// A host's name has no dots or underscores.
std::string host_prefix(const std::string& set) {
  std::string prefix = set.substr(0, k_longest_prefix);
  for (char& c : prefix) {
    if (c == '_' || c == '.') c = '-';
  }
  return prefix + "-";
}

void write_image(JsonWriter& w, const std::string& image) {
  w.key("imageReference");
  w.begin_object();
  if (image.starts_with('/')) {
    w("id", image);
  } else {
    constexpr std::string_view k_parts[] = {"publisher", "offer", "sku", "version"};
    std::string_view rest = image;
    for (const std::string_view part : k_parts) {
      w(part, rest.substr(0, rest.find(':')));
      rest.remove_prefix(
          std::min(rest.size(), rest.find(':') == std::string_view::npos ? rest.size() : rest.find(':') + 1));
    }
  }
  w.end_object();
}

void write_os(JsonWriter& w, const AzureSettings& settings, const std::string& set, const std::string& join_script,
              const std::string& ssh_key) {
  w.key("osProfile");
  w.begin_object();
  w("computerNamePrefix", host_prefix(set));
  w("adminUsername", settings.admin_user);
  if (!join_script.empty()) w("customData", base64(join_script));
  w.key("linuxConfiguration");
  w.begin_object();
  w("disablePasswordAuthentication", true);
  if (!ssh_key.empty()) {
    w.key("ssh");
    w.begin_object();
    w.key("publicKeys");
    w.begin_array();
    w.begin_object();
    w("path", fmt::format("/home/{}/.ssh/authorized_keys", settings.admin_user));
    w("keyData", ssh_key);
    w.end_object();
    w.end_array();
    w.end_object();
  }
  w.end_object();
  w.end_object();
}

void write_network(JsonWriter& w, const AzureSettings& settings) {
  w.key("networkProfile");
  w.begin_object();
  w.key("networkInterfaceConfigurations");
  w.begin_array();
  w.begin_object();
  w("name", "nic");
  w.key("properties");
  w.begin_object();
  w("primary", true);
  w("enableAcceleratedNetworking", true);
  w.key("ipConfigurations");
  w.begin_array();
  w.begin_object();
  w("name", "ipconfig");
  w.key("properties");
  w.begin_object();
  w("primary", true);
  w.key("subnet");
  w.begin_object();
  w("id", fmt::format("/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/virtualNetworks/{}/subnets/{}",
                      settings.subscription, settings.resource_group, settings.network, settings.subnet));
  w.end_object();
  w.end_object();
  w.end_object();
  w.end_array();
  w.end_object();
  w.end_object();
  w.end_array();
  w.end_object();
}

void write_profile(JsonWriter& w, const AzureSettings& settings, const Pool& pool, const std::string& set,
                   const std::string& join_script, const std::string& ssh_key) {
  w.key("virtualMachineProfile");
  w.begin_object();
  if (pool.purchase == Purchase::spot) {
    // A deallocated Spot VM would still hold quota and disks. The price alone never ends one.
    w("priority", "Spot");
    w("evictionPolicy", "Delete");
    w.key("billingProfile");
    w.begin_object();
    w("maxPrice", -1);
    w.end_object();
  }
  w.key("storageProfile");
  w.begin_object();
  write_image(w, settings.image);
  w.key("osDisk");
  w.begin_object();
  w("createOption", "FromImage");
  w("caching", "ReadWrite");
  w.end_object();
  w.end_object();
  write_os(w, settings, set, join_script, ssh_key);
  write_network(w, settings);
  w.end_object();
}

}  // namespace

std::string set_name(const std::string& cluster, const std::string& pool, std::uint32_t number) {
  return fmt::format("virga-{}-{}-{}", cluster, pool, number);
}

Result<std::vector<SetShare>> plan_gang(const ReserveGang& command, const std::string& cluster) {
  const Pool& pool = command.pool;
  const std::uint32_t most = pool.set_nodes_max == 0 ? k_set_nodes_default : pool.set_nodes_max;
  std::map<std::uint32_t, SetShare> shares;
  for (std::size_t place = 0; place < command.vms.size(); ++place) {
    const std::string& name = command.vms[place].name;
    const auto number = number_of(pool, name);
    if (!number) {
      return fail(Code::invalid, fmt::format("node \"{}\" has no number of pool {}; such names are {}1, {}2 and so on",
                                             name, pool.name, pool.node_prefix, pool.node_prefix));
    }
    SetShare& share = shares[(*number - 1) / most + 1];
    share.places.push_back(place);
  }
  std::vector<SetShare> result;
  for (auto& [number, share] : shares) {
    share.number = number;
    share.set = set_name(cluster, pool.name, number);
    if (share.set.size() > k_longest_name) {
      return fail(Code::invalid, fmt::format("the scale set's name \"{}\" has more than {} characters; shorten the "
                                             "cluster's or the pool's",
                                             share.set, k_longest_name));
    }
    result.push_back(std::move(share));
  }
  return result;
}

std::string put_body(const AzureSettings& settings, const Pool& pool, const std::string& set, std::uint32_t capacity,
                     const std::string& join_script, const std::string& ssh_key) {
  JsonWriter w;
  w.begin_object();
  w("location", settings.region);
  w.key("tags");
  w.begin_object();
  w(k_tag_cluster, settings.cluster);
  w(k_tag_pool, pool.name);
  w(k_tag_set, set);
  w.end_object();
  w.key("sku");
  w.begin_object();
  w("name", pool.sku.name);
  w("tier", "Standard");
  w("capacity", capacity);
  w.end_object();
  w.key("properties");
  w.begin_object();
  w("orchestrationMode", "Uniform");
  w("singlePlacementGroup", true);
  w("platformFaultDomainCount", 1);
  w("overprovision", false);  // it would make a fifth more VMs and addresses for a while
  w.key("upgradePolicy");
  w.begin_object();
  w("mode", "Manual");
  w.end_object();
  write_profile(w, settings, pool, set, join_script, ssh_key);
  w.end_object();
  w.end_object();
  return w.take();
}

std::string patch_body(std::uint32_t capacity) { return fmt::format(R"({{"sku":{{"capacity":{}}}}})", capacity); }

std::string instances_body(const std::vector<std::string>& instance_ids) {
  JsonWriter w;
  w.begin_object();
  w("instanceIds", instance_ids);
  w.end_object();
  return w.take();
}

}  // namespace virga::azure
