// Scale sets, Uniform and Flexible: PUT, PATCH, GET, LIST, DELETE, and the actions on several of their instances.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/json_codec.hpp"
#include "wire/sku_table.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::string_view k_type = "Microsoft.Compute/virtualMachineScaleSets";
constexpr std::string_view k_profile = "properties.virtualMachineProfile";
constexpr std::int64_t k_many_groups_max = 1000;
constexpr std::int64_t k_spread_max = 200;  ///< of a Flexible set with several fault domains

/// What a PUT or PATCH asks for, once it is known to be sound.
struct Wish {
  Document body;
  std::string location;
  const AzureSize* size = nullptr;
  MachineSpec spec;
  std::int64_t capacity = 0;
  bool flexible = false;
};

bool is_flexible(const json::object& body) {
  return same_word(text_at(body, "properties.orchestrationMode"), "Flexible");
}

Answer invalid_parameter(std::string_view message) { return refusal(400, "InvalidParameter", message); }

std::string subnet_of(const json::object& body) {
  const json::array* cards =
      array_at(body, "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations");
  if (cards == nullptr || cards->empty() || !cards->front().is_object()) return {};
  const json::array* configurations = array_at(cards->front().get_object(), "properties.ipConfigurations");
  if (configurations == nullptr || configurations->empty() || !configurations->front().is_object()) return {};
  return text_at(configurations->front().get_object(), "properties.subnet.id");
}

/// A rack has an interconnect of its own, and cannot be asked for another placement.
std::optional<Answer> check_rack(const Wish& wish, bool one_group) {
  if (wish.size == nullptr || set_shape_of(wish.size->name) != SetShape::rack) return std::nullopt;
  const std::string placement = text_at(*wish.body, "properties.highSpeedInterconnectPlacement");
  if (!one_group && (placement.empty() || same_word(placement, "None"))) return std::nullopt;
  return refusal(400, "BadRequest", "Vertical Connect Feature is not available for this Virtual Machine Scale Set.");
}

std::optional<Answer> check_reference(World& world, const Wish& wish, std::string_view path, std::string_view type) {
  const std::string id = text_at(*wish.body, path);
  if (id.empty()) return std::nullopt;
  const Resource* found = world.resources.find(id);
  if (found != nullptr && same_word(found->type, type)) return std::nullopt;
  return refusal(400, "InvalidResourceReference", fmt::format("Resource {} of type {} was not found.", id, type));
}

std::optional<Answer> check_placement(World& world, const Wish& wish) {
  constexpr std::pair<std::string_view, std::string_view> k_references[] = {
      {"properties.proximityPlacementGroup.id", "Microsoft.Compute/proximityPlacementGroups"},
      {"properties.virtualMachineProfile.interconnectBlockProfile.interconnectBlock.id",
       "Microsoft.Compute/interconnectBlocks"},
      {"properties.virtualMachineProfile.networkProfile.interconnectGroupProfile.interconnectGroup.id",
       "Microsoft.Network/interconnectGroups"},
  };
  for (const auto& [path, type] : k_references) {
    if (auto refused = check_reference(world, wish, path, type)) return refused;
  }
  return std::nullopt;
}

std::int64_t most_machines(const World& world, const Wish& wish, bool one_group) {
  if (one_group) return world.scenario.single_placement_group_max;
  const bool spread = wish.flexible && number_at(*wish.body, "properties.platformFaultDomainCount", 1) > 1;
  return spread ? k_spread_max : k_many_groups_max;
}

