// The lender behind the simulated cloud: machines that are created, boot, die and are deleted, and a meter on each.
//
//   Machines machines(queue, seed, pools, faults);
//   machines.create({.vm = …, .gang = …, .pool = "nd", .name = "nd-3"});   // billed from now on
//   machines.remove(vm, [] { … });                                         // … until this is called
//   machines.kill(vm, Death::crash);                                       // dead, still there and billed
//
// It knows nothing of gangs being all or nothing: that is for the adapter (sim_cloud.hpp), as with a real lender. It
// outlives every controller. Rates are in thousandths. Calls cost the logarithm of the number of machines.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "core/config.hpp"
#include "sim/world/event_queue.hpp"

namespace virga {

/// How the lender treats one pool.
struct PoolTraits {
  Duration boot_min;            ///< nothing boots faster
  Duration boot_median;         ///< half of the boots take longer
  Duration boot_tail;           ///< one in fifty takes up to this long
  std::uint32_t capacity = 0;   ///< machines it has now; changes as stock comes and goes
  std::uint32_t quota = 0;      ///< machines it allows
  std::uint32_t leaf_size = 8;  ///< machines under one switch
};

/// What goes wrong at the lender; all zero: nothing does.
struct LenderFaults {
  std::uint32_t throttle = 0;    ///< an API call is answered 429
  std::uint32_t no_create = 0;   ///< a machine cannot be created, without a good reason
  std::uint32_t boot_hang = 0;   ///< a machine never comes up
  std::uint32_t boot_death = 0;  ///< a machine dies while it boots
  std::uint32_t boot_sick = 0;   ///< a machine comes up, and its health checks fail
  std::uint32_t job_sick = 0;    ///< the same after a job on it
};

enum class Death : std::uint8_t {
  crash,   ///< it is dead, but there, and billed until it is deleted
  vanish,  ///< the lender took it: gone and not billed any more
};

struct Machine {
  VmId vm;
  GangId gang;
  std::string pool;
  std::string name;
  std::string address = {};
  std::uint32_t leaf = 0;
  Time created = {};
  bool up = false;  ///< its user data has run and its agent answers
  bool sick = false;
  std::uint32_t failed_checks = 0;
  bool dead = false;
  bool deleting = false;
  bool metered = true;
};

class Machines {
 public:
  Machines(EventQueue& queue, std::uint64_t seed, const LenderFaults& faults)
      : queue_(queue), random_(seed), health_random_(~seed), faults_(faults) {}

  /// Null if there is none of that name.
  const Machine* find(VmId vm) const;
  const std::map<VmId, Machine>& all() const { return machines_; }
  PoolTraits& traits(const std::string& pool) { return traits_[pool]; }
  /// Machines of the pool that exist, dead and dying ones included.
  std::uint32_t count(const std::string& pool) const;

  void create(Machine wanted);
  /// `gone` is called once the machine is deleted and no longer billed; at once if there is none.
  void remove(VmId vm, std::function<void()> gone);
  void kill(VmId vm, Death death);
  /// Takes a machine away in order of a spot lender: after `notice`, which may be zero.
  void evict(VmId vm, Duration notice);
  void kill_leaf(const std::string& pool, std::uint32_t leaf, Death death);
  /// A health check after a job, or before one is launched. False: the machine is sick, and stays so.
  bool check_after_job(VmId vm);
  bool check_before_job(VmId vm);
  /// From now on no machine of this name can be created; "" for none.
  void break_create(std::string name) { broken_name_ = std::move(name); }
  /// Whether creating this machine fails now.
  bool create_fails(const std::string& name);
  bool throttles() { return random_.chance(faults_.throttle, 1'000); }

  Duration latency() { return Duration::milliseconds(20) + random_.exponential(Duration::milliseconds(150)); }
  Prng& random() { return random_; }
  int boots_of(VmId vm) const;
  /// Grows with every creation, death and deletion.
  std::uint64_t version() const { return version_; }
  /// What all machines of the pool have run up: the meter's time, not money.
  Duration metered(const std::string& pool) const;

  /// The node is up: its agent may run jobs.
  std::function<void(VmId)> on_up;
  /// A health check of a node that is up failed.
  std::function<void(VmId)> on_sick;
  /// The node has stopped, whatever the reason: nothing runs on it any more.
  std::function<void(VmId)> on_down;
  /// It died without being deleted.
  std::function<void(VmId)> on_death;

 private:
  Duration draw_boot(const PoolTraits& traits);
  void boot(VmId vm);
  bool check(VmId vm, std::uint32_t falls_sick);
  void stop_meter(Machine& machine);
  void erase(VmId vm);

  EventQueue& queue_;
  Prng random_;
  Prng health_random_;
  const LenderFaults& faults_;
  std::map<VmId, Machine> machines_;
  std::map<std::string, PoolTraits> traits_;
  std::map<std::string, Duration> metered_;
  std::map<VmId, std::vector<std::function<void()>>> waiting_for_deletion_;
  std::map<VmId, int> boots_;
  std::string broken_name_;
  std::uint64_t version_ = 0;
};

}  // namespace virga
