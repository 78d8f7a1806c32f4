// A stand-in for the Azure Resource Manager, as a value: requests go in, answers come out, time is given.
//
//   SimulatedVms vms(scenario);
//   StandIn stand_in(scenario, vms, start);
//   Answer answer = stand_in.handle({"PUT", "/subscriptions/…?api-version=2022-08-01", headers, body}, now);
//   stand_in.advance(stand_in.next_due());            // operations end, VMs boot, are evicted
//
// The same scenario, requests and times give the same answers, ids included. One thread only. Which parts of Azure are
// served, and how true to it: docs/virga-arm.md.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arm/backend.hpp"
#include "arm/call_log.hpp"
#include "arm/login.hpp"
#include "arm/message.hpp"
#include "arm/scenario.hpp"
#include "arm/throttle.hpp"
#include "arm/world.hpp"

namespace virga::arm {

class StandIn {
 public:
  StandIn(Scenario scenario, VmBackend& backend, Time now);

  /// What the HTTPS address serves: login, the resource manager, and /admin/.
  Answer handle(const Request& request, Time now);
  /// What the plain HTTP address serves: the instance metadata service of every VM.
  Answer handle_metadata(const Request& request, Time now);

  Time next_due() const;
  void advance(Time now);

  /// A change of the clock that the admin API asked for; the owner of the clock carries it out.
  struct ClockWish {
    std::optional<std::uint32_t> speed;
    Duration skip;
  };
  std::optional<ClockWish> take_clock_wish();

  World& world() { return world_; }
  CallLog& calls() { return calls_; }
  void add_failure(FailureRule rule) { failures_.push_back({std::move(rule), 0}); }
  void wish_clock(const ClockWish& wish) { clock_wish_ = wish; }

 private:
  struct Failure {
    FailureRule rule;
    std::uint64_t seen = 0;
  };

  Answer serve(Call& call, const std::string& operation);
  Answer serve_resource(Call& call);
  std::optional<FailureRule> next_failure(const std::string& operation);
  std::string region_of(const Target& target);
  std::optional<Answer> check_group(const Call& call);
  void plan_evictions();

  World world_;
  VmBackend& backend_;
  Login login_;
  Throttle throttle_;
  CallLog calls_;
  std::vector<Failure> failures_;
  std::optional<ClockWish> clock_wish_;
  Prng random_;
};

/// The stand-in's time ends with the year 2199; the sum of it and any duration of a scenario still fits into Time.
inline constexpr Time k_end_of_time = Time::from_seconds(7'258'118'400);

/// /admin/: what tests and demonstrations do to the cloud (docs/virga-arm.md).
Answer answer_admin(StandIn& stand_in, const Request& request, const Target& target, Time now);
/// The metadata service of one VM; the path starts at /metadata.
Answer answer_metadata(World& world, Login& login, const Request& request, Time now);
/// 409 with the ids of all VMs that have this name.
Answer ambiguous_name(std::string_view name, const std::vector<const Machine*>& machines);
/// Evicts up to `count` Spot VMs of a set (of all, if ""), those that run longest first; how many.
std::uint32_t evict_machines(World& world, const std::string& set, std::uint32_t count, Duration notice, Time now);

}  // namespace virga::arm
