// The simulated ports keep the contracts that the real adapters keep; time passes only when the suite lets it.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "ports/contract/cloud_contract.hpp"
#include "ports/contract/engine_contract.hpp"
#include "ports/contract/journal_contract.hpp"
#include "sim/world/event_queue.hpp"
#include "sim/world/memory_journal.hpp"
#include "sim/world/sim_cloud.hpp"
#include "sim/world/sim_engine.hpp"

namespace virga::test {

namespace {

struct World {
  World() {
    machines.traits("nd") = {.boot_min = Duration::seconds(20),
                             .boot_median = Duration::seconds(60),
                             .boot_tail = Duration::minutes(5),
                             .capacity = 100,
                             .quota = 100};
    machines.traits("") = machines.traits("nd");
  }

  JobNode boot() {
    const VmId vm{++last_vm};
    const std::string name = "nd-" + std::to_string(vm.value);
    machines.create({.vm = vm, .gang = {1}, .pool = "nd", .name = name});
    return {vm, name, {}};
  }

  EventQueue queue{Time::from_seconds(1'000'000)};
  LenderFaults lender_faults;
  DeliveryFaults delivery_faults;
  Machines machines{queue, 1, lender_faults};
  Processes processes{queue, machines, 2};
  std::uint64_t last_vm = 0;
};

}  // namespace

TEST_CASE("memory journal: contract") {
  JournalDisk disk;
  check_journal_contract({.open = [&] { return open_memory_journal(disk); },
                          .backup_path = "copy",
                          .open_backup = [&] { return open_memory_journal(*disk.backups.at("copy")); }});
}

TEST_CASE("simulated cloud: contract") {
  World world;
  Pool pool;
  pool.name = "nd";
  pool.node_prefix = "nd-";
  check_cloud_contract({
      .open =
          [&](EventSink& sink) {
            return std::make_unique<SimCloud>(world.queue, world.machines, 3, world.delivery_faults, sink);
          },
      .pool = pool,
      .user_data = [](const WantedVm& vm) { return "#!/bin/sh\n# " + vm.name + "\n"; },
      .runs = [&](VmId vm) { return world.machines.boots_of(vm); },
      .kill = [&](VmId vm) { world.machines.kill(vm, Death::crash); },
      .break_boot = [&](const std::string& node) { world.machines.break_create(node); },
      .leftovers =
          [&] {
            std::string left;
            for (const auto& [id, machine] : world.machines.all()) left += machine.name + " ";
            return left;
          },
      .advance = [&] { return world.queue.run_one(); },
  });
}

TEST_CASE("simulated engine: contract") {
  World world;
  check_engine_contract({
      .open =
          [&](EventSink& sink) {
            return std::make_unique<SimEngine>(world.queue, world.processes, 4, world.delivery_faults, sink);
          },
      .boot = [&] { return world.boot(); },
      .kill = [&](VmId vm) { world.machines.kill(vm, Death::crash); },
      .owner = {1000, 1000, "ada", false},
      .work_dir = "/",
      .ending =
          [](int code) {
            return RunPlan{.duration = Duration::seconds(2), .exit_code = static_cast<std::uint32_t>(code)}.payload();
          },
      .lasting = [] { return RunPlan{.duration = Duration::minutes(5)}.payload(); },
      .runs = [&](JobId job) { return world.processes.runs_of(job); },
      .advance = [&] { return world.queue.run_one(); },
  });
}

}  // namespace virga::test
