// The VMs: their quota and capacity, their life from the request to the bill, evictions and scheduled events.
//
//   if (auto refused = machines.quota_refusal("eastus", size, 8, spot)) …           // the text of the 409
//   if (machines.capacity_left("eastus", size, now) < 8) …                          // AllocationFailed
//   Machine& machine = machines.create({.name = "set_0", .size = &size, …}, now);   // boots by itself
//   machines.evict(machine.number, Duration::seconds(30), now);                     // Preempt, then it is gone
//
// Billed is a VM that holds a host: from its creation to the moment at which it is deallocated or its deletion is
// accepted. A stopped VM still holds its host; a deallocated one still holds its quota, as in Azure.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arm/addresses.hpp"
#include "arm/backend.hpp"
#include "arm/operations.hpp"
#include "arm/sizes.hpp"

namespace virga::arm {

using MachineNumber = std::uint64_t;

enum class Power : std::uint8_t { starting, running, stopped, deallocated };
}  // namespace virga::arm

namespace virga {
template <>
struct EnumNames<arm::Power> {
  static constexpr std::string_view names[] = {"starting", "running", "stopped", "deallocated"};
};
}  // namespace virga

namespace virga::arm {

enum class Provisioning : std::uint8_t { creating, updating, deleting, succeeded, failed };
}  // namespace virga::arm

namespace virga {
template <>
struct EnumNames<arm::Provisioning> {
  static constexpr std::string_view names[] = {"Creating", "Updating", "Deleting", "Succeeded", "Failed"};
};
}  // namespace virga

namespace virga::arm {

struct ScheduledEvent {
  std::string id;
  std::string type;  ///< Preempt, Terminate, Reboot, Redeploy, Freeze
  Time not_before;
};

struct MachineSpec {
  std::string id;  ///< of the ARM resource
  std::string name;
  std::string set;          ///< id of its scale set; "" without
  std::string instance_id;  ///< in its set: "0", "1" …; "" for a VM on its own
  std::string location;
  std::string zone;
  const AzureSize* size = nullptr;
  bool spot = false;
  bool eviction_deletes = false;  ///< else it is deallocated
  std::string subnet;
  std::string address;      ///< of its network interface; "" takes one from the subnet
  std::string custom_data;  ///< decoded
  std::string reservation;  ///< id of the reservation or interconnect block whose room it uses; "" without
  std::string subgroup;     ///< of its interconnect; "" without
  std::string operation;    ///< that waits for its boot; "" for none
};

struct Machine {
  MachineSpec spec;
  MachineNumber number = 0;
  std::string vm_id;
  Provisioning provisioning = Provisioning::creating;
  Power power = Power::starting;
  std::string address;
  bool owns_address = false;  ///< taken from the subnet by us
  Time created;
  Time booted;
  Time listed_from;
  bool has_host = false;
  Time billed_from;  ///< unset while it is not billed
  Duration billed;   ///< before that
  std::string error_code;
  std::string error_message;
  std::vector<ScheduledEvent> events;
  std::uint32_t event_document = 1;

  bool is_deleting() const { return provisioning == Provisioning::deleting; }
  Duration billed_until(Time now) const { return billed_from.is_set() ? billed + (now - billed_from) : billed; }
};

/// What a VM that is gone has cost.
struct Bill {
  std::string vm_id;
  std::string name;
  std::string set;
  std::string size;
  bool spot = false;
  Duration billed;
  Money price_per_hour;
};

class Machines {
 public:
  using Gone = std::function<void(const Machine&, bool evicted, Time now)>;

  Machines(const Scenario& scenario, Agenda& agenda, Operations& operations, Addresses& addresses, VmBackend& backend,
           Prng random, Time now);

  /// Called for each machine that is no more, before it is forgotten.
  void on_gone(Gone gone) { gone_ = std::move(gone); }

  // Quota and capacity ------------------------------------------------------------------------------------------------
  std::uint32_t quota(const std::string& region, const std::string& family) const;
  std::uint32_t quota_used(const std::string& region, const std::string& family) const;
  /// Azure's text if `count` more would exceed the quota.
  std::optional<std::string> quota_refusal(const std::string& region, const AzureSize& size, std::uint32_t count,
                                           bool spot) const;
  std::uint32_t capacity_left(const std::string& region, const AzureSize& size, Time now) const;
  /// For capacity reservations: room that nobody else can have.
  void hold(const std::string& region, const AzureSize& size, std::int64_t vms);
  void add_quota_rule(QuotaRule rule) { quota_.push_back(std::move(rule)); }
  void add_capacity_rule(CapacityRule rule) { capacity_.push_back(std::move(rule)); }

  // Life --------------------------------------------------------------------------------------------------------------
  Machine& create(MachineSpec spec, Time now);
  /// Accepted now, gone after `takes`.
  void remove(MachineNumber number, Duration takes, Time now);
  void power_off(MachineNumber number, Time now);
  void deallocate(MachineNumber number, Time now);
  /// Boots it, again if it runs. Code::refused if a deallocated one finds no capacity.
  Status start(MachineNumber number, const std::string& operation, Time now);
  void evict(MachineNumber number, Duration notice, Time now);
  /// StartRequests: what was announced happens now.
  void approve_event(MachineNumber number, const std::string& event_id, Time now);

  Machine* find(MachineNumber number);
  /// By ARM id or VM id.
  Machine* find(std::string_view id);
  /// By ARM id, VM id or name; several sets may have VMs of the same name.
  std::vector<const Machine*> named(std::string_view id_or_name) const;
  const std::map<MachineNumber, Machine>& all() const { return machines_; }
  /// The one that runs, or boots, with this private address.
  const Machine* at_address(std::string_view address) const;
  /// In the order of their making.
  std::vector<const Machine*> of_set(std::string_view set) const;
  const std::vector<Bill>& bills() const { return bills_; }

 private:
  void boot(Machine& machine, Time now);
  void booted(MachineNumber number, const VmOutcome& outcome, Time now);
  /// The operation that waits for its boot waits no longer.
  void let_go(Machine& machine, const std::string& code, const std::string& message, Time now);
  void take_host(Machine& machine, Time now);
  void leave_host(Machine& machine, Time now);
  void forget(MachineNumber number, bool evicted, Time now);
  void count_quota(const Machine& machine, std::int64_t sign);

  Duration list_lag_;
  Duration spot_mean_life_;
  Duration spot_notice_;
  std::uint32_t quota_default_;
  std::vector<QuotaRule> quota_;
  std::vector<CapacityRule> capacity_;
  Time started_;  ///< scenarios count their times from here

  Agenda& agenda_;
  Operations& operations_;
  Addresses& addresses_;
  VmBackend& backend_;
  Prng random_;
  Gone gone_;

  std::map<MachineNumber, Machine> machines_;
  std::map<std::string, std::set<MachineNumber>> by_set_;  ///< lower-case id of the set
  std::map<std::string, MachineNumber> by_id_;             ///< lower-case ARM id, and VM id
  std::map<std::string, std::int64_t> quota_used_;         ///< vCPUs by "region|family"
  std::map<std::string, std::int64_t> hosts_used_;         ///< VMs by "region|size"
  std::vector<Bill> bills_;
  MachineNumber last_ = 0;
};

}  // namespace virga::arm
