// Which VM is which instance, and the gangs on their way. Shared by all threads of the room; locks itself.
//
//   books.claim(VmId{7}, {"virga-c-nd-1", "12", "10.64.0.16", "nd", "nd13"});
//   books.claims_of("virga-c-nd-1");        // {"12": VmId{7}}
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clouds/azure/error_class.hpp"
#include "clouds/azure/scale_sets.hpp"
#include "clouds/azure/set_plan.hpp"
#include "core/command.hpp"

namespace virga::azure {

/// Where a granted VM is.
struct Place {
  std::string set;
  std::string instance;
  std::string address;
  std::string pool;
  std::string node;
  bool told_failed = false;
  bool releasing = false;
};

/// A reservation on its way.
struct Gang {
  ReserveGang command;
  std::vector<std::string> bootstraps;  ///< by place in the command
  std::vector<SetShare> shares;
  std::atomic<bool> given_up{false};  ///< one share failed: the others need not go on
  /// By share: it asked for instances or found some, so that there may be something to give back. Written by the
  /// share's own thread before it is done.
  std::vector<char> may_have;
  /// By share: when it asked for its instances, which are billed from then on or a little later. Unset: they are its
  /// own from before. Written as above.
  std::vector<Time> asked_at;
  Time begun;  ///< when it was wanted

  // Guarded by the books' lock.
  Duration wasted;                           ///< what VMs were billed for that were given back at once
  std::size_t left = 0;                      ///< shares that are at work
  std::vector<std::optional<Instance>> got;  ///< by place; nothing where the VM was there before
  std::optional<ArmError> error;             ///< of the share that failed first
  std::vector<VmId> release_after;           ///< asked for before the answer
};
using GangPtr = std::shared_ptr<Gang>;

/// The instances that a share of a gang got, with the places they are for.
using Got = std::vector<std::pair<std::size_t, Instance>>;

class Books {
 public:
  void claim(VmId vm, Place place) {
    std::lock_guard lock(mutex_);
    places_[vm] = std::move(place);
  }
  void drop(VmId vm) {
    std::lock_guard lock(mutex_);
    places_.erase(vm);
  }
  std::optional<Place> find(VmId vm) const {
    std::lock_guard lock(mutex_);
    const auto found = places_.find(vm);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<VmId, Place> all() const {
    std::lock_guard lock(mutex_);
    return places_;
  }
  /// By instance id.
  std::map<std::string, VmId> claims_of(const std::string& set) const {
    std::lock_guard lock(mutex_);
    std::map<std::string, VmId> claims;
    for (const auto& [vm, place] : places_) {
      if (place.set == set) claims[place.instance] = vm;
    }
    return claims;
  }
  /// False if that was said before, or nobody wants to know.
  bool note_failure(VmId vm) {
    std::lock_guard lock(mutex_);
    const auto found = places_.find(vm);
    if (found == places_.end() || found->second.releasing) return false;
    return !std::exchange(found->second.told_failed, true);
  }
  /// False if it is on its way out already.
  bool note_release(VmId vm) {
    std::lock_guard lock(mutex_);
    const auto found = places_.find(vm);
    return found != places_.end() && !std::exchange(found->second.releasing, true);
  }

  std::mutex& gangs_mutex() { return gangs_mutex_; }
  std::map<GangId, GangPtr>& gangs() { return gangs_; }

 private:
  mutable std::mutex mutex_;
  std::map<VmId, Place> places_;
  std::mutex gangs_mutex_;  ///< taken before mutex_
  std::map<GangId, GangPtr> gangs_;
};

}  // namespace virga::azure
