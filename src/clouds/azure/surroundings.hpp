// What scale sets need around them: the resource group, the virtual network and its subnet. Looked at once, before the
// first growth, and made where absent: at most three writes.
//
//   Surroundings surroundings;
//   Arm<void> there = surroundings.ensure(client);   // from any thread; the first does it, the others wait
#pragma once

#include <mutex>

#include "clouds/azure/arm_client.hpp"

namespace virga::azure {

class Surroundings {
 public:
  /// A failure is not kept: the next call looks again.
  Arm<void> ensure(ArmClient& client);

 private:
  std::mutex mutex_;
  bool there_ = false;
};

}  // namespace virga::azure
