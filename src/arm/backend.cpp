#include "arm/backend.hpp"

#include <algorithm>

namespace virga::arm {

void SimulatedVms::start(const VmOrder& order, Reply reply, Time now) {
  const BootTime& boot = scenario_.boot_of(order.size);
  const bool fails = random_.chance(boot.fail_per_mille, 1000);
  const Duration drawn = boot.least + random_.exponential(boot.mean_extra);
  const std::uint64_t start = ++last_start_;
  booting_[order.vm_id] = start;
  const Time due = now + (fails ? boot.most : std::min(drawn, boot.most));
  agenda_.at(due, [this, start, fails, vm_id = order.vm_id, reply = std::move(reply)](Time when) {
    const auto booting = booting_.find(vm_id);
    if (booting == booting_.end() || booting->second != start) return;
    booting_.erase(booting);
    if (fails) {
      reply({false, "OS Provisioning for VM did not finish in the allotted time."}, when);
    } else {
      reply({true, ""}, when);
    }
  });
}

}  // namespace virga::arm
