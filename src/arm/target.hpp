// What a request is about: the path of the Azure Resource Manager, taken apart.
//
//   Target t = parse_target("/subscriptions/S/resourcegroups/G/providers/Microsoft.Compute/virtualMachineScaleSets/s/"
//                           "virtualMachines?api-version=2022-08-01&%24expand=instanceView");
//   t.group == "G"; t.provider == "Microsoft.Compute"; t.types == {"virtualMachineScaleSets"}; t.names == {"s"};
//   t.tail == "virtualMachines"; t.query_value("$expand") == "instanceView"; t.key == "virtualmachinescalesets";
//
// An id is parsed only if it came as a path: one that is put together from the text of a body is built with
// resource_target(), which reads no '/' and no '?' in a name.
//
// Paths are compared without case everywhere (clients write "resourcegroups" and "virtualmachines"); ids are given back
// in canonical case (canonical_type). The names of the query are lower-cased.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace virga::arm {

struct Target {
  std::string path;                   ///< percent-decoded, without the query
  std::vector<std::string> segments;  ///< of the path, decoded one by one
  std::map<std::string, std::string> query;

  bool is_resource = false;  ///< starts with /subscriptions; what follows is set
  std::string subscription;
  std::string group;               ///< resource group; "" outside of one
  std::string provider;            ///< canonical: "Microsoft.Compute"; "" without
  std::vector<std::string> types;  ///< canonical, as many as names
  std::vector<std::string> names;  ///< for locations/{l}/usages: types {"locations"}, names {l}, tail "usages"
  std::string tail;                ///< the last, odd word: a collection, a view or an action
  std::string key;                 ///< the types, lower-cased and joined with '/'
  std::string tail_key;            ///< the tail in lower case
  bool is_sound = true;            ///< all of it is UTF-8 without control characters, the segments is_segment()

  std::string_view query_value(std::string_view name) const;
  std::string_view name() const { return names.empty() ? std::string_view() : names.back(); }
  /// "/subscriptions/S/resourceGroups/G/providers/P/t/n/…" in canonical case, without the tail.
  std::string id() const;
  std::string id_of_parent() const;
  /// "virtualMachineScaleSets/virtualMachines": what a call is named by in logs and in failures to inject.
  std::string type_path() const;
  /// "Microsoft.Compute/virtualMachineScaleSets".
  std::string full_type() const;
};

Target parse_target(std::string_view target);
/// The resource of these names, which are is_segment().
Target resource_target(std::string subscription, std::string group, std::string_view provider,
                       const std::vector<std::string>& types, std::vector<std::string> names);
/// "virtualmachines" → "virtualMachines"; a word that is not known stays as it is.
std::string canonical_type(std::string_view word);
/// What may stand between two '/' of an id: UTF-8 without control characters and without / ? # % and backslash.
bool is_segment(std::string_view text);
/// The names that Azure allows for networks and subnets: 1 to 80 of A-Z a-z 0-9 . _ -
bool is_resource_name(std::string_view name);
/// "2022-08-01", "2022-08-01-preview": what may also stand in the URLs of answers.
bool is_api_version(std::string_view text);
/// "PUT virtualMachineScaleSets", "LIST usages", "POST token": words of which a call's name can consist.
bool is_operation_name(std::string_view name);

}  // namespace virga::arm
