// Who runs the VMs of the stand-in: nobody (SimulatedVms), or virtual nodes (node_vms.hpp).
//
//   SimulatedVms vms(scenario);
//   StandIn stand_in(scenario, vms, now);
//
// The stand-in calls from its one thread, and the reply must come on that thread too, with the stand-in's time; once
// for each start, unless stop() was called for that VM before. A reply from within start() is allowed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "arm/agenda.hpp"
#include "arm/scenario.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"

namespace virga::arm {

struct VmOrder {
  std::string vm_id;  ///< properties.vmId: a GUID, new for each VM
  std::string name;   ///< "set_0"
  std::string size;
  std::string address;      ///< private, of its first network interface
  std::string custom_data;  ///< osProfile.customData decoded, or userData; "" without
};

struct VmOutcome {
  bool ready = true;
  std::string reason;  ///< why not
};

class VmBackend {
 public:
  using Reply = std::function<void(const VmOutcome&, Time now)>;

  virtual ~VmBackend() = default;
  /// Boots a VM: one that is new, or that was stopped.
  virtual void start(const VmOrder& order, Reply reply, Time now) = 0;
  /// Power off, deallocation, deletion or eviction. Also for a VM that is still booting.
  virtual void stop(const std::string& vm_id) = 0;

  /// Called, on the stand-in's thread, for a VM that ended by itself; its stop() is still to come.
  using Death = std::function<void(const std::string& vm_id, Time now)>;
  virtual void on_death(Death) {}

  /// For backends that live in the stand-in's time; real ones have no use for these.
  virtual Time next_due() const { return Time::never(); }
  virtual void advance(Time) {}
};

/// Boot times are drawn from the scenario; nothing runs.
class SimulatedVms : public VmBackend {
 public:
  explicit SimulatedVms(const Scenario& scenario) : scenario_(scenario), random_(scenario.seed ^ 0x766d73) {}

  void start(const VmOrder& order, Reply reply, Time now) override;
  void stop(const std::string& vm_id) override { booting_.erase(vm_id); }
  Time next_due() const override { return agenda_.next(); }
  void advance(Time now) override { agenda_.run_until(now); }

 private:
  Scenario scenario_;
  Prng random_;
  Agenda agenda_;
  std::map<std::string, std::uint64_t> booting_;  ///< which start counts, if a VM was stopped meanwhile
  std::uint64_t last_start_ = 0;
};

}  // namespace virga::arm
