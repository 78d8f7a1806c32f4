// Virtual networks with their subnets, and network interfaces of their own.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

json::object* find_subnet(Resource& network, std::string_view name) {
  json::value* subnets = find_at(*network.body, "properties.subnets");
  if (subnets == nullptr || !subnets->is_array()) return nullptr;
  for (json::value& subnet : subnets->get_array()) {
    if (subnet.is_object() && same_word(text_at(subnet.get_object(), "name"), name)) return &subnet.get_object();
  }
  return nullptr;
}

Answer wrong_name(std::string_view name) {
  return refusal(400, "InvalidResourceName",
                 fmt::format("Resource name '{}' is invalid. The name can be up to 80 characters long and may contain "
                             "word characters or '.', '-', '_'.",
                             name));
}

std::string subnet_id(const Resource& network, std::string_view name) {
  return fmt::format("{}/subnets/{}", network.id, name);
}

Answer in_use(const std::string& id) {
  return refusal(400, "InUseSubnetCannotBeDeleted",
                 fmt::format("Subnet {} is in use and cannot be deleted. In order to delete the subnet, delete all the "
                             "resources within the subnet.",
                             id));
}

/// The names of the subnets of a body are sound, and none that is in use is left out.
std::optional<Answer> check_subnets(World& world, const Resource* network, const json::object& body) {
  const json::value* value = find_at(body, "properties.subnets");
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) return refusal(400, "InvalidRequestFormat", "properties.subnets is no array.");
  std::set<std::string> names;
  for (const json::value& subnet : value->get_array()) {
    const std::string name = subnet.is_object() ? text_at(subnet.get_object(), "name") : "";
    if (!is_resource_name(name)) return wrong_name(name);
    names.insert(lower_case(name));
  }
  if (network == nullptr) return std::nullopt;
  for (const Resource* known : world.resources.list("", "", network->id + "/subnets/", Time::never())) {
    if (!names.contains(lower_case(known->name)) && world.addresses.in_use(known->id)) return in_use(known->id);
  }
  return std::nullopt;
}

std::optional<Answer> check_network(World& world, const Call& call) {
  const Resource* network = world.resources.find(call.target.id());
  if (call.is("DELETE") && network != nullptr) {
    for (const Resource* known : world.resources.list("", "", network->id + "/subnets/", Time::never())) {
      if (world.addresses.in_use(known->id)) return in_use(known->id);
    }
  }
  if (!call.is("PUT") && !call.is("PATCH")) return std::nullopt;
  if (!is_resource_name(call.target.name())) return wrong_name(call.target.name());
  const Result<Document> body = parse_document(call.request.body);
  return body ? check_subnets(world, network, **body) : std::nullopt;
}

/// PUT …/virtualNetworks/V/subnets/S: the network's own list is what counts.
Answer write_subnet(World& world, const Call& call, Resource& network) {
  const Result<Document> body = parse_document(call.request.body);
  if (!body) return refusal(400, "InvalidRequestContent", body.error().message);
  const std::string name(call.target.name());
  if (!is_resource_name(name)) return wrong_name(name);
  json::object* subnet = find_subnet(network, name);
  const bool is_new = subnet == nullptr;
  if (is_new) {
    json::value& subnets = make_at(*network.body, "properties.subnets");
    if (!subnets.is_array()) subnets.emplace_array();
    subnet = &subnets.get_array().emplace_back(json::object{{"name", name}}).get_object();
  }
  merge(*subnet, **body);
  (*subnet)["name"] = name;  // the path counts, whatever the body says
  define_subnets(world, network);
  return json_answer(is_new ? 201 : 200, *find_subnet(network, name));
}

