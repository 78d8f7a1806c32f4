#include "clouds/azure/scale_sets.hpp"

#include <algorithm>

#include "clouds/azure/json_path.hpp"
#include "clouds/azure/set_plan.hpp"

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
  instance.machine = text(at(at(node, "properties"), "vmId"));
  instance.state = state_of(at(node, "properties"), instance.message);
  return instance;
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
    if (text(at(tags, k_tag_cluster)) == cluster) sets.push_back({text(at(node, "name")), text(at(tags, k_tag_pool))});
  });
  if (!listed && listed.error().status != 404) return failed(listed.error());
  return sets;
}

Arm<std::optional<std::vector<Instance>>> ScaleSets::instances(const std::string& set) {
  std::vector<Instance> instances;
  ArmCall call{.path = client_.set_path(set) + "/virtualMachines",
               .kind = CallKind::set_list,
               .resource = set,
               .query = "&$expand=instanceView"};
  auto listed = client_.list(std::move(call), [&](JsonNode node) { instances.push_back(instance_of(node)); });
  if (!listed && listed.error().status == 404) return std::nullopt;
  if (!listed) return failed(listed.error());
  std::sort(instances.begin(), instances.end(), comes_before);
  return instances;
}

Arm<std::map<std::string, std::string>> ScaleSets::addresses(const std::string& set) {
  std::map<std::string, std::string> addresses;
  ArmCall call{.path = client_.set_path(set) + "/networkInterfaces",
               .version = ApiVersion::set_interfaces,
               .kind = CallKind::network_read,
               .resource = set};
  auto listed = client_.list(std::move(call), [&](JsonNode node) {
    const JsonNode properties = at(node, "properties");
    const std::string machine = text(at(at(properties, "virtualMachine"), "id"));
    const JsonNode configurations = at(properties, "ipConfigurations");
    if (machine.empty() || count(configurations) == 0) return;
    const std::string address = text(at(at(configurations.element(0), "properties"), "privateIPAddress"));
    if (!address.empty()) addresses[machine.substr(machine.rfind('/') + 1)] = address;
  });
  if (!listed && listed.error().status != 404) return failed(listed.error());
  return addresses;
}

Arm<std::optional<ScaleSets::Size>> ScaleSets::size(const std::string& set) {
  auto answer = client_.call({.path = client_.set_path(set), .kind = CallKind::set_get, .resource = set});
  if (!answer && answer.error().status == 404) return std::nullopt;
  if (!answer) return failed(answer.error());
  const auto document = JsonDocument::parse(answer->body);
  const JsonNode root = document ? document->root() : JsonNode();
  const JsonNode capacity = at(at(root, "sku"), "capacity");
  const std::string state = text(at(at(root, "properties"), "provisioningState"));
  Size size;
  size.changing = state != "Succeeded" && state != "Failed" && state != "Canceled";
  if (capacity && capacity.kind() == JsonNode::Kind::integer) {
    size.capacity = static_cast<std::uint32_t>(capacity.unsigned_integer().value_or(0));
  }
  return size;
}

Arm<HttpAnswer> ScaleSets::create(const std::string& set, const std::string& body) {
  return client_.call(
      {.method = "PUT", .path = client_.set_path(set), .kind = CallKind::set_create, .resource = set, .body = body});
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
