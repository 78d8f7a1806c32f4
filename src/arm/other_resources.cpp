// Resources of which the stand-in knows nothing but what was PUT: placement groups, interfaces, addresses, images …
#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

/// An interface answers with its private address; Azure gives it one when it is made.
void complete_interface(World& world, Resource& resource) {
  json::value* configurations = find_at(*resource.body, "properties.ipConfigurations");
  if (configurations == nullptr || !configurations->is_array()) return;
  for (json::value& value : configurations->get_array()) {
    if (!value.is_object()) continue;
    json::object& configuration = value.get_object();
    configuration["id"] = resource.id + "/ipConfigurations/" + text_at(configuration, "name");
    if (!text_at(configuration, "properties.privateIPAddress").empty()) continue;
    const std::string subnet = text_at(configuration, "properties.subnet.id");
    make_at(configuration, "properties.privateIPAddress") = world.addresses.take(subnet).value_or("");
    make_at(configuration, "properties.provisioningState") = "Succeeded";
  }
}

std::optional<Answer> refuse_delete(const World&, const Resource& resource) {
  const std::string owner = text_at(*resource.body, "managedBy");
  if (same_word(resource.type, "Microsoft.Compute/disks") && !owner.empty()) {
    return refusal(409, "OperationNotAllowed", fmt::format("Disk {} is attached to VM {}.", resource.name, owner));
  }
  if (!same_word(resource.type, "Microsoft.Network/networkInterfaces")) return std::nullopt;
  const std::string vm = text_at(*resource.body, "properties.virtualMachine.id");
  if (vm.empty()) return std::nullopt;
  return refusal(400, "NicInUse",
                 fmt::format("Network Interface {} is used by existing resource {}. In order to delete the network "
                             "interface, it must be dissociated from the resource.",
                             resource.id, vm));
}

/// A subnet that is full gives no address to another interface.
std::optional<Answer> check_room(World& world, const Resource* old, const json::object& body) {
  Document merged = old == nullptr ? Document() : old->body;
  merge(*merged, body);
  const json::array* configurations = array_at(*merged, "properties.ipConfigurations");
  std::map<std::string, std::uint64_t> wanted;
  for (std::size_t i = 0; configurations != nullptr && i < configurations->size(); ++i) {
    const json::object* configuration = configurations->at(i).if_object();
    if (configuration == nullptr || !text_at(*configuration, "properties.privateIPAddress").empty()) continue;
    const std::string subnet = text_at(*configuration, "properties.subnet.id");
    if (!world.addresses.has(subnet, ++wanted[lower_case(subnet)])) {
      return refusal(400, "SubnetIsFull",
                     fmt::format("Subnet {} does not have enough capacity for 1 IP addresses.", subnet));
    }
  }
  return std::nullopt;
}

Answer write(World& world, const Call& call, Resource* old) {
  if (old == nullptr && call.is("PATCH")) return resource_not_found(call);
  const Result<Document> body = parse_document(call.request.body);
  if (!body) return refusal(400, "InvalidRequestContent", body.error().message);
  const Target& target = call.target;
  std::string location;
  if (target.types.size() == 1 && old == nullptr) {
    if (auto refused = check_location(world, **body, location)) return *refused;
  }
  if (target.provider == "Microsoft.Network" && target.key == "networkinterfaces") {
    if (auto refused = check_room(world, old, **body)) return *refused;
  }
  Resource& resource = world.resources.put(target, location, call.now, world.scenario.list_lag);
  merge(*resource.body, **body);
  for (const char* key : {"id", "name", "type", "etag"}) (*resource.body).erase(key);
  if (target.key == "networkinterfaces") complete_interface(world, resource);
  return json_answer(old == nullptr ? 201 : 200, view_of_any(world, resource));
}

Answer remove(World& world, const Call& call, Resource* resource) {
  if (resource == nullptr) return Answer{.status = 204, .headers = {}, .body = {}};
  if (auto refused = refuse_delete(world, *resource)) return *refused;
  // Microsoft.Compute answers at once for what is no machine; Microsoft.Network takes an operation.
  const std::string location = resource->location;
  if (call.target.provider == "Microsoft.Network") {
    if (auto failed = fail_later(world, call, location)) return *failed;
  }
  release_resource(world, *resource);
  const std::string id = resource->id;
  for (const Resource* child : world.resources.list("", "", id + "/", Time::never())) {
    release_resource(world, *child);
    world.resources.erase(std::string(child->id));
  }
  world.resources.erase(id);
  if (call.target.provider != "Microsoft.Network") return Answer{};
  const Operation& operation = begin_operation(world, call, location, "");
  world.operations.end_at(operation.id, call.now + world.scenario.write_time);
  return accepted(world, call, operation);
}

}  // namespace

void release_resource(World& world, const Resource& resource) {
  release_reservation(world, resource);
  if (resource.type == "Microsoft.Network/virtualNetworks/subnets") world.addresses.drop(resource.id);
  if (resource.type != "Microsoft.Network/networkInterfaces") return;
  const json::array* configurations = array_at(*resource.body, "properties.ipConfigurations");
  if (configurations == nullptr) return;
  for (const json::value& value : *configurations) {
    if (!value.is_object()) continue;
    world.addresses.give_back(text_at(value.get_object(), "properties.subnet.id"),
                              text_at(value.get_object(), "properties.privateIPAddress"));
  }
}

Answer answer_other_resources(World& world, const Call& call) {
  const Target& target = call.target;
  if (call.is_list) {
    const std::string type = target.full_type() + "/" + canonical_type(target.tail);
    const std::string parent = target.names.empty() ? "" : target.id() + "/";
    const auto all = world.resources.list(type, target.group, parent, call.now);
    return list_answer(world, call, all.size(), [&](std::size_t i) { return view_of_any(world, *all[i]); });
  }
  if (!target.tail.empty()) return method_not_allowed(call);
  Resource* resource = world.resources.find(target.id());
  if (call.is("PUT") || call.is("PATCH")) return write(world, call, resource);
  if (call.is("DELETE")) return remove(world, call, resource);
  if (call.is("HEAD")) return Answer{.status = resource == nullptr ? 404 : 204, .headers = {}, .body = {}};
  if (!call.is("GET")) return method_not_allowed(call);
  return resource == nullptr ? resource_not_found(call) : json_answer(200, view_of_any(world, *resource));
}

}  // namespace virga::arm
