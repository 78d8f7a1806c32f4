#include "clouds/azure/scale_sets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "clouds/azure/json_path.hpp"

namespace virga::azure {
namespace {

InstanceState state_of(JsonNode properties, std::string& message) {
  const std::string provisioning = text(at(properties, "provisioningState"));
  if (provisioning == "Deleting") return InstanceState::deleting;
  bool stopped = false;
  const JsonNode statuses = at(at(properties, "instanceView"), "statuses");
  for (std::size_t i = 0; i < count(statuses); ++i) {
    const std::string code = text(at(statuses.element(i), "code"));
    if (code.starts_with("ProvisioningState/failed")) {
      message = code.substr(code.rfind('/') + 1) + ": " + text(at(statuses.element(i), "message"));
    }
    stopped = stopped || code == "PowerState/deallocated" || code == "PowerState/deallocating" ||
              code == "PowerState/stopped";
  }
  if (stopped) return InstanceState::stopped;
  if (provisioning == "Failed") return InstanceState::failed;
  // Updating is what an instance does that is up.
  return provisioning == "Succeeded" || provisioning == "Updating" ? InstanceState::up : InstanceState::creating;
}

Instance instance_of(JsonNode node) {
  Instance instance;
  instance.id = text(at(node, "instanceId"));
  instance.name = text(at(node, "name"));
  if (instance.id.empty()) instance.id = instance.name;  // a member of a Flexible set
  instance.machine = text(at(at(node, "properties"), "vmId"));
  instance.state = state_of(at(node, "properties"), instance.message);
  const JsonNode view = at(at(node, "properties"), "instanceView");
  instance.leaf = text(at(at(view, "interconnectInstanceView"), "interconnectSubgroupId"));
  return instance;
}

bool says_flexible(JsonNode set) { return text(at(at(set, "properties"), "orchestrationMode")) == "Flexible"; }

std::string last_word(const std::string& id) { return id.substr(id.rfind('/') + 1); }

/// Azure names a Flexible set's members so: SET_1a2b3c4d.
bool is_member_name(const std::string& vm, const std::string& set) {
  const std::size_t end = vm.rfind('_');
  return end != std::string::npos && vm.compare(0, end, set) == 0;
}

/// Numbers by their value.
bool comes_before(const Instance& a, const Instance& b) {
  return a.id.size() != b.id.size() ? a.id.size() < b.id.size() : a.id < b.id;
}

}  // namespace

Arm<std::vector<ListedSet>> ScaleSets::list() {
  std::vector<ListedSet> sets;
  const std::string& cluster = client_.access().settings.cluster;
  ArmCall call{.path = client_.group_path() + "/providers/Microsoft.Compute/virtualMachineScaleSets",
               .kind = CallKind::set_list,
               .resource = "sets"};
  auto listed = client_.list(std::move(call), [&](JsonNode node) {
    const JsonNode tags = at(node, "tags");
    if (text(at(tags, k_tag_cluster)) != cluster) return;
    sets.push_back({text(at(node, "name")), text(at(tags, k_tag_pool))});
    flexible_[sets.back().name] = says_flexible(node);
  });
  if (!listed && !listed.error().says_absent()) return failed(listed.error());
  return sets;
}

Arm<std::optional<bool>> ScaleSets::is_flexible(const std::string& set) {
  if (const auto found = flexible_.find(set); found != flexible_.end()) return found->second;
  const auto seen = size(set);
  if (!seen) return failed(seen.error());
  return *seen ? std::optional(flexible_[set]) : std::nullopt;
}

ArmCall ScaleSets::list_call(const std::string& set, bool flexible) const {
  if (!flexible) {
    return {.path = client_.set_path(set) + "/virtualMachines",
            .version = ApiVersion::compute_newest,
            .kind = CallKind::set_list,
            .resource = set,
            .query = "&$expand=instanceView"};
  }
  return {.path = client_.group_path() + "/providers/Microsoft.Compute/virtualMachines",
          .version = ApiVersion::compute_newest,
          .kind = CallKind::vm_list,
          .resource = "vms",
          .query = fmt::format("&$expand=instanceView&$filter='virtualMachineScaleSet/id'%20eq%20'{}'",
                               client_.set_path(set))};
}

Arm<std::optional<std::vector<Instance>>> ScaleSets::instances(const std::string& set) {
  const auto flexible = is_flexible(set);
  if (!flexible) return failed(flexible.error());
  if (!*flexible) return std::nullopt;
  std::vector<Instance> instances;
  auto listed =
      client_.list(list_call(set, **flexible), [&](JsonNode node) { instances.push_back(instance_of(node)); });
  if (!listed && !listed.error().says_absent()) return failed(listed.error());
  if (**flexible && instances.empty()) {  // a filter that fits nothing does not say that the set is gone
    const auto there = size(set);
    if (!there) return failed(there.error());
    if (!*there) return std::nullopt;
  } else if (!listed) {
    flexible_.erase(set);
    return std::nullopt;
  }
  std::sort(instances.begin(), instances.end(), comes_before);
  return instances;
}

Arm<std::map<std::string, std::string>> ScaleSets::addresses(const std::string& set) {
  std::map<std::string, std::string> addresses;
  const auto flexible = is_flexible(set);
  if (!flexible) return failed(flexible.error());
  if (!*flexible) return addresses;
  ArmCall call{.path = client_.set_path(set) + "/networkInterfaces",
               .version = ApiVersion::set_interfaces,
               .kind = CallKind::network_read,
               .resource = set};
  if (**flexible) {
    call.path = client_.group_path() + "/providers/Microsoft.Network/networkInterfaces";
    call.version = ApiVersion::network;
  }
  auto listed = client_.list(std::move(call), [&](JsonNode node) {
    const JsonNode properties = at(node, "properties");
    const std::string machine = last_word(text(at(at(properties, "virtualMachine"), "id")));
    const JsonNode configurations = at(properties, "ipConfigurations");
    if (machine.empty() || count(configurations) == 0) return;
    if (**flexible && !is_member_name(machine, set)) return;  // the group has interfaces of others, too
    const std::string address = text(at(at(configurations.element(0), "properties"), "privateIPAddress"));
    if (!address.empty()) addresses[machine] = address;
  });
  if (!listed && !listed.error().says_absent()) return failed(listed.error());
  return addresses;
}

/// Azure documents for Uniform sets only that their instances go with them.
Arm<std::vector<std::string>> ScaleSets::ids_to_remove_first(const std::string& set) {
  std::vector<std::string> ids;
  const auto flexible = is_flexible(set);
  if (!flexible) return failed(flexible.error());
  if (!*flexible || !**flexible) return ids;
  const auto there = instances(set);
  if (!there) return failed(there.error());
  if (!*there) return ids;
  for (const Instance& instance : **there) {
    if (instance.is_living()) ids.push_back(instance.id);
  }
  return ids;
}

Arm<std::optional<ScaleSets::Size>> ScaleSets::size(const std::string& set) {
  auto answer = client_.call({.path = client_.set_path(set), .kind = CallKind::set_get, .resource = set});
  if (!answer && answer.error().says_absent()) {
    flexible_.erase(set);
    return std::nullopt;
  }
  if (!answer) return failed(answer.error());
  const auto document = JsonDocument::parse(answer->body);
  const JsonNode root = document ? document->root() : JsonNode();
  flexible_[set] = says_flexible(root);
  const JsonNode capacity = at(at(root, "sku"), "capacity");
  const std::string state = text(at(at(root, "properties"), "provisioningState"));
  Size size;
  size.changing = state != "Succeeded" && state != "Failed" && state != "Canceled";
  if (capacity && capacity.kind() == JsonNode::Kind::integer) {
    size.capacity = static_cast<std::uint32_t>(capacity.unsigned_integer().value_or(0));
  }
  return size;
}

Arm<HttpAnswer> ScaleSets::create(const std::string& set, const SetBody& body) {
  auto begun = client_.call({.method = "PUT",
                             .path = client_.set_path(set),
                             .version = body.version,
                             .kind = CallKind::set_create,
                             .resource = set,
                             .body = body.text});
  if (begun) flexible_[set] = body.flexible;
  return begun;
}

Arm<HttpAnswer> ScaleSets::grow(const std::string& set, std::uint32_t capacity) {
  return client_.call({.method = "PATCH",
                       .path = client_.set_path(set),
                       .kind = CallKind::set_update,
                       .resource = set,
                       .body = patch_body(capacity)});
}

Arm<HttpAnswer> ScaleSets::remove(const std::string& set) {
  return client_.call({.method = "DELETE",
                       .path = client_.set_path(set),
                       .kind = CallKind::set_delete,
                       .resource = set,
                       .query = "&forceDeletion=true"});
}

Arm<HttpAnswer> ScaleSets::remove_instances(const std::string& set, const std::vector<std::string>& ids) {
  return client_.call({.method = "POST",
                       .path = client_.set_path(set) + "/delete",
                       .kind = CallKind::instance_delete,
                       .resource = set,
                       .body = instances_body(ids),
                       .query = "&forceDeletion=true"});
}

}  // namespace virga::azure
