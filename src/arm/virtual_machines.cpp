// Virtual machines: those on their own, and those of Flexible scale sets.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/json_codec.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::string_view k_type = "Microsoft.Compute/virtualMachines";

Answer invalid_parameter(std::string_view message) { return refusal(400, "InvalidParameter", message); }

/// The interfaces that a VM brings along are there, and are nobody else's.
std::optional<Answer> check_interfaces(World& world, const std::string& vm_id, const json::array& cards) {
  for (const json::value& value : cards) {
    const std::string id = value.is_object() ? text_at(value.get_object(), "id") : "";
    const Resource* card = world.resources.find(id);
    if (card == nullptr) {
      return refusal(400, "InvalidResourceReference",
                     fmt::format("Resource {} referenced by resource {} was not found.", id, vm_id));
    }
    const std::string user = text_at(*card->body, "properties.virtualMachine.id");
    if (!user.empty() && !same_word(user, vm_id)) {
      return refusal(400, "NicInUse",
                     fmt::format("Network Interface {} is used by existing resource {}.", card->id, user));
    }
  }
  return std::nullopt;
}

std::optional<Answer> attach_interfaces(World& world, const std::string& vm_id, const json::object& body,
                                        MachineSpec& spec) {
  const json::array* cards = array_at(body, "properties.networkProfile.networkInterfaces");
  if (cards == nullptr) return std::nullopt;
  if (auto refused = check_interfaces(world, vm_id, *cards)) return refused;
  for (const json::value& value : *cards) {
    Resource* card = world.resources.find(text_at(value.get_object(), "id"));
    make_at(*card->body, "properties.virtualMachine.id") = vm_id;
    const json::array* configurations = array_at(*card->body, "properties.ipConfigurations");
    if (!spec.address.empty() || configurations == nullptr || configurations->empty()) continue;
    const json::object* first = configurations->front().if_object();
    if (first == nullptr) continue;
    spec.subnet = text_at(*first, "properties.subnet.id");
    spec.address = text_at(*first, "properties.privateIPAddress");
  }
  return std::nullopt;
}

std::optional<Answer> check_set(World& world, const std::string& id) {
  if (id.empty()) return std::nullopt;
  const Resource* set = world.resources.find(id);
  if (set == nullptr) {
    return refusal(400, "InvalidResourceReference", fmt::format("The scale set {} was not found.", id));
  }
  if (same_word(text_at(*set->body, "properties.orchestrationMode"), "Flexible")) return std::nullopt;
  return invalid_parameter("A VM can be added to a scale set with orchestrationMode Flexible only.");
}

/// The provisioning states of a VM and its machine; those that are being deleted stay so.
void set_provisioning(World& world, const std::string& id, bool ok, const std::string& code,
                      const std::string& message) {
  Resource* resource = world.resources.find(id);
  if (resource == nullptr || resource->provisioning == "Deleting") return;
  resource->provisioning = ok ? "Succeeded" : "Failed";
  Machine* machine = world.machines.find(id);
  if (machine == nullptr || machine->is_deleting()) return;
  machine->provisioning = ok ? Provisioning::succeeded : Provisioning::failed;
  machine->error_code = code;
  machine->error_message = message;
}

void settle_machine(World& world, const std::string& id, const Operation& ended, Time now) {
  const bool recovers = ended.failure && ended.failure->kind == FailureKind::recovers;
  if (!recovers) {  // the machine knows by itself how its boot went
    Resource* resource = world.resources.find(id);
    if (resource == nullptr || resource->provisioning == "Deleting") return;
    resource->provisioning = ended.error_code.empty() ? "Succeeded" : "Failed";
    return;
  }
  set_provisioning(world, id, false, ended.error_code, ended.error_message);
  world.agenda.at(now + ended.failure->recovers_after, [&world, id, code = ended.error_code](Time) {
    const Machine* machine = world.machines.find(id);
    if (machine != nullptr && machine->error_code == code) set_provisioning(world, id, true, "", "");
  });
}

