// What VMs bring along: members of Flexible sets, and the interfaces and disks that are resources of their own.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::string_view k_vm_type = "Microsoft.Compute/virtualMachines";

/// What the set's profile says of the interfaces of its members.
json::object card_profile_of(const Resource& set) {
  const json::array* cards =
      array_at(*set.body, "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations");
  const bool has_one = cards != nullptr && !cards->empty() && cards->front().is_object();
  return has_one ? cards->front().get_object() : json::object();
}

void attach_card(World& world, const Machine& machine, const Resource& set, Time now) {
  const json::object profile = card_profile_of(set);
  const Target target = resource_target(world.scenario.subscription, set.group, "Microsoft.Network",
                                        {"networkInterfaces"}, {machine.spec.name + "-nic"});
  Resource& card = world.resources.put(target, set.location, now, world.scenario.list_lag);
  json::object body = interface_of(machine);
  for (const char* key : {"id", "name", "type", "location"}) body.erase(key);
  if (const json::value* tags = profile.if_contains("tags")) body["tags"] = *tags;
  const std::string ip = card.id + "/ipConfigurations/ipconfig1";
  find_at(body, "properties.ipConfigurations")->get_array().front().get_object()["id"] = ip;
  card.body = Document(std::move(body));
  json::object reference{{"id", card.id}, {"properties", {{"primary", true}}}};
  const std::string option = text_at(profile, "properties.deleteOption");
  make_at(reference, "properties.deleteOption") = option.empty() ? "Detach" : option;
  Resource& vm = *world.resources.find(machine.spec.id);
  make_at(*vm.body, "properties.networkProfile.networkInterfaces") = json::array({std::move(reference)});
  world.machines.find(machine.number)->owns_address = false;  // it stays the interface's, which may outlive the VM
}

void attach_disk(World& world, const Machine& machine, const Resource& set, Time now) {
  const Target target = resource_target(world.scenario.subscription, set.group, "Microsoft.Compute", {"disks"},
                                        {machine.spec.name + "_OsDisk_1"});
  Resource& disk = world.resources.put(target, set.location, now, world.scenario.list_lag);
  json::object body;
  if (const json::value* tags = (*set.body).if_contains("tags")) body["tags"] = *tags;
  body["managedBy"] = machine.spec.id;
  body["properties"] = {{"diskState", "Attached"}, {"osType", "Linux"}, {"diskSizeGB", 30}};
  disk.body = Document(std::move(body));
  Resource& vm = *world.resources.find(machine.spec.id);
  json::object& properties = find_at(*vm.body, "properties")->get_object();
  make_at(properties, "storageProfile.osDisk.name") = disk.name;
  make_at(properties, "storageProfile.osDisk.createOption") = "FromImage";
  make_at(properties, "storageProfile.osDisk.managedDisk.id") = disk.id;
}

/// Azure's default for the disks of a Flexible set is to delete them.
void release_disk(World& world, const Resource& vm) {
  Resource* disk = world.resources.find(text_at(*vm.body, "properties.storageProfile.osDisk.managedDisk.id"));
  if (disk == nullptr) return;
  if (same_word(text_at(*vm.body, "properties.storageProfile.osDisk.deleteOption"), "Detach")) {
    (*disk->body).erase("managedBy");
    make_at(*disk->body, "properties.diskState") = "Unattached";
  } else {
    world.resources.erase(std::string(disk->id));
  }
}

}  // namespace

Resource& make_member(World& world, const MachineSpec& spec, const Resource& set, Time now) {
  const Target target =
      resource_target(world.scenario.subscription, set.group, "Microsoft.Compute", {"virtualMachines"}, {spec.name});
  Resource& resource = world.resources.put(target, spec.location, now, world.scenario.list_lag);
  json::object body;
  if (const json::value* tags = (*set.body).if_contains("tags")) body["tags"] = *tags;
  if (!spec.zone.empty()) body["zones"] = json::array({json::string(spec.zone)});
  json::object& properties = body["properties"].emplace_object();
  properties["hardwareProfile"] = {{"vmSize", spec.size->name}};
  properties["virtualMachineScaleSet"] = {{"id", set.id}};
  if (const json::object* profile = object_at(*set.body, "properties.virtualMachineProfile")) {
    for (const char* key : {"storageProfile", "priority", "evictionPolicy", "billingProfile"}) {
      if (const json::value* value = profile->if_contains(key)) properties[key] = *value;
    }
  }
  make_at(properties, "osProfile.computerName") = spec.name;
  resource.body = Document(std::move(body));
  return resource;
}

void attach_belongings(World& world, const Machine& machine, const Resource& set, Time now) {
  attach_card(world, machine, set, now);
  attach_disk(world, machine, set, now);
}

void release_machine(World& world, const std::string& id) {
  const Resource* resource = world.resources.find(id);
  if (resource == nullptr || resource->type != k_vm_type) return;
  release_disk(world, *resource);
  const json::array* cards = array_at(*resource->body, "properties.networkProfile.networkInterfaces");
  for (std::size_t i = 0; cards != nullptr && i < cards->size(); ++i) {
    const json::object* reference = cards->at(i).if_object();
    Resource* card = reference == nullptr ? nullptr : world.resources.find(text_at(*reference, "id"));
    if (card == nullptr) continue;
    if (same_word(text_at(*reference, "properties.deleteOption"), "Delete")) {
      release_resource(world, *card);
      world.resources.erase(std::string(card->id));
    } else {
      erase_at(*card->body, "properties.virtualMachine");
    }
  }
  world.resources.erase(id);
}

}  // namespace virga::arm
