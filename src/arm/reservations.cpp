// Capacity reservations: hosts that are held for their group, used or not.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::string_view k_type = "Microsoft.Compute/capacityReservationGroups/capacityReservations";

constexpr std::int64_t k_capacity_max = 100'000;

bool is_block_group(World& world, std::string_view group) {
  const Resource* found = world.resources.find(group);
  return found != nullptr && same_word(text_at(*found->body, "properties.reservationType"), "Block");
}

std::optional<Answer> invalid(std::string_view what) { return refusal(400, "InvalidParameter", what); }

/// Block reservations have a size from a list and a time, which cannot be changed.
std::optional<Answer> check_block(const json::object& body, const Resource* old) {
  constexpr std::int64_t k_capacities[] = {1, 2, 4, 8, 16, 32, 64};
  const std::int64_t capacity = number_at(body, "sku.capacity", -1);
  if (std::find(std::begin(k_capacities), std::end(k_capacities), capacity) == std::end(k_capacities)) {
    return invalid("The sku.capacity of a Block reservation is one of 1, 2, 4, 8, 16, 32, 64.");
  }
  for (const char* end : {"properties.scheduleProfile.start", "properties.scheduleProfile.end"}) {
    const std::string date = text_at(body, end);
    if (date.empty()) return invalid("A Block reservation needs scheduleProfile.start and scheduleProfile.end.");
    if (old != nullptr && text_at(*old->body, end) != date) {
      return refusal(409, "PropertyChangeNotAllowed", "Changing property 'scheduleProfile' is not allowed.");
    }
  }
  return std::nullopt;
}

Answer write_reservation(World& world, const Call& call, Resource* old) {
  if (old == nullptr && call.is("PATCH")) return resource_not_found(call);
  if (world.resources.find(call.target.id_of_parent()) == nullptr) {
    return refusal(
        404, "ParentResourceNotFound",
        fmt::format("Can not perform requested operation on nested resource. Parent resource '{}' not found.",
                    call.target.names.front()));
  }
  const Result<Document> patch = parse_document(call.request.body);
  if (!patch) return refusal(400, "InvalidRequestContent", patch.error().message);
  Document body = old == nullptr ? Document() : old->body;
  merge(*body, **patch);
  std::string location;
  if (auto refused = check_location(world, *body, location)) return *refused;
  const AzureSize* size = find_azure_size(text_at(*body, "sku.name"));
  const std::int64_t capacity = number_at(*body, "sku.capacity", -1);
  if (size == nullptr || capacity < 0 || capacity > k_capacity_max) {
    return refusal(400, "InvalidParameter",
                   fmt::format("sku.name and sku.capacity, from 0 to {}, are required.", k_capacity_max));
  }
  if (is_block_group(world, call.target.id_of_parent())) {
    if (auto refused = check_block(*body, old)) return *refused;
  } else if (!can_be_reserved(*size)) {
    return refusal(400, "InvalidParameter",
                   fmt::format("The VM size '{}' is not supported for capacity reservations.", size->name));
  }
  const std::int64_t held = old == nullptr ? 0 : number_at(*old->body, "sku.capacity", 0);
  if (old != nullptr && !same_word(text_at(*old->body, "sku.name"), size->name)) {
    return refusal(409, "PropertyChangeNotAllowed", "Changing property 'sku.name' is not allowed.");
  }
  if (auto refused = hold_machines(world, call, location, *size, capacity - held)) return *refused;
  Resource& resource = world.resources.put(call.target, location, call.now, world.scenario.list_lag);
  resource.body = std::move(body);
  const Operation& operation = begin_operation(world, call, location, resource.id);
  world.operations.end_at(operation.id, call.now + world.scenario.write_time);
  Answer answer = json_answer(old == nullptr ? 201 : 200, view_of_reservation(world, resource, false));
  add_operation(answer, world, call, operation);
  return answer;
}

/// The reservations of the body's group that are for this size, and the interconnect block that it names.
std::vector<const Resource*> sources_of(World& world, const json::object& body, const std::string& prefix,
                                        const AzureSize& size) {
  std::vector<const Resource*> sources;
  const std::string group = text_at(body, prefix + "capacityReservation.capacityReservationGroup.id");
  if (!group.empty()) {
    for (const Resource* resource : world.resources.list(k_type, "", group + "/", Time::never())) {
      if (same_word(text_at(*resource->body, "sku.name"), size.name)) sources.push_back(resource);
    }
  }
  const Resource* block = world.resources.find(text_at(body, prefix + "interconnectBlockProfile.interconnectBlock.id"));
  if (block != nullptr && same_word(text_at(*block->body, "sku.name"), size.name)) sources.push_back(block);
  return sources;
}

std::int64_t room_in(const World& world, const Resource& source) {
  const auto used = static_cast<std::int64_t>(users_of(world, source.id).size());
  return std::max<std::int64_t>(0, number_at(*source.body, "sku.capacity", 0) - used);
}

}  // namespace

std::optional<Answer> hold_machines(World& world, const Call& call, const std::string& location, const AzureSize& size,
                                    std::int64_t more) {
  if (more > 0) {
    if (auto refused = world.machines.quota_refusal(location, size, static_cast<std::uint32_t>(more), false)) {
      return refusal(409, "OperationNotAllowed", *refused);
    }
    // All or nothing, and at once: who is refused holds nothing.
    if (more > world.machines.capacity_left(location, size, call.now)) {
      return refusal(409, "AllocationFailed", k_allocation_failed);
    }
  }
  if (auto failed = fail_later(world, call, location)) return failed;
  world.machines.hold(location, size, more);
  return std::nullopt;
}