std::optional<Answer> check_shape(World& world, const Resource* old, const Wish& wish) {
  const json::object& body = *wish.body;
  const bool one_group = flag_at(body, "properties.singlePlacementGroup", !wish.flexible);
  if (old != nullptr && is_flexible(*old->body) != wish.flexible) {
    return refusal(409, "PropertyChangeNotAllowed", "Changing property 'orchestrationMode' is not allowed.");
  }
  if (auto refused = check_rack(wish, one_group)) return refused;
  if (auto refused = check_placement(world, wish)) return refused;
  if (old != nullptr && one_group && !flag_at(*old->body, "properties.singlePlacementGroup", !wish.flexible)) {
    return refusal(409, "OperationNotAllowed", "Changing property 'singlePlacementGroup' to true is not allowed.");
  }
  if (wish.flexible && one_group) {
    return invalid_parameter("The value 'True' of parameter 'singlePlacementGroup' is not allowed with Flexible.");
  }
  const std::int64_t most = most_machines(world, wish, one_group);
  if (wish.capacity < 0 || wish.capacity > most) {
    return invalid_parameter(
        fmt::format("The value {} of parameter 'sku.capacity' is out of range: a scale set with "
                    "singlePlacementGroup={} holds 0 to {} VMs.",
                    wish.capacity, one_group, most));
  }
  if (wish.size != nullptr) {
    const std::string prefix = std::string(k_profile) + ".";
    if (auto refused = check_reservation_use(world, body, {prefix, *wish.size, wish.spec.spot, one_group}))
      return refused;
  }
  if (wish.capacity > 0 && wish.size == nullptr) return invalid_parameter("Required parameter 'sku.name' is missing.");
  if (!wish.flexible && object_at(body, k_profile) == nullptr) {
    return invalid_parameter("Required parameter 'virtualMachineProfile' is missing (null).");
  }
  return std::nullopt;
}

std::optional<Answer> read_wish(World& world, const Call& call, const Resource* old, Wish& wish) {
  Result<Document> patch = parse_document(call.request.body);
  if (!patch) return refusal(400, "InvalidRequestContent", patch.error().message);
  if (old != nullptr) wish.body = old->body;
  merge(*wish.body, **patch);
  for (const char* key : {"id", "name", "type", "etag"}) (*wish.body).erase(key);
  erase_at(*wish.body, "properties.provisioningState");
  if (auto refused = check_location(world, *wish.body, wish.location)) return refused;
  if (old != nullptr && wish.location != old->location) {
    return refusal(409, "InvalidResourceLocation",
                   fmt::format("The resource '{}' already exists in location '{}'.", old->name, old->location));
  }
  const std::string size = text_at(*wish.body, "sku.name");
  wish.size = find_azure_size(size);
  if (!size.empty() && wish.size == nullptr) {
    return invalid_parameter(fmt::format("The value {} provided for the VM size is not valid.", size));
  }
  const json::value* capacity = find_at(*wish.body, "sku.capacity");
  if (capacity != nullptr && !capacity->is_int64()) {
    return invalid_parameter("The value of parameter 'sku.capacity' is no whole number.");
  }
  wish.flexible = is_flexible(*wish.body);
  wish.capacity = number_at(*wish.body, "sku.capacity", 0);
  if (const json::object* profile = object_at(*wish.body, k_profile)) wish.spec = spec_from_profile(*profile);
  wish.spec.location = wish.location;
  wish.spec.size = wish.size;
  wish.spec.subnet = subnet_of(*wish.body);
  if (!wish.spec.subnet.empty() && world.resources.find(wish.spec.subnet) == nullptr) {
    return refusal(
        400, "InvalidResourceReference",
        fmt::format("Resource {} referenced by resource {} was not found.", wish.spec.subnet, call.target.id()));
  }
  return check_shape(world, old, wish);
}

std::vector<const Machine*> living(const World& world, std::string_view set) {
  std::vector<const Machine*> machines = world.machines.of_set(set);
  std::erase_if(machines, [](const Machine* machine) { return machine->is_deleting(); });
  return machines;
}

std::string zone_for(const json::object& body, std::size_t index) {
  const json::array* zones = array_at(body, "zones");
  if (zones == nullptr || zones->empty()) return {};
  const json::value& zone = zones->at(index % zones->size());
  return zone.is_string() ? std::string(zone.get_string().c_str()) : std::string();
}

