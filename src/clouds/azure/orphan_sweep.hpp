// Looks every so often for what is left of VMs that are gone, and deletes it: Azure bills disks and addresses, too, and
// an interface that stays keeps its address from others.
//
//   OrphanSweep sweep(access);
//   sweep.start();                // at once, and then every settings.sweep_interval; a second call changes nothing
//
// An orphan bears this cluster's tag, and is a VM of no scale set, or an interface, a disk or a public address of no
// VM. It must be one at every look for settings.stranger_grace: what is being made has its interface before its VM, and
// lists lag behind. A look that fails in part concludes nothing; what fails is told in the log. Scale sets have keepers
// of their own (set_keeper.hpp).
#pragma once

#include <map>
#include <string>
#include <thread>
#include <vector>

#include "clouds/azure/arm_client.hpp"

namespace virga::azure {

class OrphanSweep {
 public:
  explicit OrphanSweep(Access& access) : access_(access), client_(access) {}
  ~OrphanSweep();  ///< the access must have been stopped

  void start();

 private:
  struct Kind;
  struct Orphan {
    std::string id;
    const Kind* kind = nullptr;
  };

  static const Kind k_kinds[];

  void sweep();
  Arm<std::vector<Orphan>> look();
  Arm<void> look_for(const Kind& kind, std::vector<Orphan>& orphans);
  Arm<void> look_for_machines(std::vector<Orphan>& orphans);
  bool is_ours(JsonNode resource) const;
  void remove(const Orphan& orphan);
  void complain(const std::string& what, const ArmError& error);

  Access& access_;
  ArmClient client_;                   // of the thread alone, like the next
  std::map<std::string, Time> since_;  ///< by id: when it was first seen as an orphan
  std::once_flag started_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace virga::azure