std::vector<const Machine*> users_of(const World& world, std::string_view reservation) {
  std::vector<const Machine*> users;
  for (const auto& [number, machine] : world.machines.all()) {
    if (same_word(machine.spec.reservation, reservation)) users.push_back(&machine);
  }
  return users;
}

Answer delete_reservation(World& world, const Call& call, Resource* resource) {
  if (resource == nullptr) return Answer{.status = 204, .headers = {}, .body = {}};
  if (!users_of(world, resource->id).empty()) {
    return refusal(409, "OperationNotAllowed", "What VMs use cannot be deleted.");
  }
  if (auto failed = fail_later(world, call, resource->location)) return *failed;
  const Operation& operation = begin_operation(world, call, resource->location, "");
  world.operations.end_at(operation.id, call.now + world.scenario.write_time);
  release_reservation(world, *resource);
  world.resources.erase(std::string(resource->id));
  return accepted(world, call, operation);
}

json::object view_of_reservation(const World& world, const Resource& resource, bool with_instance_view) {
  json::object view = view_of(resource);
  json::array& users = make_at(view, "properties.virtualMachinesAssociated").emplace_array();
  for (const Machine* machine : users_of(world, resource.id)) users.push_back(json::object{{"id", machine->spec.id}});
  if (with_instance_view) {
    json::array allocated = users;
    make_at(view, "properties.instanceView.utilizationInfo.virtualMachinesAllocated") = std::move(allocated);
    make_at(view, "properties.instanceView.statuses") =
        json::array({json::object{{"code", "ProvisioningState/" + lower_case(resource.provisioning)},
                                  {"level", "Info"},
                                  {"displayStatus", "Provisioning " + lower_case(resource.provisioning)}}});
  }
  return view;
}

bool can_be_reserved(const AzureSize& size) {
  return !size.infiniband && family_key(size.family) != "standardncadsh100v5family";
}

void release_reservation(World& world, const Resource& resource) {
  const AzureSize* size = find_azure_size(text_at(*resource.body, "sku.name"));
  const bool holds = resource.type == k_type || resource.type == "Microsoft.Compute/interconnectBlocks";
  if (!holds || size == nullptr) return;
  world.machines.hold(resource.location, *size, -number_at(*resource.body, "sku.capacity", 0));
}

std::string reservation_for(World& world, const json::object& body, const std::string& prefix, const AzureSize& size) {
  for (const Resource* source : sources_of(world, body, prefix, size)) {
    if (room_in(world, *source) > 0) return source->id;
  }
  return {};
}

std::int64_t reserved_room(World& world, const json::object& body, const std::string& prefix, const AzureSize& size) {
  std::int64_t room = 0;
  for (const Resource* source : sources_of(world, body, prefix, size)) room += room_in(world, *source);
  return room;
}

bool takes_reserved_only(World& world, const json::object& body, const std::string& prefix) {
  return is_block_group(world, text_at(body, prefix + "capacityReservation.capacityReservationGroup.id")) ||
         !text_at(body, prefix + "interconnectBlockProfile.interconnectBlock.id").empty();
}

std::optional<Answer> check_reservation_use(World& world, const json::object& body, const ReservationUse& use) {
  const std::string group = text_at(body, use.prefix + "capacityReservation.capacityReservationGroup.id");
  if (group.empty()) return std::nullopt;
  const Resource* found = world.resources.find(group);
  if (found == nullptr || found->type != "Microsoft.Compute/capacityReservationGroups") {
    return refusal(400, "InvalidResourceReference", "The capacity reservation group " + group + " was not found.");
  }
  if (use.spot) return invalid("A capacity reservation group cannot be used by Spot VMs.");
  if (is_block_group(world, group)) return std::nullopt;
  if (use.one_placement_group) {
    return invalid("A capacity reservation group can be used by a scale set with singlePlacementGroup=false only.");
  }
  if (!text_at(body, "properties.proximityPlacementGroup.id").empty()) {
    return invalid("A capacity reservation group cannot be used in a proximity placement group.");
  }
  if (!can_be_reserved(use.size)) {
    return invalid(fmt::format("The VM size '{}' is not supported for capacity reservations.", use.size.name));
  }
  return std::nullopt;
}

Answer answer_reservations(World& world, const Call& call) {
  const Target& target = call.target;
  if (call.is_list) {
    const auto all = world.resources.list(k_type, target.group, target.id() + "/", call.now);
    return list_answer(world, call, all.size(),
                       [&](std::size_t i) { return view_of_reservation(world, *all[i], false); });
  }
  Resource* resource = world.resources.find(target.id());
  if (call.is("PUT") || call.is("PATCH")) return write_reservation(world, call, resource);
  if (call.is("DELETE")) return delete_reservation(world, call, resource);
  if (!call.is("GET")) return method_not_allowed(call);
  if (resource == nullptr) return resource_not_found(call);
  const bool expanded = same_word(target.query_value("$expand"), "instanceView");
  return json_answer(200, view_of_reservation(world, *resource, expanded));
}

}  // namespace virga::arm
