// What has been PUT: resource groups, and resources by id. What a scale set's or a VM's machines do is in machines.hpp.
//
//   Resource& set = resources.put(target, "eastus", now);    // new, or the one that is there
//   merge(*set.body, patch);
//   resources.find("/SUBSCRIPTIONS/s/resourcegroups/g/…");  // nullptr if it is not there
//
// References stay good until the resource is erased.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "arm/document.hpp"
#include "arm/target.hpp"
#include "base/time.hpp"

namespace virga::arm {

struct Resource {
  std::string id;  ///< canonical
  std::string name;
  std::string type;  ///< "Microsoft.Compute/virtualMachineScaleSets"
  std::string group;
  std::string location;
  Document body;  ///< as it was PUT and merged, without what is read-only
  std::string provisioning = "Succeeded";
  Time created;
  Time listed_from;  ///< list lag
};

struct Group {
  std::string name;
  std::string location;
  Document body;
  Time gone;  ///< when a deletion that was accepted is done; unset without one

  bool is_deleting() const { return gone.is_set(); }
};

class ResourceTable {
 public:
  Group* find_group(std::string_view name);
  Group& put_group(std::string_view name);
  void erase_group(std::string_view name);
  std::vector<const Group*> groups() const;

  Resource* find(std::string_view id);
  Resource& put(const Target& target, const std::string& location, Time now, Duration list_lag);
  void erase(std::string_view id);
  /// By canonical full type ("" for all), in the order of ids; of one group unless `group` is "". Children of `parent`
  /// only, unless that is "". What `now` may not list yet is left out; Time::never() lists all.
  std::vector<Resource*> list(std::string_view type, std::string_view group, std::string_view parent, Time now);

 private:
  std::map<std::string, Group> groups_;    ///< by lower-case name
  std::map<std::string, Resource> by_id_;  ///< by lower-case id
};

/// As a GET shows it: id, name, type and location first, then the body, and its provisioningState.
boost::json::object view_of(const Resource& resource);

}  // namespace virga::arm