Answer answer_subnets(World& world, const Call& call) {
  const Target& target = call.target;
  const std::string network_id = call.is_list ? target.id() : target.id_of_parent();
  Resource* network = world.resources.find(network_id);
  if (network == nullptr) return resource_not_found(call);
  if (call.is_list) {
    const json::array* subnets = array_at(*network->body, "properties.subnets");
    return list_answer(world, call, subnets == nullptr ? 0 : subnets->size(), [&](std::size_t i) {
      const json::object* subnet = subnets->at(i).if_object();
      return subnet == nullptr ? json::object() : *subnet;
    });
  }
  if (call.is("PUT")) return write_subnet(world, call, *network);
  json::object* subnet = find_subnet(*network, target.name());
  if (call.is("DELETE")) {
    if (subnet == nullptr) return Answer{.status = 204, .headers = {}, .body = {}};
    if (world.addresses.in_use(subnet_id(*network, target.name()))) return in_use(target.id());
    if (auto failed = fail_later(world, call, network->location)) return *failed;
    json::array& subnets = find_at(*network->body, "properties.subnets")->get_array();
    for (auto it = subnets.begin(); it != subnets.end(); ++it) {
      if (it->if_object() == subnet) {
        subnets.erase(it);
        break;
      }
    }
    world.addresses.drop(target.id());
    world.resources.erase(target.id());
    const Operation& operation = begin_operation(world, call, network->location, "");
    world.operations.end_at(operation.id, call.now + world.scenario.write_time);
    return accepted(world, call, operation);
  }
  if (!call.is("GET")) return method_not_allowed(call);
  return subnet == nullptr ? resource_not_found(call) : json_answer(200, *subnet);
}

}  // namespace

void define_subnets(World& world, Resource& network) {
  json::value* subnets = find_at(*network.body, "properties.subnets");
  if (subnets == nullptr || !subnets->is_array()) return;
  std::set<std::string> names;
  for (json::value& value : subnets->get_array()) {
    json::object& subnet = value.get_object();
    const std::string name = text_at(subnet, "name");
    const std::string id = subnet_id(network, name);
    names.insert(lower_case(name));
    subnet["id"] = id;
    subnet["type"] = "Microsoft.Network/virtualNetworks/subnets";
    make_at(subnet, "properties.provisioningState") = "Succeeded";
    std::string prefix = text_at(subnet, "properties.addressPrefix");
    const json::array* prefixes = array_at(subnet, "properties.addressPrefixes");
    if (prefix.empty() && prefixes != nullptr && !prefixes->empty() && prefixes->front().is_string()) {
      prefix = prefixes->front().get_string().c_str();
    }
    if (const auto parsed = parse_network(prefix)) world.addresses.define(id, *parsed);
    // Known as a resource too, so that references to it can be checked. It is never listed.
    const Target target = resource_target(world.scenario.subscription, network.group, "Microsoft.Network",
                                          {"virtualNetworks", "subnets"}, {network.name, name});
    Resource& known = world.resources.put(target, "", network.created, Duration{});
    known.body = Document(subnet);
    known.listed_from = Time::never();
  }
  for (const Resource* known : world.resources.list("", "", network.id + "/subnets/", Time::never())) {
    if (names.contains(lower_case(known->name))) continue;  // else it was left out
    world.addresses.drop(known->id);
    world.resources.erase(std::string(known->id));
  }
}

Answer answer_networks(World& world, const Call& call) {
  const Target& target = call.target;
  const bool about_subnets =
      target.key == "virtualnetworks/subnets" || (target.key == "virtualnetworks" && target.tail_key == "subnets");
  if (about_subnets) return answer_subnets(world, call);
  const bool about_network = target.key == "virtualnetworks" && target.tail.empty();
  if (about_network) {
    if (auto refused = check_network(world, call)) return *refused;
  }
  Answer answer = answer_other_resources(world, call);
  if (about_network && (call.is("PUT") || call.is("PATCH")) && answer.status < 300) {
    Resource& network = *world.resources.find(target.id());
    define_subnets(world, network);
    answer.body = json_text(view_of(network));
  }
  return answer;
}

}  // namespace virga::arm