/// The machine behind a new VM, or what its operation says if there is no host for it.
void make_machine(World& world, Resource& resource, MachineSpec spec, const Operation& operation, Time now) {
  const bool reserved = !spec.reservation.empty();
  const bool fails = !operation.error_code.empty();  // as the scenario asked
  if (!reserved && !fails && world.machines.capacity_left(spec.location, *spec.size, now) == 0) {
    fail_allocation(world, operation, spec, !spec.zone.empty());
  }
  resource.provisioning = "Creating";
  if (!operation.error_code.empty()) return world.operations.end_at(operation.id, now + world.scenario.write_time);
  spec.operation = operation.id;
  world.operations.expect_machines(operation.id, 1);
  world.machines.create(std::move(spec), now);
}

std::optional<Answer> check_new(World& world, const json::object& body, MachineSpec& spec) {
  const std::string size = text_at(body, "properties.hardwareProfile.vmSize");
  spec.size = find_azure_size(size);
  if (spec.size == nullptr) {
    return invalid_parameter(fmt::format("The value '{}' provided for the VM size is not valid.", size));
  }
  spec.set = text_at(body, "properties.virtualMachineScaleSet.id");
  if (auto refused = check_set(world, spec.set)) return refused;
  const json::array* zones = array_at(body, "zones");
  if (zones != nullptr && !zones->empty() && zones->front().is_string())
    spec.zone = zones->front().get_string().c_str();
  if (auto refused = check_reservation_use(world, body, {"properties.", *spec.size, spec.spot, false})) return refused;
  if (auto refused = check_restriction(world, spec, body)) return refused;
  spec.reservation = reservation_for(world, body, "properties.", *spec.size);
  if (!spec.reservation.empty()) return std::nullopt;
  if (auto refused = world.machines.quota_refusal(spec.location, *spec.size, 1, spec.spot)) {
    return refusal(409, "OperationNotAllowed", *refused);
  }
  return std::nullopt;
}

Answer write_machine(World& world, const Call& call, Resource* old) {
  if (old == nullptr && call.is("PATCH")) return resource_not_found(call);
  if (old != nullptr && old->provisioning == "Deleting") {
    return refusal(409, "OperationNotAllowed",
                   fmt::format("Operation '{}' is not allowed on VM '{}' since the VM is marked for deletion.",
                               call.request.method, old->name));
  }
  const Result<Document> patch = parse_document(call.request.body);
  if (!patch) return refusal(400, "InvalidRequestContent", patch.error().message);
  Document body = old == nullptr ? Document() : old->body;
  merge(*body, **patch);
  for (const char* key : {"id", "name", "type", "etag"}) (*body).erase(key);
  std::string location;
  if (auto refused = check_location(world, *body, location)) return *refused;
  if (old != nullptr && !same_word(text_at(*old->body, "properties.hardwareProfile.vmSize"),
                                   text_at(*body, "properties.hardwareProfile.vmSize"))) {
    return refusal(409, "OperationNotAllowed", "The stand-in does not resize a VM; delete it and make a new one.");
  }
  const json::object* properties = object_at(*body, "properties");
  MachineSpec spec = properties == nullptr ? MachineSpec{} : spec_from_profile(*properties);
  spec.id = call.target.id();
  spec.name = call.target.name();
  spec.instance_id = spec.name;
  spec.location = location;
  const bool has_machine = world.machines.find(spec.id) != nullptr;
  if (!has_machine) {
    if (auto refused = check_new(world, *body, spec)) return *refused;
  }
  if (has_machine) {
    if (auto failed = fail_later(world, call, location)) return *failed;
  }
  if (auto refused = attach_interfaces(world, spec.id, *body, spec)) return *refused;
  Resource& resource = world.resources.put(call.target, location, call.now, world.scenario.list_lag);
  resource.body = std::move(body);
  const Operation& operation = begin_operation(world, call, location, resource.id);
  world.operations.when_ended(operation.id, [&world, id = resource.id](const Operation& ended, Time when) {
    settle_machine(world, id, ended, when);
  });
  if (has_machine) {
    world.operations.end_at(operation.id, call.now + world.scenario.write_time);
  } else {
    make_machine(world, resource, std::move(spec), operation, call.now);
  }
  Answer answer = json_answer(old == nullptr ? 201 : 200, view_of_machine(world, resource, false));
  add_operation(answer, world, call, operation);
  return answer;
}

