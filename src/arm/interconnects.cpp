// Interconnect blocks: VMs of one network that are held in advance; and which part of a network a VM is in.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "base/digest.hpp"
#include "wire/sku_table.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

constexpr std::string_view k_group_type = "Microsoft.Network/interconnectGroups";

/// After its making, only capacity and tags of a block can be changed.
std::optional<Answer> check_change(const Resource& old, const json::object& body) {
  for (const char* path : {"sku.name", "properties.interconnectGroup.id", "location"}) {
    if (same_word(text_at(*old.body, path), text_at(body, path))) continue;
    return refusal(409, "PropertyChangeNotAllowed", fmt::format("Changing property '{}' is not allowed.", path));
  }
  return std::nullopt;
}

std::optional<Answer> check_block(World& world, const Resource* old, const json::object& body) {
  const AzureSize* size = find_azure_size(text_at(body, "sku.name"));
  if (size == nullptr || number_at(body, "sku.capacity", 0) < 1) {
    return refusal(400, "InvalidParameter", "sku.name and sku.capacity, at least 1, are required.");
  }
  const std::string group = text_at(body, "properties.interconnectGroup.id");
  const Resource* found = world.resources.find(group);
  if (found == nullptr || found->type != k_group_type) {
    return refusal(400, "InvalidResourceReference", fmt::format("The interconnect group '{}' was not found.", group));
  }
  return old == nullptr ? std::nullopt : check_change(*old, body);
}

Answer write_block(World& world, const Call& call, Resource* old) {
  if (old == nullptr && call.is("PATCH")) return resource_not_found(call);
  const Result<Document> patch = parse_document(call.request.body);
  if (!patch) return refusal(400, "InvalidRequestContent", patch.error().message);
  Document body = old == nullptr ? Document() : old->body;
  merge(*body, **patch);
  std::string location;
  if (auto refused = check_location(world, *body, location)) return *refused;
  if (auto refused = check_block(world, old, *body)) return *refused;
  const AzureSize& size = *find_azure_size(text_at(*body, "sku.name"));
  const std::int64_t held = old == nullptr ? 0 : number_at(*old->body, "sku.capacity", 0);
  const std::int64_t more = number_at(*body, "sku.capacity", 0) - held;
  if (auto refused = hold_machines(world, call, location, size, more)) return *refused;
  Resource& resource = world.resources.put(call.target, location, call.now, world.scenario.list_lag);
  resource.body = std::move(body);
  if (old == nullptr) make_at(*resource.body, "properties.interconnectBlockId") = new_guid(world.random);
  const Operation& operation = begin_operation(world, call, location, resource.id);
  world.operations.end_at(operation.id, call.now + world.scenario.write_time);
  Answer answer = json_answer(old == nullptr ? 201 : 200, view_of_block(world, resource, false));
  add_operation(answer, world, call, operation);
  return answer;
}

/// The same text gives the same GUID.
std::string guid_of(const std::string& text) {
  Prng random(digest_of(lower_case(text)));
  return new_guid(random);
}

}  // namespace

json::object view_of_block(const World& world, const Resource& resource, bool with_instance_view) {
  json::object view = view_of(resource);
  json::array& users = make_at(view, "properties.virtualMachinesAssociated").emplace_array();
  for (const Machine* machine : users_of(world, resource.id)) users.push_back(json::object{{"id", machine->spec.id}});
  if (with_instance_view) {
    make_at(view, "properties.instanceView.currentCapacity") = number_at(*resource.body, "sku.capacity", 0);
    make_at(view, "properties.instanceView.statuses") =
        json::array({json::object{{"code", "ProvisioningState/" + lower_case(resource.provisioning)},
                                  {"level", "Info"},
                                  {"displayStatus", "Provisioning " + lower_case(resource.provisioning)}}});
  }
  return view;
}

std::string subgroup_for(World& world, const json::object& body, std::uint32_t number) {
  const std::string profile = "properties.virtualMachineProfile.";
  const Resource* block =
      world.resources.find(text_at(body, profile + "interconnectBlockProfile.interconnectBlock.id"));
  const std::string of_block = block == nullptr ? "" : text_at(*block->body, "properties.interconnectGroup.id");
  const std::string named = text_at(body, profile + "networkProfile.interconnectGroupProfile.interconnectGroup.id");
  const Resource* group = world.resources.find(named.empty() ? of_block : named);
  if (group == nullptr) return {};
  const auto size = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(number_at(*group->body, "properties.subgroupProfile.size", k_rack_nodes), 1, 1000));
  // Sets of a group are in different parts of it; a set has its parts filled in the order of its VMs.
  return guid_of(fmt::format("{}|{}|{}", group->id, text_at(body, "properties.uniqueId"), number / size));
}

Answer answer_interconnect_blocks(World& world, const Call& call) {
  Resource* resource = world.resources.find(call.target.id());
  if (call.is("PUT") || call.is("PATCH")) return write_block(world, call, resource);
  if (call.is("DELETE")) return delete_reservation(world, call, resource);
  if (!call.is("GET") || !call.target.tail.empty()) return method_not_allowed(call);
  if (resource == nullptr) return resource_not_found(call);
  return json_answer(200,
                     view_of_block(world, *resource, same_word(call.target.query_value("$expand"), "instanceView")));
}

}  // namespace virga::arm
