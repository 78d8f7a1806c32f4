// Which handler serves which resource: by provider and type. What is of another provider, or of a type that the
// stand-in does not know, is kept as it was PUT.
#include "arm/text.hpp"
#include "arm/world.hpp"

namespace virga::arm {
namespace {

Answer route_outside_providers(World& world, const Call& call) {
  const Target& target = call.target;
  if (target.tail_key == "providers" && target.group.empty()) return answer_catalogue(world, call);
  const bool of_group = !target.group.empty() || target.tail_key == "resourcegroups";
  return of_group ? answer_groups(world, call) : answer_subscriptions(world, call);
}

Answer route_compute(World& world, const Call& call) {
  const std::string& key = call.target.key;
  const std::string& tail = call.target.tail_key;
  const bool of_set = key.starts_with("virtualmachinescalesets");
  if (of_set && (key.ends_with("/networkinterfaces") || tail == "networkinterfaces")) {
    return answer_set_interfaces(world, call);
  }
  if (key == "virtualmachinescalesets/virtualmachines") return answer_set_machines(world, call);
  if (key == "virtualmachinescalesets" && tail == "virtualmachines") return answer_set_machines(world, call);
  if (key == "virtualmachinescalesets" || (key.empty() && tail == "virtualmachinescalesets")) {
    return answer_scale_sets(world, call);
  }
  if (key == "virtualmachines" || (key.empty() && tail == "virtualmachines")) {
    return answer_virtual_machines(world, call);
  }
  const bool of_reservation = key == "capacityreservationgroups/capacityreservations" ||
                              (key == "capacityreservationgroups" && tail == "capacityreservations");
  if (of_reservation) return answer_reservations(world, call);
  if (key == "interconnectblocks") return answer_interconnect_blocks(world, call);
  return answer_other_resources(world, call);
}

}  // namespace

Answer route(World& world, const Call& call) {
  const Target& target = call.target;
  const std::string& key = target.key;
  const std::string& tail = target.tail_key;
  const bool writes = call.is("PUT") || call.is("PATCH") || call.is("DELETE");
  if (writes && !tail.empty()) return method_not_allowed(call);  // of a collection, a view or an action
  if (target.provider.empty()) return route_outside_providers(world, call);
  if (key == "locations/operations") return answer_operation(world, call);
  const bool catalogue = key.starts_with("locations") || (key.empty() && tail == "skus") ||
                         (key.empty() && (tail.empty() || tail == "register")) ||
                         target.provider == "Microsoft.Insights" ||
                         (target.provider == "Microsoft.Authorization" && tail == "permissions");
  if (catalogue) return answer_catalogue(world, call);
  if (target.group.empty() && !target.types.empty()) return resource_not_found(call);
  if (target.provider == "Microsoft.Network") return answer_networks(world, call);
  if (target.provider == "Microsoft.Compute") return route_compute(world, call);
  const bool of_deployment = key.starts_with("deployments") || tail == "deployments";
  if (target.provider == "Microsoft.Resources" && of_deployment) return answer_deployments(world, call);
  return answer_other_resources(world, call);
}

bool begins_operation(const Call& call) {
  const Target& target = call.target;
  const std::string& key = target.key;
  if (target.provider.empty()) return call.is("DELETE") && !target.group.empty();
  if (target.provider == "Microsoft.Network") return call.is("DELETE");
  if (target.provider == "Microsoft.Resources") return call.is("PUT") && key == "deployments";
  if (target.provider != "Microsoft.Compute") return false;
  const bool machines =
      key == "virtualmachinescalesets" || key == "virtualmachinescalesets/virtualmachines" || key == "virtualmachines";
  if (call.is("POST")) return machines && target.tail_key != "simulateeviction";
  const bool writes = call.is("PUT") || call.is("PATCH") || call.is("DELETE");
  return writes && (machines || key == "capacityreservationgroups/capacityreservations" || key == "interconnectblocks");
}

}  // namespace virga::arm
