// How a set gives instances back: those of a gang that was refused, and those of released VMs.
#include <algorithm>

#include "clouds/azure/set_keeper.hpp"

namespace virga::azure {
namespace {

constexpr Duration k_first_pause = Duration::seconds(1);
constexpr Duration k_longest_pause = Duration::seconds(60);
/// For how long a new instance may be missing from lists.
constexpr Duration k_list_lag = Duration::seconds(20);

bool never() { return false; }

}  // namespace

Arm<void> SetKeeper::remove_set() {
  const auto first = sets_.ids_to_remove_first(set_);
  if (!first) return failed(first.error());
  if (!first->empty()) {
    if (auto removed = remove_instances(*first); !removed) return removed;
  }
  auto begun = sets_.remove(set_);
  if (!begun && begun.error().says_absent()) return {};
  if (!begun) return failed(begun.error());
  return client_.finish(*begun, Stopper::now() + common_.access.settings.operation_timeout, never);
}

Arm<void> SetKeeper::remove_instances(const std::vector<std::string>& ids) {
  auto begun = sets_.remove_instances(set_, ids);
  if (!begun && begun.error().says_absent()) return {};
  if (!begun) return failed(begun.error());
  return client_.finish(*begun, Stopper::now() + common_.access.settings.operation_timeout, never);
}

void SetKeeper::clear_gang(const GangPtr& gang) {
  std::erase_if(held_, [&](const auto& held) { return held.first == gang; });
  const Time lag_end = Stopper::now() + k_list_lag;
  Duration pause = k_first_pause;
  std::size_t given_back = 0;
  for (;;) {
    const auto clear = clear_once(lag_end, given_back);
    if (clear && *clear) break;
    if (!clear) common_.access.complaints.add("giving back what " + set_ + " got", clear.error());
    // The gang stays unanswered until nothing of it is left, however long Azure is out of reach.
    if (!common_.access.stopper.sleep(clear ? k_first_pause : pause)) return;
    if (!clear) pause = std::min(pause * 2, k_longest_pause);
  }
  for (std::size_t share = 0; share < gang->shares.size(); ++share) {
    if (gang->shares[share].set == set_) note_waste(*gang, share, given_back);
  }
  common_.share_cleared(gang);
}

/// From when they were asked for until they were gone, as the bill has it; what was there before this gang counts from
/// when it was wanted.
void SetKeeper::note_waste(Gang& gang, std::size_t share, std::size_t given_back) {
  if (!gang.asked_at[share].is_set()) return;
  std::lock_guard lock(common_.books.gangs_mutex());
  const auto& places = gang.shares[share].places;
  const auto known =
      std::count_if(places.begin(), places.end(), [&](std::size_t p) { return gang.got[p].has_value(); });
  // What a list did not show, but had come up; and no strangers.
  const std::size_t vms = std::min(places.size(), std::max(given_back, static_cast<std::size_t>(known)));
  const Duration each = Stopper::date() - std::max(gang.asked_at[share], gang.begun);
  gang.wasted = gang.wasted + each * static_cast<std::int64_t>(vms);
}

/// True if the set has nothing that is nobody's.
Arm<bool> SetKeeper::clear_once(Time lag_end, std::size_t& given_back) {
  const auto seen = view();
  if (!seen) return failed(seen.error());
  if (!*seen) return true;
  const View& view = **seen;
  if (view.claims.empty() && held_.empty()) {  // needs no list, which may lag behind
    if (auto removed = remove_set(); !removed) return failed(removed.error());
    given_back += view.free.size();
    return true;
  }
  if (!view.free.empty()) {
    std::vector<std::string> ids;
    for (const Instance& instance : view.free) ids.push_back(instance.id);
    if (auto removed = remove_instances(ids); !removed) return failed(removed.error());
    given_back += ids.size();
    return false;  // look again
  }
  const auto size = sets_.size(set_);
  if (!size) return failed(size.error());
  return !*size || (**size).capacity <= view.living || Stopper::now() >= lag_end;
}

void SetKeeper::release_all(const std::vector<VmId>& vms) {
  Duration pause = k_first_pause;
  for (bool first = true;; first = false) {
    const auto released = release_once(vms, !first, true);
    if (released) break;
    common_.access.complaints.add("releasing VMs of " + set_, released.error());
    if (!common_.access.stopper.sleep(pause)) return;
    pause = std::min(pause * 2, k_longest_pause);
  }
  note_released(vms);
}

/// While the set grows: one try. False if Azure wants the growth to end first; then the releases wait.
bool SetKeeper::release_between() {
  const std::vector<VmId> vms = take_releases();
  const bool released = release_once(vms, true, false).has_value();
  if (released) {
    note_released(vms);
  } else {
    std::lock_guard lock(mutex_);
    releases_.insert(releases_.begin(), vms.begin(), vms.end());
  }
  return released;
}

void SetKeeper::note_released(const std::vector<VmId>& vms) {
  for (const VmId vm : vms) {
    common_.books.drop(vm);
    if (common_.options.withdraw) common_.options.withdraw(vm);
    common_.sink.post(VmReleased{vm});
  }
}

/// `look_first` after a failure: what is gone already must not be named again.
Arm<void> SetKeeper::release_once(const std::vector<VmId>& vms, bool look_first, bool may_remove_set) {
  drop_settled_holds();
  auto claims = common_.books.claims_of(set_);
  std::vector<std::string> ids;
  for (const auto& [id, vm] : claims) {
    if (std::find(vms.begin(), vms.end(), vm) != vms.end()) ids.push_back(id);
  }
  const bool others_stay = ids.size() < claims.size();
  bool growth_waits = false;
  {
    std::lock_guard lock(mutex_);
    growth_waits = std::any_of(tasks_.begin(), tasks_.end(), [](const Task& task) { return task.grows; });
  }
  if (may_remove_set && !others_stay && held_.empty() && !growth_waits) return remove_set();
  if (look_first) {
    const auto seen = view();
    if (!seen) return failed(seen.error());
    if (!*seen) return {};
    std::erase_if(ids, [&](const std::string& id) { return !(**seen).there.contains(id); });
  }
  return ids.empty() ? Arm<void>() : remove_instances(ids);
}

}  // namespace virga::azure
