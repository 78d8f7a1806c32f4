// A virtual machine, which users see as a node, from the moment the brain wants it until the cloud stops billing it.
//
//   requested → booting → ready → releasing → (gone: a VmRecord in the accounts)
//                  └────────┴──────▶ a VM that fails is released like any other
//
// A sick one is ready and drained: its jobs go on, and once they are gone it is in quarantine before it is released.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/enum_names.hpp"
#include "core/job.hpp"

namespace virga {

enum class VmState : std::uint8_t {
  requested,  ///< the cloud was asked; nothing is billed yet as far as we know
  booting,    ///< the cloud granted it
  ready,      ///< the engine's agent on it answers
  releasing,  ///< the cloud was told to take it back
};
template <>
struct EnumNames<VmState> {
  static constexpr std::string_view names[] = {"requested", "booting", "ready", "releasing"};
};

struct Vm {
  VmId id;
  std::string name;  ///< the node's name: what SLURM_JOB_NODELIST and sinfo show
  std::string pool;
  std::string address;  ///< IP address, known once granted
  VmState state = VmState::requested;
  GangId gang;  ///< the reservation it came with
  Resources total;
  Resources used;
  std::vector<std::uint32_t> gpus_used;  ///< indices, ascending
  std::vector<JobId> jobs;               ///< that run on it or have it promised, ascending
  bool exclusive = false;                ///< its one job wants nobody else
  bool drained = false;                  ///< takes no new job
  std::string drain_reason;
  bool doomed = false;  ///< it will go for sure: takes no new job, and is released as soon as nobody is on it
  std::string release_reason;
  Time sick_since;                 ///< set: a health check of it failed; it is drained, and goes after its quarantine
  std::uint32_t health_round = 0;  ///< of the last check that failed, so that nothing is heard twice
  bool bought_for_job = false;     ///< else it was to be warm
  bool ran = false;                ///< a job ran on it that has left it since
  Time wasted_since;               ///< set while sick and without a job
  Time requested;
  Time granted;  ///< billing starts, which may be before the grant was told
  Time ready;
  Time idle_since;  ///< set while ready and without a job
  Time boot_deadline = Time::never();
  Time evicted_at = Time::never();     ///< the cloud said that it takes this one back then
  Time release_after = Time::never();  ///< while idle: when it is asked again whether anybody needs it
  // The brain's own notes, derived from the above and never stored.
  Time alarm = Time::never();     ///< when it needs attention next
  std::uint32_t pool_number = 0;  ///< of its pool in Config::pools
  std::uint32_t slot = 0;         ///< its number there, less one

  bool is_sick() const { return sick_since.is_set(); }

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("id", s.id);
    v("name", s.name);
    v("pool", s.pool);
    v("address", s.address);
    v("state", s.state);
    v("gang", s.gang);
    v("total", s.total);
    v("used", s.used);
    v("gpus_used", s.gpus_used);
    v("jobs", s.jobs);
    v("exclusive", s.exclusive);
    v("drained", s.drained);
    v("drain_reason", s.drain_reason);
    v("doomed", s.doomed);
    v("release_reason", s.release_reason);
    v("sick_since", s.sick_since);
    v("health_round", s.health_round);
    v("bought_for_job", s.bought_for_job);
    v("ran", s.ran);
    v("wasted_since", s.wasted_since);
    v("requested", s.requested);
    v("granted", s.granted);
    v("ready", s.ready);
    v("idle_since", s.idle_since);
    v("boot_deadline", s.boot_deadline);
    v("evicted_at", s.evicted_at);
    v("release_after", s.release_after);
  }
};

/// What the accounts keep of a VM that is gone.
struct VmRecord {
  VmId id;
  std::string name;
  std::string pool;
  std::string sku;
  Time granted;
  Time ready;
  Time released;
  Money cost;
  std::string reason;  ///< why it was released
  Time wasted_since;   ///< from then on it was of no use to anybody; unset: at no time

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("id", s.id);
    v("name", s.name);
    v("pool", s.pool);
    v("sku", s.sku);
    v("granted", s.granted);
    v("ready", s.ready);
    v("released", s.released);
    v("cost", s.cost);
    v("reason", s.reason);
    v("wasted_since", s.wasted_since);
  }
};

}  // namespace virga