void add_machine(World& world, const Resource& set, const Wish& wish, const std::string& operation, Time now) {
  const std::uint32_t number = world.next_instance[lower_case(set.id)]++;
  MachineSpec spec = wish.spec;
  if (wish.flexible) {
    spec.name = fmt::format("{}_{:08x}", set.name, world.random.below(std::uint64_t{1} << 32));
    spec.id = fmt::format("/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{}",
                          world.scenario.subscription, set.group, spec.name);
    spec.instance_id = spec.name;
  } else {
    spec.name = fmt::format("{}_{}", set.name, number);
    spec.id = fmt::format("{}/virtualMachines/{}", set.id, number);
    spec.instance_id = std::to_string(number);
  }
  spec.set = set.id;
  spec.zone = zone_for(*set.body, number);
  spec.operation = operation;
  spec.subgroup = subgroup_for(world, *set.body, number);
  spec.reservation = reservation_for(world, *set.body, "properties.virtualMachineProfile.", *spec.size);
  if (!wish.flexible) {
    world.machines.create(std::move(spec), now);
    return;
  }
  make_member(world, spec, set, now);
  const Machine& machine = world.machines.create(std::move(spec), now);
  attach_belongings(world, machine, set, now);
}

/// The machines that are missing or too many; the operation ends when they have settled.
void resize(World& world, Resource& set, const Wish& wish, const Operation& operation, Time now) {
  if (!operation.error_code.empty()) {  // as the scenario asked: only a new set is there, without VMs
    set_number_at(*set.body, "sku.capacity", static_cast<std::int64_t>(living(world, set.id).size()));
    return world.operations.end_at(operation.id, now + world.scenario.write_time);
  }
  const auto machines = living(world, set.id);
  const auto have = static_cast<std::int64_t>(machines.size());
  std::int64_t more = wish.capacity - have;
  for (std::int64_t i = 0; i < -more; ++i) {  // the newest go first
    const auto number = machines[static_cast<std::size_t>(have - 1 - i)]->number;
    world.machines.remove(number, world.scenario.delete_time, now);
  }
  if (more > 0) {
    const std::string prefix = std::string(k_profile) + ".";
    const std::int64_t open =
        takes_reserved_only(world, *set.body, prefix) ? 0 : world.machines.capacity_left(set.location, *wish.size, now);
    const std::int64_t room = open + reserved_room(world, *set.body, prefix, *wish.size);
    if (more > room) {
      fail_allocation(world, operation, wish.spec, array_at(*set.body, "zones") != nullptr);
      more = world.scenario.partial_scale_out ? room : 0;
    }
    make_at(*set.body, "sku.capacity") = have + more;
  }
  if (more > 0) world.operations.expect_machines(operation.id, static_cast<std::uint32_t>(more));
  for (std::int64_t i = 0; i < more; ++i) add_machine(world, set, wish, operation.id, now);
  if (more > 0) return;
  world.operations.end_at(operation.id, now + (more < 0 ? world.scenario.delete_time : world.scenario.write_time));
}

void settle_set(World& world, const std::string& id, const Operation& operation, Time now) {
  Resource* set = world.resources.find(id);
  if (set == nullptr || set->provisioning == "Deleting") return;
  if (world.operations.is_running(id)) return;  // the last one says how it is
  set->provisioning = operation.error_code.empty() ? "Succeeded" : "Failed";
  if (!operation.failure || operation.failure->kind != FailureKind::recovers) return;
  world.agenda.at(now + operation.failure->recovers_after, [&world, id](Time) {
    Resource* again = world.resources.find(id);
    if (again != nullptr && again->provisioning == "Failed") again->provisioning = "Succeeded";
  });
}

Answer marked_for_deletion(const Call& call, const Resource& set) {
  return refusal(409, "OperationNotAllowed",
                 fmt::format("Operation '{}' is not allowed on VM scale set '{}' since it is marked for deletion. You "
                             "can only retry the Delete operation (or wait for an ongoing one to complete).",
                             call.request.method, set.name));
}

