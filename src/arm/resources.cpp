#include "arm/resources.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>

#include "arm/text.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

/// Microsoft's schemas give these none.
bool has_provisioning_state(std::string_view type) {
  constexpr std::string_view k_without[] = {"Microsoft.Compute/availabilitySets",
                                            "Microsoft.Compute/capacityReservationGroups",
                                            "Microsoft.Compute/proximityPlacementGroups"};
  return std::find(std::begin(k_without), std::end(k_without), type) == std::end(k_without);
}

}  // namespace

Group* ResourceTable::find_group(std::string_view name) {
  const auto found = groups_.find(lower_case(name));
  return found == groups_.end() ? nullptr : &found->second;
}

Group& ResourceTable::put_group(std::string_view name) {
  Group& group = groups_[lower_case(name)];
  if (group.name.empty()) group.name = name;
  return group;
}

void ResourceTable::erase_group(std::string_view name) { groups_.erase(lower_case(name)); }

std::vector<const Group*> ResourceTable::groups() const {
  std::vector<const Group*> all;
  for (const auto& [name, group] : groups_) all.push_back(&group);
  return all;
}

Resource* ResourceTable::find(std::string_view id) {
  const auto found = by_id_.find(lower_case(id));
  return found == by_id_.end() ? nullptr : &found->second;
}

Resource& ResourceTable::put(const Target& target, const std::string& location, Time now, Duration list_lag) {
  const std::string id = target.id();
  Resource& resource = by_id_[lower_case(id)];
  if (!resource.id.empty()) return resource;
  resource.id = id;
  resource.name = target.name();
  resource.type = target.full_type();
  resource.group = target.group;
  resource.location = location;
  resource.created = now;
  resource.listed_from = now + list_lag;
  return resource;
}

void ResourceTable::erase(std::string_view id) { by_id_.erase(lower_case(id)); }

std::vector<Resource*> ResourceTable::list(std::string_view type, std::string_view group, std::string_view parent,
                                           Time now) {
  std::vector<Resource*> found;
  const std::string prefix = lower_case(parent);
  for (auto& [id, resource] : by_id_) {
    if (!type.empty() && !same_word(resource.type, type)) continue;
    if (!group.empty() && !same_word(resource.group, group)) continue;
    if (!id.starts_with(prefix) || resource.listed_from > now) continue;
    found.push_back(&resource);
  }
  return found;
}

boost::json::object view_of(const Resource& resource) {
  boost::json::object view;
  view["id"] = resource.id;
  view["name"] = resource.name;
  view["type"] = resource.type;
  if (!resource.location.empty()) view["location"] = resource.location;
  for (const auto& [key, value] : *resource.body) {
    if (!view.contains(key)) view.insert_or_assign(key, value);
  }
  if (has_provisioning_state(resource.type)) make_at(view, "properties.provisioningState") = resource.provisioning;
  return view;
}

}  // namespace virga::arm
