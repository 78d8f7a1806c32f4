// The calls about scale sets, with what this room needs of their answers. Whether a set is Uniform or Flexible is known
// in here alone: instances of the one are part of it, members of the other are VMs with interfaces of their own.
//
//   ScaleSets sets(client);
//   Arm<std::optional<std::vector<Instance>>> there = sets.instances("virga-c-nd-1");   // nothing: no such set
//   Arm<HttpAnswer> growing = sets.grow("virga-c-nd-1", 80);                            // then client.finish(…)
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "clouds/azure/set_body.hpp"

namespace virga::azure {

enum class InstanceState : std::uint8_t {
  creating,  ///< anything that Azure does not call final
  up,
  failed,   ///< says Azure; may recover
  stopped,  ///< or deallocated: evicted, or by somebody's hand
  deleting,
};

struct Instance {
  std::string id;  ///< its number in the set; of a Flexible one its name
  std::string name;
  std::string machine = {};  ///< its GUID, which the instance itself learns from its metadata service
  InstanceState state = InstanceState::creating;
  std::string message = {};  ///< of one that failed
  std::string leaf = {};     ///< the id of what it shares its lowest switches with, where Azure tells
  std::string address = {};  ///< only where addresses() was asked

  bool is_living() const { return state != InstanceState::deleting; }
};

struct ListedSet {
  std::string name;
  std::string pool;
};

class ScaleSets {
 public:
  explicit ScaleSets(ArmClient& client) : client_(client) {}

  /// Those of this cluster in the resource group; none if there is no such group.
  Arm<std::vector<ListedSet>> list();
  /// In ascending order of their ids; nothing if there is no such set.
  Arm<std::optional<std::vector<Instance>>> instances(const std::string& set);
  /// By instance id: the private addresses; what has none yet is left out.
  Arm<std::map<std::string, std::string>> addresses(const std::string& set);
  /// What Azure takes the set's size to be, and whether it is changing; nothing if there is no such set.
  struct Size {
    std::uint32_t capacity = 0;
    bool changing = false;
  };
  Arm<std::optional<Size>> size(const std::string& set);

  /// What must be removed before the set itself can be: the members of a Flexible one.
  Arm<std::vector<std::string>> ids_to_remove_first(const std::string& set);

  // Each begins an operation.
  Arm<HttpAnswer> create(const std::string& set, const SetBody& body);
  Arm<HttpAnswer> grow(const std::string& set, std::uint32_t capacity);
  Arm<HttpAnswer> remove(const std::string& set);
  Arm<HttpAnswer> remove_instances(const std::string& set, const std::vector<std::string>& ids);

 private:
  Arm<std::optional<bool>> is_flexible(const std::string& set);
  ArmCall list_call(const std::string& set, bool flexible) const;

  ArmClient& client_;
  std::map<std::string, bool> flexible_;  ///< of sets that were seen; it never changes in the life of a set
};

}  // namespace virga::azure