Answer write_set(World& world, const Call& call, Resource* old) {
  if (old == nullptr && call.is("PATCH")) return resource_not_found(call);
  if (old != nullptr && old->provisioning == "Deleting") return marked_for_deletion(call, *old);
  Wish wish;
  if (auto refused = read_wish(world, call, old, wish)) return *refused;
  const auto have = old == nullptr ? 0 : static_cast<std::int64_t>(living(world, old->id).size());
  if (wish.capacity > have) {
    const auto more = static_cast<std::uint32_t>(wish.capacity - have);
    const std::int64_t held = reserved_room(world, *wish.body, std::string(k_profile) + ".", *wish.size);
    const auto counted = static_cast<std::uint32_t>(std::max<std::int64_t>(0, more - held));
    if (auto refused = check_restriction(world, wish.spec, *wish.body)) return *refused;
    if (auto refused = world.machines.quota_refusal(wish.location, *wish.size, counted, wish.spec.spot)) {
      return refusal(409, "OperationNotAllowed", *refused);
    }
    if (!world.addresses.has(wish.spec.subnet, more)) {
      return refusal(
          400, "SubnetIsFull",
          fmt::format("Subnet {} does not have enough capacity for {} IP addresses.", wish.spec.subnet, more));
    }
  }
  Resource& set = world.resources.put(call.target, wish.location, call.now, world.scenario.list_lag);
  const bool fails = call.failure && call.failure->kind == FailureKind::async;
  if (old == nullptr || !fails) set.body = std::move(wish.body);
  if (old == nullptr) make_at(*set.body, "properties.uniqueId") = new_guid(world.random);
  set.provisioning = old == nullptr ? "Creating" : "Updating";
  const Operation& operation = begin_operation(world, call, set.location, set.id);
  world.operations.when_ended(
      operation.id, [&world, id = set.id](const Operation& ended, Time now) { settle_set(world, id, ended, now); });
  resize(world, set, wish, operation, call.now);
  Answer answer = json_answer(old == nullptr ? 201 : 200, view_of_set(set));
  add_operation(answer, world, call, operation);
  return answer;
}

Answer delete_set(World& world, const Call& call, Resource* set) {
  if (set == nullptr) return Answer{.status = 204, .headers = {}, .body = {}};
  if (auto failed = fail_later(world, call, set->location)) return *failed;
  const bool force = same_word(call.target.query_value("forcedeletion"), "true");
  const Duration takes = force ? Duration{world.scenario.delete_time.ns / 4} : world.scenario.delete_time;
  const Operation& operation = begin_operation(world, call, set->location, "");
  delete_resource(world, *set, takes, call.now);
  world.operations.end_at(operation.id, call.now + takes);
  return accepted(world, call, operation);
}

/// The instances that "instanceIds" names; all without it, or with "*".
std::optional<Answer> read_instances(const World& world, const Call& call, const Resource& set,
                                     const json::object& body, std::vector<MachineNumber>& numbers) {
  const json::array* ids = array_at(body, "instanceIds");
  const auto machines = world.machines.of_set(set.id);
  const bool all = ids == nullptr || (ids->size() == 1 && ids->front().is_string() && ids->front().get_string() == "*");
  if (all && ids == nullptr && call.target.tail_key == "delete") {
    return invalid_parameter("Required parameter 'instanceIds' is missing (null).");
  }
  if (all) {
    for (const Machine* machine : machines) numbers.push_back(machine->number);
    return std::nullopt;
  }
  for (const json::value& id : *ids) {
    const std::string text = id.is_string() ? std::string(id.get_string().c_str()) : json::serialize(id);
    const auto found = std::find_if(machines.begin(), machines.end(),
                                    [&](const Machine* m) { return same_word(m->spec.instance_id, text); });
    if (found == machines.end()) {
      return invalid_parameter(
          fmt::format("The provided instanceId {} is not an active Virtual Machine Scale Set VM instanceId.", text));
    }
    numbers.push_back((*found)->number);
  }
  return std::nullopt;
}

/// Of a Flexible set, several members can be deleted at once; all else is done to each VM by itself.
Answer not_allowed_on_flexible(const Call& call) {
  return refusal(409, "OperationNotAllowed",
                 fmt::format("Operation 'VirtualMachineScaleSets.{}.{}' is not allowed on Virtual Machine Scale Set "
                             "'{}' with orchestrationMode Flexible.",
                             call.target.tail, call.request.method, call.target.name()));
}

