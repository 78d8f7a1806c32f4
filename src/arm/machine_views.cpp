// What machines look like in answers, and what a profile says of the machines to be.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/encodings.hpp"
#include "wire/json_codec.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

std::string_view display_of(Power power) {
  switch (power) {
    case Power::starting:
      return "VM starting";
    case Power::running:
      return "VM running";
    case Power::stopped:
      return "VM stopped";
    case Power::deallocated:
      return "VM deallocated";
  }
  return "";
}

std::string interface_name(const Machine& machine) { return machine.spec.name + "-nic"; }

/// "00-0D-3A-…": Microsoft's prefix, then the last bytes of the VM's id.
std::string mac_of(const Machine& machine) {
  std::string tail = machine.vm_id.substr(machine.vm_id.size() - 6);
  for (char& c : tail) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return fmt::format("00-0D-3A-{}-{}-{}", tail.substr(0, 2), tail.substr(2, 2), tail.substr(4, 2));
}

}  // namespace

json::object instance_view_of(const Machine& machine) {
  json::object view;
  const bool is_uniform = machine.spec.instance_id != machine.spec.name;
  if (is_uniform) {
    view["placementGroupId"] = "00000000-0000-0000-0000-000000000000";
    view["platformUpdateDomain"] = 0;
    view["platformFaultDomain"] = 0;
  }
  if (!is_uniform) view["computerName"] = machine.spec.name;
  if (!machine.spec.subgroup.empty()) {
    view["interconnectInstanceView"] = {{"interconnectSubgroupId", machine.spec.subgroup}};
  }
  json::array& statuses = view["statuses"].emplace_array();
  const std::string state = lower_case(name_of(machine.provisioning));
  json::object provisioning;
  provisioning["code"] =
      machine.error_code.empty() ? "ProvisioningState/" + state : "ProvisioningState/failed/" + machine.error_code;
  provisioning["level"] = machine.error_code.empty() ? "Info" : "Error";
  provisioning["displayStatus"] = "Provisioning " + state;
  if (!machine.error_message.empty()) provisioning["message"] = machine.error_message;
  provisioning["time"] = iso8601(machine.booted.is_set() ? machine.booted : machine.created);
  statuses.push_back(std::move(provisioning));
  statuses.push_back({{"code", "PowerState/" + std::string(name_of(machine.power))},
                      {"level", "Info"},
                      {"displayStatus", display_of(machine.power)}});
  return view;
}

json::object interface_of(const Machine& machine) {
  const std::string id = machine.spec.id + "/networkInterfaces/" + interface_name(machine);
  json::object configuration;
  configuration["name"] = "ipconfig1";
  configuration["id"] = id + "/ipConfigurations/ipconfig1";
  json::object& properties = configuration["properties"].emplace_object();
  properties["provisioningState"] = "Succeeded";
  properties["privateIPAddress"] = machine.address;
  properties["privateIPAllocationMethod"] = "Dynamic";
  properties["privateIPAddressVersion"] = "IPv4";
  properties["primary"] = true;
  if (!machine.spec.subnet.empty()) properties["subnet"] = {{"id", machine.spec.subnet}};
  json::object view;
  view["name"] = interface_name(machine);
  view["id"] = id;
  view["type"] = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/networkInterfaces";
  json::object& inner = view["properties"].emplace_object();
  inner["provisioningState"] = "Succeeded";
  inner["primary"] = true;
  inner["macAddress"] = mac_of(machine);
  inner["enableAcceleratedNetworking"] = machine.spec.size->is_gpu_or_hpc();
  inner["ipConfigurations"] = json::array({std::move(configuration)});
  inner["virtualMachine"] = {{"id", machine.spec.id}};
  view["location"] = machine.spec.location;
  return view;
}

MachineSpec spec_from_profile(const json::object& profile) {
  MachineSpec spec;
  const std::string priority = text_at(profile, "priority");
  spec.spot = same_word(priority, "Spot") || same_word(priority, "Low");
  spec.eviction_deletes = same_word(text_at(profile, "evictionPolicy"), "Delete");
  std::string data = text_at(profile, "osProfile.customData");
  if (data.empty()) data = text_at(profile, "userData");
  spec.custom_data = from_base64(data).value_or(data);
  return spec;
}

void hide_secrets(json::object& properties) {
  for (const char* key : {"adminPassword", "customData", "userData", "protectedSettings"}) properties.erase(key);
  for (auto& [key, value] : properties) {
    if (json::object* inner = value.if_object()) hide_secrets(*inner);
    json::array* array = value.if_array();
    for (std::size_t i = 0; array != nullptr && i < array->size(); ++i) {
      if (json::object* element = array->at(i).if_object()) hide_secrets(*element);
    }
  }
}

json::object view_of_any(World& world, const Resource& resource) {
  if (resource.type == "Microsoft.Compute/virtualMachineScaleSets") return view_of_set(resource);
  if (resource.type == "Microsoft.Compute/virtualMachines") return view_of_machine(world, resource, false);
  if (resource.type == "Microsoft.Compute/capacityReservationGroups/capacityReservations") {
    return view_of_reservation(world, resource, false);
  }
  if (resource.type == "Microsoft.Compute/interconnectBlocks") return view_of_block(world, resource, false);
  json::object view = view_of(resource);
  json::value* properties = view.if_contains("properties");
  if (properties != nullptr && properties->is_object()) hide_secrets(properties->get_object());
  return view;
}

std::optional<Answer> check_restriction(const World& world, const MachineSpec& spec, const json::object& body) {
  std::vector<std::string> zones;
  if (const json::array* named = array_at(body, "zones")) {
    for (const json::value& zone : *named) zones.emplace_back(zone.is_string() ? zone.get_string().c_str() : "");
  }
  if (zones.empty()) zones.emplace_back();
  for (const std::string& zone : zones) {
    if (world.scenario.restriction_of(spec.location, spec.size->name, zone) == nullptr) continue;
    return refusal(409, "SkuNotAvailable",
                   fmt::format("The requested VM size for resource '{}' is currently not available in location '{}' "
                               "zones '{}' for subscription '{}'. Please try another size or deploy to a different "
                               "location or different zone. See https://aka.ms/azureskunotavailable for details.",
                               spec.size->name, spec.location, zone, world.scenario.subscription));
  }
  return std::nullopt;
}

void fail_allocation(World& world, const Operation& operation, const MachineSpec& spec, bool zonal) {
  const char* code = zonal ? "ZonalAllocationFailed" : spec.spot ? "SkuNotAvailable" : "AllocationFailed";
  world.operations.fail(operation.id, code, std::string(k_allocation_failed));
}

}  // namespace virga::arm
