#include "clouds/azure/surroundings.hpp"

#include <fmt/format.h>

#include "clouds/azure/address_range.hpp"
#include "clouds/azure/set_body.hpp"

namespace virga::azure {
namespace {

std::string tags_of(const AzureSettings& settings) {
  JsonWriter w;
  w.begin_object();
  w(k_tag_cluster, settings.cluster);
  w.end_object();
  return w.take();
}

Arm<HttpAnswer> write(ArmClient& client, ArmCall call) {
  call.method = "PUT";
  auto made = client.call(call);
  if (!made) return made;
  const Time deadline = Stopper::now() + client.access().settings.operation_timeout;
  if (auto ended = client.finish(*made, deadline, [] { return false; }); !ended) return failed(ended.error());
  return made;
}

Arm<void> ensure_group(ArmClient& client) {
  ArmCall call{.path = client.group_path(), .version = ApiVersion::resources, .kind = CallKind::group_read};
  const auto found = client.call(call);
  if (found) return {};
  if (!found.error().says_absent()) return failed(found.error());
  JsonWriter w;
  w.begin_object();
  w("location", client.access().settings.region);
  w.key("tags");
  w.put_json(tags_of(client.access().settings));
  w.end_object();
  call.kind = CallKind::group_write;
  call.body = w.take();
  const auto made = write(client, std::move(call));
  return made ? Arm<void>() : failed(made.error());
}

std::string subnet_body(const AzureSettings& settings) {
  JsonWriter w;
  w.begin_object();
  w("name", settings.subnet);
  w.key("properties");
  w.begin_object();
  w("addressPrefix", settings.address_space);
  w.end_object();
  w.end_object();
  return w.take();
}

std::string network_body(const AzureSettings& settings) {
  JsonWriter w;
  w.begin_object();
  w("location", settings.region);
  w.key("tags");
  w.put_json(tags_of(settings));
  w.key("properties");
  w.begin_object();
  w.key("addressSpace");
  w.begin_object();
  w("addressPrefixes", std::vector<std::string>{settings.address_space});
  w.end_object();
  w.key("subnets");
  w.begin_array();
  w.put_json(subnet_body(settings));
  w.end_array();
  w.end_object();
  w.end_object();
  return w.take();
}

/// A network that is there may have a subnet of this name, or gets one; it is never written as a whole, which would
/// take other subnets away.
Arm<void> ensure_network(ArmClient& client) {
  const AzureSettings& settings = client.access().settings;
  const std::string path =
      fmt::format("{}/providers/Microsoft.Network/virtualNetworks/{}", client.group_path(), settings.network);
  ArmCall call{.path = path, .version = ApiVersion::network, .kind = CallKind::network_read};
  const auto network = client.call(call);
  if (!network && !network.error().says_absent()) return failed(network.error());
  if (network) {
    if (touches_infiniband(spaces_of(network->body))) {
      return failed({.kind = ArmErrorKind::request,
                     .code = "AddressSpace",
                     .message = fmt::format("network {} has addresses of 172.16.0.0/16, which Azure's InfiniBand uses; "
                                            "name another one in cloud.azure.network",
                                            settings.network),
                     .retry_after = {}});
    }
    call.path = path + "/subnets/" + settings.subnet;
    const auto subnet = client.call(call);
    if (subnet) return {};
    if (!subnet.error().says_absent()) return failed(subnet.error());
  }
  call.kind = CallKind::network_write;
  call.body = network ? subnet_body(settings) : network_body(settings);
  const auto made = write(client, std::move(call));
  return made ? Arm<void>() : failed(made.error());
}

}  // namespace

Arm<void> Surroundings::ensure(ArmClient& client) {
  std::lock_guard lock(mutex_);
  if (there_) return {};
  if (auto group = ensure_group(client); !group) return group;
  if (auto network = ensure_network(client); !network) return network;
  there_ = true;
  return {};
}

}  // namespace virga::azure
