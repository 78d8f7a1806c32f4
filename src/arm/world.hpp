// All that the stand-in knows of its cloud, and the handlers that work on it: one file for each kind of resource.
//
//   World world(scenario, backend, now);
//   Answer answer = answer_scale_sets(world, {.request = request, .target = parse_target(request.target), .now = now});
//
// Handlers never wait: what takes time is an operation that the agenda ends.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "arm/machines.hpp"
#include "arm/message.hpp"
#include "arm/resources.hpp"
#include "arm/target.hpp"

namespace virga::arm {

struct World {
  World(Scenario s, VmBackend& backend, Time now);
  World(const World&) = delete;  // its parts refer to each other
  World& operator=(const World&) = delete;

  Scenario scenario;
  Time started;
  Prng random;
  Agenda agenda;
  Operations operations;
  ResourceTable resources;
  Addresses addresses;
  Machines machines;
  std::map<std::string, std::uint32_t> next_instance;  ///< of a set, by its lower-case id
};

/// A request on its way through the handlers.
struct Call {
  const Request& request;
  Target target;
  Time now;
  std::string base_url;                ///< "https://127.0.0.1:8443", for the URLs in answers
  bool is_list = false;                ///< a GET of a collection
  std::optional<FailureRule> failure;  ///< injected into the operation that it begins