Answer act_on_set(World& world, const Call& call, Resource* set) {
  if (set == nullptr) return resource_not_found(call);
  if (is_flexible(*set->body) && call.target.tail_key != "delete") return not_allowed_on_flexible(call);
  if (set->provisioning == "Deleting") return marked_for_deletion(call, *set);
  const Result<Document> body = parse_document(call.request.body);
  if (!body) return refusal(400, "InvalidRequestContent", body.error().message);
  std::vector<MachineNumber> machines;
  if (auto refused = read_instances(world, call, *set, **body, machines)) return *refused;
  if (auto answer = act_on_machines(world, call, call.target.tail_key, machines, set->location)) return *answer;
  return method_not_allowed(call);
}

Answer instance_view_of_set(const World& world, const Resource& set) {
  std::map<std::string, std::int64_t> counts;
  for (const Machine* machine : world.machines.of_set(set.id)) {
    ++counts["ProvisioningState/" + lower_case(name_of(machine->provisioning))];
    ++counts["PowerState/" + std::string(name_of(machine->power))];
  }
  json::object body;
  json::array& summary = make_at(body, "virtualMachine.statusesSummary").emplace_array();
  for (const auto& [code, count] : counts) summary.push_back({{"code", code}, {"count", count}});
  body["statuses"] = json::array({{{"code", "ProvisioningState/" + lower_case(set.provisioning)},
                                   {"level", "Info"},
                                   {"displayStatus", "Provisioning " + lower_case(set.provisioning)}}});
  return json_answer(200, body);
}

Answer skus_of_set(const World& world, const Call& call, const Resource& set) {
  return list_answer(world, call, 1, [&](std::size_t) {
    return json::object{{"resourceType", k_type},
                        {"sku", {{"name", text_at(*set.body, "sku.name")}, {"tier", "Standard"}}},
                        {"capacity",
                         {{"minimum", 0},
                          {"maximum", world.scenario.single_placement_group_max},
                          {"defaultCapacity", 1},
                          {"scaleType", "Automatic"}}}};
  });
}

}  // namespace

json::object view_of_set(const Resource& set) {
  json::object view = view_of(set);
  const bool flexible = is_flexible(view);
  if (json::value* sku = view.if_contains("sku"); sku != nullptr && sku->is_object()) {
    if (!sku->get_object().contains("tier")) sku->get_object()["tier"] = "Standard";
  }
  if (!flexible) {
    if (find_at(view, "properties.orchestrationMode") == nullptr) {
      make_at(view, "properties.orchestrationMode") = "Uniform";
    }
    if (find_at(view, "properties.singlePlacementGroup") == nullptr) {
      make_at(view, "properties.singlePlacementGroup") = true;
    }
  }
  make_at(view, "properties.timeCreated") = iso8601(set.created);
  json::value* profile = find_at(view, k_profile);
  if (profile != nullptr && profile->is_object()) hide_secrets(profile->get_object());
  return view;
}

Answer answer_scale_sets(World& world, const Call& call) {
  const Target& target = call.target;
  if (call.is_list) {
    const auto sets = world.resources.list(k_type, target.group, "", call.now);
    return list_answer(world, call, sets.size(), [&](std::size_t i) { return view_of_set(*sets[i]); });
  }
  Resource* set = world.resources.find(target.id());
  if (call.is("POST")) return act_on_set(world, call, set);
  if (call.is("PUT") || call.is("PATCH")) return write_set(world, call, set);
  if (call.is("DELETE")) return delete_set(world, call, set);
  if (set == nullptr) return resource_not_found(call);
  if (!call.is("GET") && !call.is("HEAD")) return method_not_allowed(call);
  if (target.tail_key == "instanceview") {
    return is_flexible(*set->body) ? not_allowed_on_flexible(call) : instance_view_of_set(world, *set);
  }
  if (target.tail_key == "skus") return skus_of_set(world, call, *set);
  return target.tail.empty() ? json_answer(200, view_of_set(*set)) : method_not_allowed(call);
}

}  // namespace virga::arm
