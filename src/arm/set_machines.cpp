// The instances of a Uniform scale set, one by one, and their network interfaces.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::string_view k_type = "Microsoft.Compute/virtualMachineScaleSets";

std::string set_id_of(const Target& target) {
  return fmt::format("/subscriptions/{}/resourceGroups/{}/providers/{}/{}", target.subscription, target.group, k_type,
                     target.names.front());
}

json::object view_of_instance(const Resource& set, const Machine& machine, bool with_instance_view) {
  const json::object& body = *set.body;
  json::object view;
  view["name"] = machine.spec.name;
  view["id"] = machine.spec.id;
  view["type"] = std::string(k_type) + "/virtualMachines";
  view["location"] = machine.spec.location;
  view["instanceId"] = machine.spec.instance_id;
  view["sku"] = {{"name", machine.spec.size->name}, {"tier", "Standard"}};
  if (const json::value* tags = body.if_contains("tags")) view["tags"] = *tags;
  if (!machine.spec.zone.empty()) view["zones"] = json::array({json::string(machine.spec.zone)});
  json::object& properties = view["properties"].emplace_object();
  properties["latestModelApplied"] = true;
  properties["modelDefinitionApplied"] = "VirtualMachineScaleSet";
  properties["vmId"] = machine.vm_id;
  properties["provisioningState"] = name_of(machine.provisioning);
  properties["hardwareProfile"] = {{"vmSize", machine.spec.size->name}};
  json::object card;
  card["id"] = text_at(interface_of(machine), "id");
  card["properties"] = {{"primary", true}};
  properties["networkProfile"] = {{"networkInterfaces", json::array({std::move(card)})}};
  if (const json::object* profile = object_at(body, "properties.virtualMachineProfile")) {
    json::object shown = *profile;
    hide_secrets(shown);
    if (const json::value* storage = shown.if_contains("storageProfile")) properties["storageProfile"] = *storage;
    json::object os = object_at(shown, "osProfile") != nullptr ? *object_at(shown, "osProfile") : json::object();
    os.erase("computerNamePrefix");
    os["computerName"] = machine.spec.name;
    properties["osProfile"] = std::move(os);
    if (const json::value* network = find_at(shown, "networkProfile.networkInterfaceConfigurations")) {
      make_at(properties, "networkProfileConfiguration.networkInterfaceConfigurations") = *network;
    }
  }
  if (with_instance_view) properties["instanceView"] = instance_view_of(machine);
  return view;
}

std::vector<const Machine*> listed(const World& world, const std::string& set, Time now) {
  std::vector<const Machine*> machines = world.machines.of_set(set);
  std::erase_if(machines, [&](const Machine* machine) { return machine->listed_from > now; });
  return machines;
}

/// $filter as the documentation allows it: startswith(instanceView/statuses/code, 'PowerState') eq true, and the same
/// with properties/latestModelApplied; only the power states choose anything here.
bool passes_filter(const Call& call, const Machine& machine) {
  const std::string filter = lower_case(call.target.query_value("$filter"));
  const std::size_t at = filter.find("'powerstate/");
  if (at == std::string::npos) return true;
  return filter.substr(at + 12).starts_with(name_of(machine.power));
}

Answer list_instances(World& world, const Call& call, const Resource& set) {
  auto machines = listed(world, set.id, call.now);
  std::erase_if(machines, [&](const Machine* machine) { return !passes_filter(call, *machine); });
  const bool expanded = lower_case(call.target.query_value("$expand")).find("instanceview") != std::string::npos ||
                        lower_case(call.target.query_value("$select")).find("instanceview") != std::string::npos;
  return list_answer(world, call, machines.size(),
                     [&](std::size_t i) { return view_of_instance(set, *machines[i], expanded); });
}

Answer simulate_eviction(World& world, const Call& call, const Machine& machine) {
  if (!machine.spec.spot) {
    return refusal(409, "OperationNotAllowed", "The operation 'simulateEviction' is only allowed on Spot VMs.");
  }
  world.machines.evict(machine.number, world.scenario.spot_notice, call.now);
  return Answer{.status = 204, .headers = {}, .body = {}};
}

Answer update_instance(World& world, const Call& call, const Resource& set, const Machine& machine) {
  const Operation& operation = begin_operation(world, call, set.location, "");
  world.operations.end_at(operation.id, call.now + world.scenario.write_time);
  Answer answer = json_answer(200, view_of_instance(set, machine, false));
  add_operation(answer, world, call, operation);
  return answer;
}

}  // namespace

Answer answer_set_machines(World& world, const Call& call) {
  const Target& target = call.target;
  Resource* set = world.resources.find(set_id_of(target));
  if (set == nullptr) {
    if (call.is("DELETE")) return Answer{.status = 204, .headers = {}, .body = {}};
    return refusal(404, "ResourceNotFound",
                   fmt::format("The Resource '{}/{}' under resource group '{}' was not found.", k_type,
                               target.names.front(), target.group));
  }
  if (call.is_list) return list_instances(world, call, *set);
  Machine* machine = world.machines.find(target.id());
  if (machine == nullptr && call.is("DELETE")) return Answer{.status = 204, .headers = {}, .body = {}};
  if (machine == nullptr) {
    return refusal(
        404, "ResourceNotFound",
        fmt::format("The entity with instance id '{}' was not found in scale set '{}'.", target.name(), set->name));
  }
  if (call.is("POST") && target.tail_key == "simulateeviction") return simulate_eviction(world, call, *machine);
  if (call.is("POST") || call.is("DELETE")) {
    const std::string action = call.is("DELETE") ? "delete" : target.tail_key;
    if (auto answer = act_on_machines(world, call, action, {machine->number}, set->location)) return *answer;
    return method_not_allowed(call);
  }
  if (call.is("PUT")) return update_instance(world, call, *set, *machine);
  if (!call.is("GET")) return method_not_allowed(call);
  if (target.tail_key == "instanceview") return json_answer(200, instance_view_of(*machine));
  if (!target.tail.empty()) return method_not_allowed(call);
  const bool expanded = lower_case(target.query_value("$expand")) == "instanceview";
  return json_answer(200, view_of_instance(*set, *machine, expanded));
}

Answer answer_set_interfaces(World& world, const Call& call) {
  const Target& target = call.target;
  if (!call.is("GET")) return method_not_allowed(call);
  const std::string set = set_id_of(target);
  if (world.resources.find(set) == nullptr) return resource_not_found(call);
  auto machines = listed(world, set, call.now);
  if (target.names.size() > 1) {
    std::erase_if(machines, [&](const Machine* m) { return !same_word(m->spec.instance_id, target.names[1]); });
  }
  if (call.is_list) {
    return list_answer(world, call, machines.size(), [&](std::size_t i) { return interface_of(*machines[i]); });
  }
  return machines.empty() ? resource_not_found(call) : json_answer(200, interface_of(*machines.front()));
}

}  // namespace virga::arm
