// A brain and a way to talk to it: every test drives it by events and looks at the commands that come out. drained()
// asserts that no unexpected command is left, so an effect that a test did not name makes it fail.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "brain/brain.hpp"

namespace virga::test {

inline Config small_config(std::uint32_t max_nodes = 4) {
  Config config;
  Pool pool;
  pool.name = "nd";
  pool.node_prefix = "nd-";
  pool.max_nodes = max_nodes;
  pool.idle_time = Duration::seconds(60);
  pool.boot_timeout = Duration::seconds(30);
  pool.sku = {
      .name = "Test_ND", .resources = {8, 8, 1ULL << 40}, .gpu_model = "H100", .price_per_hour = Money::usd(36)};
  config.pools.push_back(pool);
  Partition partition;
  partition.name = "main";
  partition.pools = {"nd"};
  partition.is_default = true;
  config.partitions.push_back(partition);
  config.kill_wait = Duration::seconds(30);
  return config;
}

class World {
 public:
  explicit World(Config config = small_config()) { event(ConfigChanged{std::move(config)}); }

  /// Applies the event one microsecond after the last one and keeps its commands.
  std::uint64_t event(EventBody body, RequestId request = 0) {
    now = now + Duration{1'000};
    brain.apply({++seq}, {now, std::move(body)}, request);
    for (Command& c : brain.take_commands()) commands.push_back(std::move(c));
    return seq;
  }

  Result<std::uint64_t> ask(EventBody body) {
    event(std::move(body), 7);
    Reply reply = take<Reply>();
    CHECK(reply.request == 7);
    return reply.result;
  }

  /// Takes the oldest command of this kind; fails the test if there is none.
  template <class C>
  C take() {
    for (auto it = commands.begin(); it != commands.end(); ++it) {
      if (C* c = std::get_if<C>(&*it)) {
        C taken = std::move(*c);
        commands.erase(it);
        return taken;
      }
    }
    FAIL("no such command");
    return C{};
  }

  void drained() { CHECK(commands.empty()); }

  static JobSpec spec(std::uint32_t nodes, std::uint32_t cpus = 8) {
    JobSpec s;
    s.name = "test";
    s.work_dir = "/";
    s.nodes = nodes;
    s.tasks = nodes;
    s.per_node.cpus = cpus;
    return s;
  }

  JobId submit(JobSpec s, std::uint32_t uid = 1000) {
    Result<std::uint64_t> id = ask(JobSubmitted{{uid, uid, "user" + std::to_string(uid), false}, std::move(s), ""});
    REQUIRE(id.has_value());
    return {static_cast<std::uint32_t>(*id)};
  }

  /// Grants the open reservation and boots its VMs.
  std::vector<VmId> grant_and_boot() {
    ReserveGang gang = take<ReserveGang>();
    std::vector<std::string> addresses;
    std::vector<VmId> vms;
    for (const WantedVm& vm : gang.vms) {
      addresses.push_back("10.0.0." + std::to_string(vm.vm.value));
      vms.push_back(vm.vm);
    }
    event(GangGranted{gang.gang, addresses});
    for (VmId vm : vms) event(VmReady{vm});
    return vms;
  }

  /// From submission to running.
  JobId run(JobSpec s) {
    JobId id = submit(std::move(s));
    if (job(id).state == JobState::pending) grant_and_boot();
    take<StartJob>();
    event(JobStarted{id, 0});
    CHECK(job(id).state == JobState::running);
    return id;
  }

  void pass(Duration d) {
    Time end = now + d;
    while (brain.next_deadline() <= end) {
      now = std::max(now, brain.next_deadline());
      event(TimerFired{});
    }
    now = end;
  }

  const Job& job(JobId id) const { return brain.state().jobs.at(id); }

  Brain brain;
  Time now = Time::from_seconds(1'000'000);
  std::uint64_t seq = 0;
  std::vector<Command> commands;
};

/// With a time limit, which decides when and whether it may start.
inline JobSpec timed(std::uint32_t nodes, std::int64_t minutes) {
  JobSpec s = World::spec(nodes);
  s.time_limit = Duration::minutes(minutes);
  return s;
}

}  // namespace virga::test