  bool is(std::string_view method) const { return request.method == method; }
};

// Answers -------------------------------------------------------------------------------------------------------------

Answer json_answer(int status, const boost::json::object& body);
/// {value, nextLink}: one page of `count` things.
Answer list_answer(const World& world, const Call& call, std::size_t count,
                   const std::function<boost::json::object(std::size_t)>& item);
/// Adds Azure-AsyncOperation, Location and Retry-After.
void add_operation(Answer& answer, const World& world, const Call& call, const Operation& operation);
/// 202 without a body.
Answer accepted(const World& world, const Call& call, const Operation& operation);
/// Whole seconds of the client.
std::int64_t client_seconds(const World& world, Duration duration);
Answer method_not_allowed(const Call& call);
Answer resource_not_found(const Call& call);
/// 404 for a path of which the stand-in knows nothing.
Answer not_served(const Call& call);
/// The call's operation ends Failed, as an injected `async` failure asks, and nothing is changed; else nothing.
std::optional<Answer> fail_later(World& world, const Call& call, const std::string& location);
/// Begins one; the failure that was injected into the call goes with it.
Operation& begin_operation(World& world, const Call& call, const std::string& location, const std::string& subject);
/// The body's "location", which must be a region of the scenario; else the refusal.
std::optional<Answer> check_location(const World& world, const boost::json::object& body, std::string& location);

/// Whether the call begins an operation once it is accepted: what `async`, `never_ends` and `recovers` need.
bool begins_operation(const Call& call);
/// To the handler of the resource; authentication, groups and throttling are done.
Answer route(World& world, const Call& call);

// Handlers ------------------------------------------------------------------------------------------------------------

Answer answer_subscriptions(World& world, const Call& call);
Answer answer_groups(World& world, const Call& call);
Answer answer_scale_sets(World& world, const Call& call);
Answer answer_set_machines(World& world, const Call& call);    ///< …/virtualMachineScaleSets/S/virtualMachines…
Answer answer_set_interfaces(World& world, const Call& call);  ///< …/networkInterfaces of a set or of its instances
Answer answer_virtual_machines(World& world, const Call& call);
Answer answer_networks(World& world, const Call& call);
Answer answer_reservations(World& world, const Call& call);
Answer answer_interconnect_blocks(World& world, const Call& call);
Answer answer_other_resources(World& world, const Call& call);  ///< opaque: PUT, PATCH, GET, LIST, DELETE
Answer answer_catalogue(World& world, const Call& call);        ///< usages, skus, images, locations, providers
Answer answer_operation(World& world, const Call& call);
Answer answer_deployments(World& world, const Call& call);

// What handlers share -------------------------------------------------------------------------------------------------

/// As a GET without $expand shows it, whatever its type is; without secrets.
boost::json::object view_of_any(World& world, const Resource& resource);
boost::json::object view_of_set(const Resource& set);
boost::json::object view_of_machine(World& world, const Resource& resource, bool with_instance_view);
boost::json::object view_of_reservation(const World& world, const Resource& resource, bool with_instance_view);
boost::json::object view_of_block(const World& world, const Resource& resource, bool with_instance_view);
/// What Azure says when there is no host for a VM.
void fail_allocation(World& world, const Operation& operation, const MachineSpec& spec, bool zonal);
inline constexpr std::string_view k_allocation_failed =
    "Allocation failed. We do not have sufficient capacity for the requested VM size in this region. Read more about "
    "improving likelihood of allocation success at http://aka.ms/allocation-guidance";
/// instanceView of a machine, as both kinds of VMs show it.
boost::json::object instance_view_of(const Machine& machine);
boost::json::object interface_of(const Machine& machine);
/// The resource of a VM that a Flexible set makes.
Resource& make_member(World& world, const MachineSpec& spec, const Resource& set, Time now);
/// A VM is gone: so is its resource, and its interfaces are free (or gone too, if they were to be).
void release_machine(World& world, const std::string& id);
/// Gives back the addresses of a network interface, a subnet's range, and what a reservation holds; nothing for others.
void release_resource(World& world, const Resource& resource);
/// Its interface and disk, as resources of their own, with what a member of a Flexible set inherits.
void attach_belongings(World& world, const Machine& machine, const Resource& set, Time now);
/// The part of its body's interconnect (a rack) that the VM of this number is in, as a GUID; "" without one.
std::string subgroup_for(World& world, const boost::json::object& body, std::uint32_t number);
/// The reservation or interconnect block that a VM may use, by what its body names; "" if there is none, or no room.
std::string reservation_for(World& world, const boost::json::object& body, const std::string& prefix,
                            const AzureSize& size);
/// How many VMs the body's group of reservations, or its interconnect block, still has room for.
std::int64_t reserved_room(World& world, const boost::json::object& body, const std::string& prefix,
                           const AzureSize& size);
/// Of a Block reservation and of an interconnect block: without room in it there is no VM.
bool takes_reserved_only(World& world, const boost::json::object& body, const std::string& prefix);
/// Refuses what cannot use a reservation, for a body that names a group: Spot, and for targeted ones some sizes,
/// proximity placement groups and one placement group.
struct ReservationUse {
  std::string prefix;  ///< of the profile in the body
  const AzureSize& size;
  bool spot = false;
  bool one_placement_group = false;
};
std::optional<Answer> check_reservation_use(World& world, const boost::json::object& body, const ReservationUse& use);
/// Refuses a size that the subscription does not get there.
std::optional<Answer> check_restriction(const World& world, const MachineSpec& spec, const boost::json::object& body);
/// By targeted reservations. Documented exclusions: ND, NCads_H100_v5, HB and HC.
bool can_be_reserved(const AzureSize& size);
/// Holds `more` further machines (or gives some back), of which Azure may have too few: the refusal, and nothing is
/// held.
std::optional<Answer> hold_machines(World& world, const Call& call, const std::string& location, const AzureSize& size,
                                    std::int64_t more);
/// VMs that come out of a reservation or an interconnect block.
std::vector<const Machine*> users_of(const World& world, std::string_view reservation);
/// Also of an interconnect block, like the next.
Answer delete_reservation(World& world, const Call& call, Resource* resource);
void release_reservation(World& world, const Resource& resource);
/// Spot, eviction policy, custom data and size from a VM's or a set's profile.
MachineSpec spec_from_profile(const boost::json::object& profile);
/// Takes out what is write-only, at any depth: passwords, custom data, protected settings.
void hide_secrets(boost::json::object& properties);
void define_subnets(World& world, Resource& network);
/// deallocate, poweroff, start, restart, redeploy, reimage …; nothing for a word that is no such action.
std::optional<Answer> act_on_machines(World& world, const Call& call, std::string_view action,
                                      const std::vector<MachineNumber>& machines, const std::string& location);
/// Ends all of a group, or one resource.
void delete_resource(World& world, Resource& resource, Duration takes, Time now);

}  // namespace virga::arm
