// Which handler serves which resource.
#include "arm/world.hpp"

namespace virga {

Answer route(World& world, const Call& call) {
  const Target& target = call.target;
  const std::string& key = target.key;
  const std::string& tail = target.tail_key;
  const bool writes = call.is("PUT") || call.is("PATCH") || call.is("DELETE");
  if (writes && !tail.empty()) return method_not_allowed(call);  // of a collection, a view or an action
  if (target.provider.empty()) {
    if (tail == "providers") return answer_catalogue(world, call);
    return target.group.empty() && tail != "resourcegroups" ? answer_subscriptions(world, call)
                                                            : answer_groups(world, call);
  }
  if (key == "locations/operations") return answer_operation(world, call);
  const bool catalogue = key.starts_with("locations") || (key.empty() && tail == "skus") ||
                         (key.empty() && (tail.empty() || tail == "register")) ||
                         target.provider == "Microsoft.Insights";
  if (catalogue) return answer_catalogue(world, call);
  if (target.group.empty() && !target.types.empty()) return resource_not_found(call);
  if (target.provider == "Microsoft.Network") return answer_networks(world, call);
  if (key.starts_with("deployments") || tail == "deployments") return answer_deployments(world, call);
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
  return answer_other_resources(world, call);
}

}  // namespace virga
