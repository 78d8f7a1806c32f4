// What is done to machines that are there: power, reimage, delete, and the end of whole resources.
#include <algorithm>
#include <boost/json.hpp>
#include <iterator>

#include "arm/text.hpp"
#include "arm/world.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

/// A set's capacity is what it holds: it falls as soon as the deletion of an instance is accepted.
void shrink_set(World& world, const std::string& set_id) {
  Resource* set = world.resources.find(set_id);
  if (set == nullptr) return;
  const std::int64_t capacity = number_at(*set->body, "sku.capacity", 0);
  if (capacity > 0) make_at(*set->body, "sku.capacity") = capacity - 1;
}

void remove_machines(World& world, const Call& call, const std::vector<MachineNumber>& machines, Duration takes) {
  for (const MachineNumber number : machines) {
    const Machine* machine = world.machines.find(number);
    if (machine == nullptr || machine->is_deleting()) continue;
    if (!machine->spec.set.empty()) shrink_set(world, machine->spec.set);
    world.machines.remove(number, takes, call.now);
  }
}

/// `reboots`: those that run are booted again.
void start_machines(World& world, const Call& call, const std::vector<MachineNumber>& machines, bool reboots,
                    const Operation& operation) {
  std::size_t started = 0;
  for (const MachineNumber number : machines) {
    const Machine* machine = world.machines.find(number);
    if (machine == nullptr || machine->is_deleting()) continue;
    const bool is_up = machine->power == Power::running || machine->power == Power::starting;
    if (is_up && !reboots) continue;
    if (world.machines.start(number, operation.id, call.now)) {
      ++started;
    } else {
      world.operations.fail(operation.id, "AllocationFailed", std::string(k_allocation_failed));
    }
  }
  // None to wait for: done, or failed.
  if (started == 0) world.operations.end_at(operation.id, call.now + world.scenario.write_time);
}

std::optional<Answer> refuse_restart(World& world, const std::vector<MachineNumber>& machines) {
  for (const MachineNumber number : machines) {
    const Machine* machine = world.machines.find(number);
    if (machine == nullptr || machine->power != Power::deallocated) continue;
    return refusal(409, "OperationNotAllowed",
                   "Cannot restart VM '" + machine->spec.name + "': it is deallocated. Start it instead.");
  }
  return std::nullopt;
}

}  // namespace

std::optional<Answer> act_on_machines(World& world, const Call& call, std::string_view action,
                                      const std::vector<MachineNumber>& machines, const std::string& location) {
  constexpr std::string_view k_reboots[] = {"start", "restart", "redeploy", "reimage", "reimageall"};
  constexpr std::string_view k_nothing_happens[] = {"manualupgrade", "performmaintenance"};
  const auto among = [&](const auto& words) {
    return std::find(std::begin(words), std::end(words), action) != std::end(words);
  };
  const bool known = action == "delete" || action == "poweroff" || action == "deallocate" || among(k_reboots) ||
                     among(k_nothing_happens);
  if (!known) return std::nullopt;
  if (action == "restart") {
    if (auto refused = refuse_restart(world, machines)) return refused;
  }
  if (auto failed = fail_later(world, call, location)) return failed;
  const Operation& operation = begin_operation(world, call, location, "");
  Duration takes = world.scenario.write_time;
  if (among(k_reboots)) {
    start_machines(world, call, machines, action != "start", operation);
    return accepted(world, call, operation);
  }
  if (action == "delete") {
    const bool force = same_word(call.target.query_value("forcedeletion"), "true");
    takes = force ? Duration{world.scenario.delete_time.ns / 4} : world.scenario.delete_time;
    remove_machines(world, call, machines, takes);
  } else if (action == "poweroff") {
    for (const MachineNumber number : machines) world.machines.power_off(number, call.now);
  } else if (action == "deallocate") {
    for (const MachineNumber number : machines) world.machines.deallocate(number, call.now);
  }
  world.operations.end_at(operation.id, call.now + takes);
  return accepted(world, call, operation);
}

void delete_resource(World& world, Resource& resource, Duration takes, Time now) {
  resource.provisioning = "Deleting";
  for (const Machine* machine : world.machines.of_set(resource.id)) {
    world.machines.remove(machine->number, takes, now);
  }
  if (const Machine* machine = world.machines.find(resource.id)) {
    if (!machine->spec.set.empty()) shrink_set(world, machine->spec.set);
    world.machines.remove(machine->number, takes, now);
  }
  // After the machines, which are gone at the same moment.
  world.agenda.at(now + takes, [&world, id = resource.id, created = resource.created](Time) {
    const Resource* again = world.resources.find(id);
    if (again == nullptr || again->created != created) return;
    for (const Resource* child : world.resources.list("", "", id + "/", Time::never())) {
      release_resource(world, *child);
      world.resources.erase(std::string(child->id));
    }
    release_resource(world, *again);
    release_machine(world, id);
    world.resources.erase(id);
    world.next_instance.erase(lower_case(id));
  });
}

}  // namespace virga::arm
