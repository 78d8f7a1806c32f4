#include "arm/machines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "arm/text.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

std::string place_key(const std::string& region, const std::string& what) {
  return lower_case(region) + "|" + family_key(what);
}

/// The quotas that a VM counts against.
std::vector<std::string> families_of(const AzureSize& size, bool spot) {
  if (spot) return {std::string(k_spot_family)};
  return {size.family, std::string(k_regional_family)};
}

std::int64_t count_at(const std::map<std::string, std::int64_t>& counts, const std::string& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

Machines::Machines(const Scenario& scenario, Agenda& agenda, Operations& operations, Addresses& addresses,
                   VmBackend& backend, Prng random, Time now)
    : list_lag_(scenario.list_lag),
      spot_mean_life_(scenario.spot_mean_life),
      spot_notice_(scenario.spot_notice),
      quota_default_(scenario.quota_vcpus),
      quota_(scenario.quota),
      capacity_(scenario.capacity),
      started_(now),
      agenda_(agenda),
      operations_(operations),
      addresses_(addresses),
      backend_(backend),
      random_(random) {
  backend_.on_death([this](const std::string& vm_id, Time when) {
    if (const Machine* machine = find(vm_id)) power_off(machine->number, when);
  });
}

std::uint32_t Machines::quota(const std::string& region, const std::string& family) const {
  std::uint32_t limit = quota_default_;
  for (const QuotaRule& rule : quota_) {
    const bool fits = rule.region.empty() || same_word(rule.region, region);
    if (fits && family_key(rule.family) == family_key(family)) limit = rule.vcpus;
  }
  return limit;
}

std::uint32_t Machines::quota_used(const std::string& region, const std::string& family) const {
  return static_cast<std::uint32_t>(count_at(quota_used_, place_key(region, family)));
}

std::optional<std::string> Machines::quota_refusal(const std::string& region, const AzureSize& size,
                                                   std::uint32_t count, bool spot) const {
  const std::uint64_t more = std::uint64_t{count} * size.vcpus;
  for (const std::string& family : families_of(size, spot)) {
    const std::uint64_t limit = quota(region, family);
    const std::uint64_t used = quota_used(region, family);
    if (used + more <= limit) continue;
    const std::string what = family == k_regional_family ? "Total Regional Cores" : family + " Cores";
    return fmt::format(
        "Operation could not be completed as it results in exceeding approved {} quota. Additional details - "
        "Deployment Model: Resource Manager, Location: {}, Current Limit: {}, Current Usage: {}, Additional Required: "
        "{}, (Minimum) New Limit Required: {}. Submit a request for Quota increase at https://aka.ms/ProdportalCRP by "
        "specifying parameters listed in the 'Details' section for deployment to succeed.",
        what, region, limit, used, more, used + more);
  }
  return std::nullopt;
}

std::uint32_t Machines::capacity_left(const std::string& region, const AzureSize& size, Time now) const {
  std::int64_t vms = std::numeric_limits<std::uint32_t>::max();
  for (const CapacityRule& rule : capacity_) {
    const bool place_fits = rule.region.empty() || same_word(rule.region, region);
    const bool size_fits = rule.size.empty() || same_word(rule.size, size.name);
    if (place_fits && size_fits && started_ + rule.from <= now && now < started_ + rule.until) vms = rule.vms;
  }
  const std::int64_t used = count_at(hosts_used_, place_key(region, size.name));
  return static_cast<std::uint32_t>(std::max<std::int64_t>(0, vms - used));
}

void Machines::hold(const std::string& region, const AzureSize& size, std::int64_t vms) {
  hosts_used_[place_key(region, size.name)] += vms;
  for (const std::string& family : families_of(size, false)) {
    quota_used_[place_key(region, family)] += vms * size.vcpus;
  }
}

void Machines::count_quota(const Machine& machine, std::int64_t sign) {
  if (!machine.spec.reservation.empty()) return;  // the reservation counts
  const std::int64_t vcpus = sign * machine.spec.size->vcpus;
  for (const std::string& family : families_of(*machine.spec.size, machine.spec.spot)) {
    quota_used_[place_key(machine.spec.location, family)] += vcpus;
  }
}

void Machines::take_host(Machine& machine, Time now) {
  machine.billed_from = now;
  machine.has_host = true;
  if (machine.spec.reservation.empty()) ++hosts_used_[place_key(machine.spec.location, machine.spec.size->name)];
}

void Machines::leave_host(Machine& machine, Time now) {
  if (!std::exchange(machine.has_host, false)) return;
  machine.billed = machine.billed_until(now);
  machine.billed_from = Time{};
  if (machine.spec.reservation.empty()) --hosts_used_[place_key(machine.spec.location, machine.spec.size->name)];
}

Machine& Machines::create(MachineSpec spec, Time now) {
  const MachineNumber number = ++last_;
  Machine& machine = machines_[number];
  machine.number = number;
  machine.spec = std::move(spec);
  machine.vm_id = new_guid(random_);
  machine.created = now;
  machine.listed_from = now + list_lag_;
  machine.address = machine.spec.address;
  if (machine.address.empty()) {
    machine.address = addresses_.take(machine.spec.subnet).value_or("");
    machine.owns_address = true;
  }
  by_id_[lower_case(machine.spec.id)] = number;
  by_id_[machine.vm_id] = number;
  if (!machine.spec.set.empty()) by_set_[lower_case(machine.spec.set)].insert(number);
  count_quota(machine, 1);
  take_host(machine, now);
  boot(machine, now);
  return machine;
}

void Machines::boot(Machine& machine, Time now) {
  machine.power = Power::starting;
  const VmOrder order{machine.vm_id, machine.spec.name, machine.spec.size->name, machine.address,
                      machine.spec.custom_data};
  backend_.start(
      order, [this, number = machine.number](const VmOutcome& outcome, Time when) { booted(number, outcome, when); },
      now);
}

void Machines::booted(MachineNumber number, const VmOutcome& outcome, Time now) {
  Machine* machine = find(number);
  if (machine == nullptr || machine->is_deleting()) return;
  machine->power = Power::running;
  machine->booted = now;
  machine->provisioning = outcome.ready ? Provisioning::succeeded : Provisioning::failed;
  machine->error_code = outcome.ready ? "" : "OSProvisioningTimedOut";
  machine->error_message = outcome.reason;
  let_go(*machine, machine->error_code, machine->error_message, now);
  if (machine->spec.spot && !spot_mean_life_.is_infinite()) {
    agenda_.at(now + random_.exponential(spot_mean_life_),
               [this, number](Time when) { evict(number, spot_notice_, when); });
  }
}

void Machines::let_go(Machine& machine, const std::string& code, const std::string& message, Time now) {
  const std::string operation = std::exchange(machine.spec.operation, "");
  if (!operation.empty()) operations_.settle(operation, code, message, now);
}

void Machines::remove(MachineNumber number, Duration takes, Time now) {
  Machine* machine = find(number);
  if (machine == nullptr) return;
  // One that is on its way out already may go sooner.
  agenda_.at(now + takes, [this, number](Time when) { forget(number, false, when); });
  if (machine->is_deleting()) return;
  machine->provisioning = Provisioning::deleting;
  // The bill ends now; the host is free once the VM is gone.
  machine->billed = machine->billed_until(now);
  machine->billed_from = Time{};
  backend_.stop(machine->vm_id);
  let_go(*machine, "OperationPreempted", "VM '" + machine->spec.name + "' was deleted before it was provisioned.", now);
}

void Machines::forget(MachineNumber number, bool evicted, Time now) {
  const auto found = machines_.find(number);
  if (found == machines_.end()) return;
  Machine& machine = found->second;
  leave_host(machine, now);
  count_quota(machine, -1);
  if (gone_) gone_(machine, evicted, now);
  if (machine.owns_address && !machine.address.empty()) addresses_.give_back(machine.spec.subnet, machine.address);
  bills_.push_back({machine.vm_id, machine.spec.name, machine.spec.set, machine.spec.size->name, machine.spec.spot,
                    machine.billed, machine.spec.size->price_per_hour});
  const auto by_id = by_id_.find(lower_case(machine.spec.id));
  if (by_id != by_id_.end() && by_id->second == number) by_id_.erase(by_id);
  by_id_.erase(machine.vm_id);
  if (!machine.spec.set.empty()) by_set_[lower_case(machine.spec.set)].erase(number);
  machines_.erase(found);
}

void Machines::power_off(MachineNumber number, Time now) {
  Machine* machine = find(number);
  if (machine == nullptr || machine->is_deleting() || machine->power == Power::deallocated) return;
  backend_.stop(machine->vm_id);
  machine->power = Power::stopped;
  machine->provisioning = Provisioning::succeeded;
  let_go(*machine, "", "", now);
}

void Machines::deallocate(MachineNumber number, Time now) {
  Machine* machine = find(number);
  if (machine == nullptr || machine->is_deleting()) return;
  backend_.stop(machine->vm_id);
  leave_host(*machine, now);
  machine->power = Power::deallocated;
  machine->provisioning = Provisioning::succeeded;
  let_go(*machine, "", "", now);
}

Status Machines::start(MachineNumber number, const std::string& operation, Time now) {
  Machine* machine = find(number);
  if (machine == nullptr || machine->is_deleting()) return {};
  if (machine->power == Power::deallocated) {
    const bool reserved = !machine->spec.reservation.empty();
    if (!reserved && capacity_left(machine->spec.location, *machine->spec.size, now) == 0) {
      return virga::fail(Code::refused, "no capacity for " + machine->spec.size->name);
    }
    take_host(*machine, now);
  } else {
    backend_.stop(machine->vm_id);
  }
  let_go(*machine, "", "", now);  // a restart while it boots: this one's operation waits from now on
  machine->provisioning = Provisioning::updating;
  machine->spec.operation = operation;
  if (!operation.empty()) operations_.expect_machines(operation, 1);
  boot(*machine, now);
  return {};
}

void Machines::evict(MachineNumber number, Duration notice, Time now) {
  Machine* machine = find(number);
  if (machine == nullptr || machine->is_deleting() || machine->power == Power::deallocated) return;
  ScheduledEvent event;
  event.id = new_guid(random_);
  event.type = "Preempt";
  event.not_before = now + notice;
  agenda_.at(event.not_before, [this, number, id = event.id](Time when) { approve_event(number, id, when); });
  machine->events.push_back(std::move(event));
  ++machine->event_document;
}

void Machines::approve_event(MachineNumber number, const std::string& event_id, Time now) {
  Machine* machine = find(number);
  if (machine == nullptr) return;
  const auto removed = std::erase_if(machine->events, [&](const auto& event) { return event.id == event_id; });
  if (removed == 0 || machine->is_deleting()) return;
  ++machine->event_document;
  if (!machine->spec.eviction_deletes) return deallocate(number, now);
  backend_.stop(machine->vm_id);
  let_go(*machine, "OperationPreempted", "VM '" + machine->spec.name + "' was evicted.", now);
  forget(number, true, now);
}

Machine* Machines::find(MachineNumber number) {
  const auto found = machines_.find(number);
  return found == machines_.end() ? nullptr : &found->second;
}

const Machine* Machines::at_address(std::string_view address) const {
  for (const auto& [number, machine] : machines_) {
    const bool on = machine.power == Power::running || machine.power == Power::starting;
    if (on && !machine.is_deleting() && machine.address == address) return &machine;
  }
  return nullptr;
}

Machine* Machines::find(std::string_view id) {
  const auto found = by_id_.find(lower_case(id));
  return found == by_id_.end() ? nullptr : find(found->second);
}

std::vector<const Machine*> Machines::named(std::string_view id_or_name) const {
  const auto found = by_id_.find(lower_case(id_or_name));
  if (found != by_id_.end()) return {&machines_.at(found->second)};
  std::vector<const Machine*> all;
  for (const auto& [number, machine] : machines_) {
    if (same_word(machine.spec.name, id_or_name)) all.push_back(&machine);
  }
  return all;
}

std::vector<const Machine*> Machines::of_set(std::string_view set) const {
  std::vector<const Machine*> result;
  const auto found = by_set_.find(lower_case(set));
  if (found == by_set_.end()) return result;
  for (const MachineNumber number : found->second) result.push_back(&machines_.at(number));
  return result;
}

}  // namespace virga::arm
