// What goes wrong in a scenario: [faults] turned into deaths, notices, empty stocks and an API that says 429.
//
//   FaultInjector faults({queue, machines, lender, controller}, config, layout, scenario.faults);
//   faults.on_fault = [&](const FaultRecord& fault) { … };
//   faults.start();                                     // from now on, until the queue is dropped
//
// Each kind is a Poisson process over the places where a machine may stand: a draw that hits an empty place does
// nothing, so machines fail at the rate that is asked for, however many there are. A machine that died stays away from
// its pool for `repair`. A spot VM is taken after its notice, which the controller gets as VmEvicting.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <vector>

#include "base/prng.hpp"
#include "core/config.hpp"
#include "ports/event_sink.hpp"
#include "sim/report/run_record.hpp"
#include "sim/scenario/pool_layout.hpp"
#include "sim/scenario/scenario.hpp"
#include "sim/world/machines.hpp"

namespace virga {

class FaultInjector {
 public:
  struct World {
    EventQueue& queue;
    Machines& machines;
    LenderFaults& lender;
    EventSink& controller;
  };
  FaultInjector(World world, const Config& config, const PoolLayout& layout, const FaultSpec& spec);

  void start();
  /// Whether this machine's death was planned here.
  bool killed(VmId vm) const { return killed_.contains(vm); }

  std::function<void(const FaultRecord&)> on_fault;

 private:
  void repeat(Duration mean, std::function<void()> happen);
  Duration draw(Duration mean);
  VmId machine_on(std::uint32_t row) const;
  void kill(VmId vm, std::uint32_t pool);
  void fail_node();
  void fail_leaf();
  void evict(std::uint32_t row);
  void run_out(std::uint32_t pool);
  void throttle();
  void set_capacity(std::uint32_t pool);
  void tell(const char* kind, std::string what);

  World world_;
  const Config& config_;
  const PoolLayout& layout_;
  const FaultSpec spec_;
  Prng random_;
  std::vector<std::uint32_t> in_repair_;  ///< by pool
  std::vector<std::uint32_t> stock_outs_;
  std::uint32_t throttles_ = 0;
  std::set<VmId> killed_;
};

}  // namespace virga