Answer delete_machine(World& world, const Call& call, Resource* resource) {
  if (resource == nullptr) return Answer{.status = 204, .headers = {}, .body = {}};
  if (auto failed = fail_later(world, call, resource->location)) return *failed;
  const bool force = same_word(call.target.query_value("forcedeletion"), "true");
  const Duration takes = force ? Duration{world.scenario.delete_time.ns / 4} : world.scenario.delete_time;
  const Operation& operation = begin_operation(world, call, resource->location, "");
  delete_resource(world, *resource, takes, call.now);
  world.operations.end_at(operation.id, call.now + takes);
  return accepted(world, call, operation);
}

Answer list_machines(World& world, const Call& call) {
  auto all = world.resources.list(k_type, call.target.group, "", call.now);
  // $filter='virtualMachineScaleSet/id' eq '/subscriptions/…'
  const std::string filter = lower_case(call.target.query_value("$filter"));
  if (const std::size_t at = filter.find("eq '/"); at != std::string::npos) {
    const std::string set = filter.substr(at + 4, filter.find('\'', at + 4) - at - 4);
    std::erase_if(all, [&](const Resource* resource) {
      return !same_word(text_at(*resource->body, "properties.virtualMachineScaleSet.id"), set);
    });
  }
  const bool expanded = same_word(call.target.query_value("$expand"), "instanceView") ||
                        same_word(call.target.query_value("statusonly"), "true");
  return list_answer(world, call, all.size(), [&](std::size_t i) { return view_of_machine(world, *all[i], expanded); });
}

}  // namespace

json::object view_of_machine(World& world, const Resource& resource, bool with_instance_view) {
  json::object view = view_of(resource);
  json::object& properties = view["properties"].get_object();
  hide_secrets(properties);
  const Machine* machine = world.machines.find(resource.id);
  if (machine == nullptr) return view;
  properties["vmId"] = machine->vm_id;
  properties["timeCreated"] = iso8601(machine->created);
  if (resource.provisioning != "Deleting") properties["provisioningState"] = name_of(machine->provisioning);
  if (with_instance_view) properties["instanceView"] = instance_view_of(*machine);
  return view;
}

Answer answer_virtual_machines(World& world, const Call& call) {
  const Target& target = call.target;
  if (call.is_list && target.tail_key == "virtualmachines") return list_machines(world, call);
  Resource* resource = world.resources.find(target.id());
  if (call.is("PUT") || call.is("PATCH")) return write_machine(world, call, resource);
  if (call.is("DELETE")) return delete_machine(world, call, resource);
  if (resource == nullptr) return resource_not_found(call);
  const Machine* machine = world.machines.find(resource->id);
  if (call.is("POST") && target.tail_key == "simulateeviction") {
    if (machine == nullptr || !machine->spec.spot) {
      return refusal(409, "OperationNotAllowed", "The operation 'simulateEviction' is only allowed on Spot VMs.");
    }
    world.machines.evict(machine->number, world.scenario.spot_notice, call.now);
    return Answer{.status = 204, .headers = {}, .body = {}};
  }
  if (call.is("POST")) {
    std::vector<MachineNumber> machines;
    if (machine != nullptr) machines.push_back(machine->number);
    const std::string& action = target.tail_key;
    if (action == "delete") return method_not_allowed(call);
    if (auto answer = act_on_machines(world, call, action, machines, resource->location)) return *answer;
    return method_not_allowed(call);
  }
  if (!call.is("GET")) return method_not_allowed(call);
  if (target.tail_key == "instanceview") {
    return json_answer(200,
                       machine == nullptr ? json::object{{"statuses", json::array()}} : instance_view_of(*machine));
  }
  if (!target.tail.empty()) return method_not_allowed(call);
  const bool expanded = same_word(target.query_value("$expand"), "instanceView");
  return json_answer(200, view_of_machine(world, *resource, expanded));
}

}  // namespace virga::arm
