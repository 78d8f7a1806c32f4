#include "clouds/azure/set_body.hpp"

#include <fmt/format.h>

#include "clouds/azure/image_name.hpp"
#include "wire/encodings.hpp"
#include "wire/json_codec.hpp"

namespace virga::azure {
namespace {

constexpr std::size_t k_longest_prefix = 50;  ///< of a host's name, which gets six characters more
/// A Flexible set makes its interfaces in this version, and must name one.
constexpr std::string_view k_network_version = "2020-11-01";

struct Plan {
  const AzureSettings& settings;
  const Pool& pool;
  const NewSet& set;
  AzurePool placed;
  SetShape shape;

  bool flexible() const { return shape == SetShape::flexible; }
};

/// A host's name has no dots or underscores.
std::string host_prefix(const std::string& set) {
  std::string prefix = set.substr(0, k_longest_prefix);
  for (char& c : prefix) {
    if (c == '_' || c == '.') c = '-';
  }
  return prefix + "-";
}

/// Nothing where there is no such resource.
void write_reference(JsonWriter& w, std::string_view name, const std::string& id) {
  if (id.empty()) return;
  w.key(name);
  w.begin_object();
  w("id", id);
  w.end_object();
}

/// {profile: {name: {id}}}
void write_profile_of(JsonWriter& w, std::string_view profile, std::string_view name, const std::string& id) {
  if (id.empty()) return;
  w.key(profile);
  w.begin_object();
  write_reference(w, name, id);
  w.end_object();
}

void write_tags(JsonWriter& w, const Plan& plan) {
  w.key("tags");
  w.begin_object();
  w(k_tag_cluster, plan.settings.cluster);
  w(k_tag_pool, plan.pool.name);
  w(k_tag_set, plan.set.name);
  w.end_object();
}

void write_image(JsonWriter& w, const std::string& image) {
  w.key("imageReference");
  w.begin_object();
  if (const auto name = parse_image_name(image)) {
    w("publisher", name->publisher);
    w("offer", name->offer);
    w("sku", name->sku);
    w("version", name->version);
  } else {
    w("id", image);
  }
  w.end_object();
}

void write_storage(JsonWriter& w, const Plan& plan) {
  w.key("storageProfile");
  w.begin_object();
  write_image(w, plan.settings.image);
  w.key("osDisk");
  w.begin_object();
  w("createOption", "FromImage");
  w("caching", "ReadWrite");
  if (plan.flexible()) w("deleteOption", "Delete");
  w.end_object();
  w.end_object();
}

void write_os(JsonWriter& w, const AzureSettings& settings, const NewSet& set) {
  w.key("osProfile");
  w.begin_object();
  w("computerNamePrefix", host_prefix(set.name));
  w("adminUsername", settings.admin_user);
  if (!set.join_script.empty()) w("customData", to_base64(set.join_script));
  w.key("linuxConfiguration");
  w.begin_object();
  w("disablePasswordAuthentication", true);
  if (!set.ssh_key.empty()) {
    w.key("ssh");
    w.begin_object();
    w.key("publicKeys");
    w.begin_array();
    w.begin_object();
    w("path", fmt::format("/home/{}/.ssh/authorized_keys", settings.admin_user));
    w("keyData", set.ssh_key);
    w.end_object();
    w.end_array();
    w.end_object();
  }
  w.end_object();
  w.end_object();
}

void write_address(JsonWriter& w, const AzureSettings& settings) {
  w.key("ipConfigurations");
  w.begin_array();
  w.begin_object();
  w("name", "ipconfig");
  w.key("properties");
  w.begin_object();
  w("primary", true);
  write_reference(w, "subnet",
                  fmt::format("/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Network/virtualNetworks/{}/"
                              "subnets/{}",
                              settings.subscription, settings.resource_group, settings.network, settings.subnet));
  w.end_object();
  w.end_object();
  w.end_array();
}

void write_network(JsonWriter& w, const Plan& plan) {
  w.key("networkProfile");
  w.begin_object();
  if (plan.flexible()) w("networkApiVersion", k_network_version);
  write_profile_of(w, "interconnectGroupProfile", "interconnectGroup", plan.placed.interconnect_group);
  w.key("networkInterfaceConfigurations");
  w.begin_array();
  w.begin_object();
  w("name", "nic");
  if (plan.flexible()) write_tags(w, plan);  // interfaces of a Uniform set are part of it
  w.key("properties");
  w.begin_object();
  w("primary", true);
  w("enableAcceleratedNetworking", true);
  if (plan.flexible()) w("deleteOption", "Delete");
  write_address(w, plan.settings);
  w.end_object();
  w.end_object();
  w.end_array();
  w.end_object();
}

void write_profile(JsonWriter& w, const Plan& plan) {
  w.key("virtualMachineProfile");
  w.begin_object();
  if (plan.pool.purchase == Purchase::spot) {
    // A deallocated Spot VM would still hold quota and disks. The price alone never ends one.
    w("priority", "Spot");
    w("evictionPolicy", "Delete");
    w.key("billingProfile");
    w.begin_object();
    w("maxPrice", -1);
    w.end_object();
  }
  write_storage(w, plan);
  write_os(w, plan.settings, plan.set);
  write_network(w, plan);
  write_profile_of(w, "capacityReservation", "capacityReservationGroup", plan.placed.capacity_reservation_group);
  write_profile_of(w, "interconnectBlockProfile", "interconnectBlock", plan.placed.interconnect_block);
  w.end_object();
}

void write_properties(JsonWriter& w, const Plan& plan) {
  w.key("properties");
  w.begin_object();
  w("orchestrationMode", plan.flexible() ? "Flexible" : "Uniform");
  w("singlePlacementGroup", plan.shape == SetShape::uniform);
  w("platformFaultDomainCount", 1);
  if (!plan.flexible()) {
    w("overprovision", false);  // it would make a fifth more VMs and addresses for a while
    w.key("upgradePolicy");
    w.begin_object();
    w("mode", "Manual");
    w.end_object();
  }
  write_reference(w, "proximityPlacementGroup", plan.placed.proximity_placement_group);
  write_profile(w, plan);
  w.end_object();
}

/// Interfaces with tags, interconnects and block reservations are younger than the rest.
ApiVersion version_of(const Plan& plan) {
  const AzurePool& placed = plan.placed;
  const bool is_new = plan.flexible() || !placed.interconnect_block.empty() || !placed.interconnect_group.empty() ||
                      placed.reservation_type == ReservationType::block;
  return is_new ? ApiVersion::compute_newest : ApiVersion::compute;
}

}  // namespace

SetBody put_body(const AzureSettings& settings, const Pool& pool, const NewSet& set) {
  const AzurePool placed = settings.pool(pool.name);
  const Plan plan{settings, pool, set, placed, shape_of(placed, pool)};
  JsonWriter w;
  w.begin_object();
  w("location", settings.region);
  if (!placed.zones.empty()) w("zones", placed.zones);
  write_tags(w, plan);
  w.key("sku");
  w.begin_object();
  w("name", pool.sku.name);
  w("tier", "Standard");
  w("capacity", set.capacity);
  w.end_object();
  write_properties(w, plan);
  w.end_object();
  return {w.take(), version_of(plan), plan.flexible()};
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
