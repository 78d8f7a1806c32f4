// Subscriptions and resource groups.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "arm/text.hpp"
#include "arm/world.hpp"

namespace virga::arm {
namespace {

namespace json = boost::json;

json::object view_of_subscription(const Scenario& scenario) {
  return {{"id", "/subscriptions/" + scenario.subscription},
          {"subscriptionId", scenario.subscription},
          {"tenantId", scenario.tenant},
          {"displayName", "virga-arm"},
          {"state", "Enabled"},
          {"subscriptionPolicies",
           {{"locationPlacementId", "Public_2014-09-01"},
            {"quotaId", "EnterpriseAgreement_2014-09-01"},
            {"spendingLimit", "Off"}}},
          {"authorizationSource", "RoleBased"},
          {"managedByTenants", json::array()}};
}

json::object view_of_region(const Scenario& scenario, const std::string& region) {
  return {
      {"id", fmt::format("/subscriptions/{}/locations/{}", scenario.subscription, region)},
      {"name", region},
      {"displayName", region},
      {"regionalDisplayName", region},
      {"type", "Region"},
      {"metadata", {{"regionType", "Physical"}, {"regionCategory", "Recommended"}, {"geographyGroup", "Stand-in"}}}};
}

json::object view_of_group(const World& world, const Group& group) {
  json::object view;
  view["id"] = fmt::format("/subscriptions/{}/resourceGroups/{}", world.scenario.subscription, group.name);
  view["name"] = group.name;
  view["type"] = "Microsoft.Resources/resourceGroups";
  view["location"] = group.location;
  for (const char* key : {"tags", "managedBy"}) {
    if (const json::value* value = (*group.body).if_contains(key)) view[key] = *value;
  }
  view["properties"] = {{"provisioningState", group.is_deleting() ? "Deleting" : "Succeeded"}};
  return view;
}

Answer write_group(World& world, const Call& call, Group* old) {
  const Result<Document> body = parse_document(call.request.body);
  if (!body) return refusal(400, "InvalidRequestContent", body.error().message);
  if (old != nullptr && old->is_deleting()) {
    return refusal(409, "ResourceGroupBeingDeleted",
                   fmt::format("The resource group '{}' is in deprovisioning state and cannot perform this operation.",
                               call.target.group));
  }
  if (old == nullptr && call.is("PATCH")) {
    return refusal(404, "ResourceGroupNotFound",
                   fmt::format("Resource group '{}' could not be found.", call.target.group));
  }
  std::string location;
  if (old == nullptr || call.is("PUT")) {
    if (auto refused = check_location(world, **body, location)) return *refused;
  }
  if (old != nullptr && !location.empty() && old->location != location) {
    return refusal(409, "InvalidResourceGroupLocation",
                   fmt::format("Invalid resource group location '{}'. The Resource group already exists in location "
                               "'{}'.",
                               location, old->location));
  }
  Group& group = world.resources.put_group(call.target.group);
  if (old == nullptr) group.location = location;
  merge(*group.body, **body);
  return json_answer(old == nullptr ? 201 : 200, view_of_group(world, group));
}

Answer delete_group(World& world, const Call& call, Group* group) {
  if (group == nullptr) {
    return refusal(404, "ResourceGroupNotFound",
                   fmt::format("Resource group '{}' could not be found.", call.target.group));
  }
  if (auto failed = fail_later(world, call, group->location)) return *failed;
  if (group->is_deleting()) {  // it ends with the deletion that goes on
    const Operation& operation = begin_operation(world, call, group->location, "");
    world.operations.end_at(operation.id, group->gone);
    return accepted(world, call, operation);
  }
  const Duration takes = world.scenario.delete_time;
  group->gone = call.now + takes;
  for (Resource* resource : world.resources.list("", group->name, "", Time::never())) {
    delete_resource(world, *resource, takes, call.now);
  }
  const Operation& operation = begin_operation(world, call, group->location, "");
  world.agenda.at(call.now + takes, [&world, name = group->name](Time) { world.resources.erase_group(name); });
  world.operations.end_at(operation.id, call.now + takes);
  return accepted(world, call, operation);
}

Answer list_group_resources(World& world, const Call& call) {
  // az asks with $filter=resourceType eq '…'
  const std::string filter(call.target.query_value("$filter"));
  std::string type;
  if (const std::size_t at = filter.find("resourceType eq '"); at != std::string::npos) {
    type = filter.substr(at + 17, filter.find('\'', at + 17) - at - 17);
  }
  const auto all = world.resources.list(type, call.target.group, "", call.now);
  return list_answer(world, call, all.size(), [&](std::size_t i) {
    json::object view = view_of(*all[i]);
    view.erase("properties");
    return view;
  });
}

}  // namespace

Answer answer_subscriptions(World& world, const Call& call) {
  const Target& target = call.target;
  if (!call.is("GET")) return method_not_allowed(call);
  if (target.segments.size() == 1) {
    return list_answer(world, call, 1, [&](std::size_t) { return view_of_subscription(world.scenario); });
  }
  if (target.tail.empty() && target.types.empty()) return json_answer(200, view_of_subscription(world.scenario));
  if (target.tail_key == "locations") {
    const auto& regions = world.scenario.regions;
    return list_answer(world, call, regions.size(),
                       [&](std::size_t i) { return view_of_region(world.scenario, regions[i]); });
  }
  return target.tail_key == "resources" ? list_group_resources(world, call) : not_served(call);
}

Answer answer_groups(World& world, const Call& call) {
  const Target& target = call.target;
  if (call.is_list && target.tail_key == "resourcegroups") {
    const auto groups = world.resources.groups();
    return list_answer(world, call, groups.size(), [&](std::size_t i) { return view_of_group(world, *groups[i]); });
  }
  Group* group = world.resources.find_group(target.group);
  if (!target.types.empty() || (!target.tail.empty() && target.tail_key != "resources")) return not_served(call);
  if (!target.tail.empty()) return call.is("GET") ? list_group_resources(world, call) : method_not_allowed(call);
  if (call.is("PUT") || call.is("PATCH")) return write_group(world, call, group);
  if (call.is("DELETE")) return delete_group(world, call, group);
  if (call.is("HEAD")) return Answer{.status = group == nullptr ? 404 : 204, .headers = {}, .body = {}};
  if (!call.is("GET")) return method_not_allowed(call);
  if (group != nullptr) return json_answer(200, view_of_group(world, *group));
  return refusal(404, "ResourceGroupNotFound", fmt::format("Resource group '{}' could not be found.", target.group));
}

}  // namespace virga::arm
