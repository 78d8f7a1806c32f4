// An Azure cloud over a stand-in, with gangs of a pool "nd" and what it answered.
//
//   World world(arm);
//   GangGranted granted = world.granted(world.gang(1, 1, 25, 10));   // gang 1: nd1 … nd25, ten to a set
//   world.release(1, 25);                                            // and waits for the answers
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "clouds/azure/azure_cloud.hpp"
#include "ports/contract/recorder.hpp"
#include "unit/clouds_azure/stand_in.hpp"

namespace virga::azure_test {

struct World {
  explicit World(const ArmProcess& arm) : settings(arm.settings()) { reopen(); }
  ~World() { close(); }  // before what its threads call uses is gone

  AzureSettings settings;
  contract::Recorder sink;
  std::unique_ptr<Cloud> cloud;

  void close() { cloud.reset(); }
  /// A controller's restart.
  void reopen() {
    cloud.reset();
    const auto publish = [this](const std::map<std::string, NodeEntry>& machines) {
      std::lock_guard lock(mutex_);
      for (const auto& [machine, entry] : machines) published_[machine] = entry;
      return Status{};
    };
    const auto withdraw = [this](VmId vm) {
      std::lock_guard lock(mutex_);
      std::erase_if(published_, [vm](const auto& machine) { return machine.second.vm == vm; });
    };
    const auto say = [this](const std::string& line) {
      std::lock_guard lock(mutex_);
      said_ += line + "\n";
    };
    cloud = make_azure_cloud({settings, "#!/bin/sh\nexec virga-node join\n", publish, withdraw, say}, sink);
  }

  ReserveGang gang(std::uint64_t id, std::uint32_t first, std::uint32_t count, std::uint32_t set_nodes_max) const {
    ReserveGang command{GangId{id}, {}, {}};
    command.pool.name = "nd";
    command.pool.node_prefix = "nd";
    command.pool.cloud = "azure";
    command.pool.sku.name = "Standard_ND96isr_H100_v5";
    command.pool.set_nodes_max = set_nodes_max;
    for (std::uint32_t n = first; n < first + count; ++n) command.vms.push_back({VmId{n}, "nd" + std::to_string(n)});
    return command;
  }

  void reserve(const ReserveGang& command) {
    cloud->reserve(command, [](const WantedVm& vm) { return "boot " + vm.name; });
  }
  /// Reserves and waits; `before` answers of this gang came earlier.
  GangGranted granted(const ReserveGang& command, int before = -1) {
    if (before < 0) before = count_grants(command.gang);
    const int refusals = sink.count<GangRefused>();
    reserve(command);
    contract::eventually({},
                         [&] { return count_grants(command.gang) > before || sink.count<GangRefused>() > refusals; });
    REQUIRE_MESSAGE(sink.count<GangRefused>() == refusals, sink.all<GangRefused>().back().message);
    return sink.wait_for<GangGranted>([&](const GangGranted& g) { return g.gang == command.gang; }, before);
  }
  GangRefused refused(const ReserveGang& command) {
    reserve(command);
    return sink.wait_for<GangRefused>([&](const GangRefused& g) { return g.gang == command.gang; });
  }
  void release(std::uint64_t first, std::uint64_t last) {
    const std::size_t before = sink.all<VmReleased>().size();
    for (std::uint64_t vm = first; vm <= last; ++vm) cloud->release(VmId{vm});
    sink.first<VmReleased>(before + last - first + 1);
  }

  std::vector<KnownVm> known(const ReserveGang& command, const GangGranted& granted) const {
    std::vector<KnownVm> known;
    for (std::size_t i = 0; i < command.vms.size(); ++i) {
      known.push_back({command.vms[i].vm, command.vms[i].name, command.pool.name, granted.addresses[i]});
    }
    return known;
  }
  /// By the machines' ids.
  std::map<std::string, NodeEntry> published() {
    std::lock_guard lock(mutex_);
    return published_;
  }
  /// The lines for the log.
  std::string said() {
    std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  int count_grants(GangId gang) {
    int count = 0;
    for (const GangGranted& granted : sink.all<GangGranted>()) count += granted.gang == gang ? 1 : 0;
    return count;
  }

  std::mutex mutex_;
  std::map<std::string, NodeEntry> published_;
  std::string said_;
};

}  // namespace virga::azure_test
