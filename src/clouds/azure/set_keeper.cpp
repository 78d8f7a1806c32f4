// The thread of a set, and what it watches. Growing and giving back are in set_growth.cpp and set_removal.cpp.
#include "clouds/azure/set_keeper.hpp"

#include <algorithm>

namespace virga::azure {
namespace {

constexpr Duration k_batch_window = Duration::milliseconds(50);
constexpr Duration k_confirm_after = Duration::seconds(2);
constexpr int k_misses_needed = 2;  ///< one list that lacks an instance may be a slip

}  // namespace

SetKeeper::SetKeeper(std::string set, Common& common)
    : set_(std::move(set)), common_(common), client_(common.access), sets_(client_), thread_([this] { run(); }) {}

SetKeeper::~SetKeeper() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void SetKeeper::grow(GangPtr gang, std::size_t share) {
  std::lock_guard lock(mutex_);
  watching_ = true;
  tasks_.push_back({std::move(gang), share, true});
  changed_.notify_all();
}

void SetKeeper::clear(GangPtr gang) {
  std::lock_guard lock(mutex_);
  tasks_.push_back({std::move(gang), 0, false});
  changed_.notify_all();
}

void SetKeeper::release(VmId vm) {
  std::lock_guard lock(mutex_);
  releases_.push_back(vm);
  changed_.notify_all();
}

void SetKeeper::watch() {
  std::lock_guard lock(mutex_);
  watching_ = true;
  changed_.notify_all();
}

void SetKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    const Time now = Stopper::now();
    if (!releases_.empty()) {
      lock.unlock();
      collect_releases();
    } else if (!tasks_.empty()) {
      const Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      if (task.grows) {
        Arm<Got> got = grow_share(*task.gang, task.share);
        if (got) {
          if (const auto held = hold(task.gang, *got); !held) got = failed(held.error());
        }
        common_.share_done(task.gang, got);
      } else {
        clear_gang(task.gang);
      }
    } else if (watching_ && look_at_ <= now) {
      lock.unlock();
      look();
    } else {
      const auto work = [this] { return ending_ || !tasks_.empty() || !releases_.empty() || watching_; };
      if (watching_) {
        const auto more = [this] { return ending_ || !tasks_.empty() || !releases_.empty(); };
        changed_.wait_for(lock, std::chrono::nanoseconds((look_at_ - now).ns), more);
      } else {
        changed_.wait(lock, work);
      }
      continue;
    }
    lock.lock();
  }
}

void SetKeeper::collect_releases() {
  if (!common_.access.stopper.sleep(k_batch_window)) return;
  release_all(take_releases());
}

std::vector<VmId> SetKeeper::take_releases() {
  std::lock_guard lock(mutex_);
  return std::exchange(releases_, {});
}

/// A gang that has its answer holds nothing any more: its VMs are in the books, or its instances are gone.
void SetKeeper::drop_settled_holds() {
  std::lock_guard lock(common_.books.gangs_mutex());
  const auto& gangs = common_.books.gangs();
  std::erase_if(held_, [&](const auto& held) {
    const auto found = gangs.find(held.first->command.gang);
    return found == gangs.end() || found->second != held.first;
  });
}

Arm<std::optional<SetKeeper::View>> SetKeeper::view() {
  drop_settled_holds();
  auto listed = sets_.instances(set_);
  if (!listed) return failed(listed.error());
  if (!*listed) return std::nullopt;
  View view;
  view.claims = common_.books.claims_of(set_);
  for (Instance& instance : **listed) {
    if (instance.is_living()) {
      ++view.living;
      const bool held = std::any_of(held_.begin(), held_.end(), [&](const auto& h) {
        return std::any_of(h.second.begin(), h.second.end(), [&](const auto& g) { return g.second.id == instance.id; });
      });
      if (!held && !view.claims.contains(instance.id)) view.free.push_back(instance);
    }
    view.there[instance.id] = std::move(instance);
  }
  return view;
}

void SetKeeper::look() {
  look_at_ = Stopper::now() + common_.access.settings.watch_interval;
  const auto seen = view();
  if (!seen) return common_.access.complaints.add("looking at " + set_, seen.error());  // says nothing about the VMs
  const View view = *seen ? **seen : View{{}, common_.books.claims_of(set_), {}, 0};
  look_at_claims(view);
  if (*seen) look_at_strangers(view);
  std::lock_guard lock(mutex_);
  if (!*seen && view.claims.empty() && tasks_.empty()) watching_ = false;  // until the set is made again
}

void SetKeeper::look_at_claims(const View& view) {
  const Time now = Stopper::now();
  const auto tell = [this](VmId vm, const std::string& message) {
    if (common_.books.note_failure(vm)) common_.sink.post(VmFailed{vm, message});
  };
  std::map<std::string, int> missed;
  std::map<std::string, Time> failed_since;
  for (const auto& [id, vm] : view.claims) {
    const auto found = view.there.find(id);
    const bool gone = found == view.there.end() || !found->second.is_living();
    if (gone) {
      missed[id] = missed_[id] + 1;
      if (missed[id] >= k_misses_needed) tell(vm, "Azure has no instance " + id + " of " + set_ + " any more");
    } else if (found->second.state == InstanceState::stopped) {
      tell(vm, "instance " + found->second.name + " was stopped or evicted");
    } else if (found->second.state == InstanceState::failed) {
      const Time since = failed_since_.contains(id) ? failed_since_[id] : now;
      failed_since[id] = since;
      if (now - since >= common_.access.settings.recover_patience) {
        tell(vm, "instance " + found->second.name + " failed: " + found->second.message);
      }
    }
  }
  const bool unsure =
      std::any_of(missed.begin(), missed.end(), [](const auto& m) { return m.second < k_misses_needed; });
  if (unsure) look_at_ = std::min(look_at_, now + k_confirm_after);
  missed_ = std::move(missed);
  failed_since_ = std::move(failed_since);
}

/// Growths of this set are done by this thread, so what is nobody's now was left by a crash or made by somebody else.
void SetKeeper::look_at_strangers(const View& view) {
  const Time now = Stopper::now();
  const Duration grace = common_.access.settings.stranger_grace;
  std::map<std::string, Time> since;
  std::vector<std::string> overdue;
  for (const Instance& instance : view.free) {
    since[instance.id] = stranger_since_.contains(instance.id) ? stranger_since_[instance.id] : now;
    if (now - since[instance.id] >= grace) overdue.push_back(instance.id);
  }
  stranger_since_ = std::move(since);
  const bool needed = !view.claims.empty() || !held_.empty();
  if (needed || view.living > overdue.size()) {
    empty_since_ = Time{};
    if (!overdue.empty()) static_cast<void>(remove_instances(overdue));  // seen again at the next look
    return;
  }
  if (!empty_since_.is_set()) empty_since_ = now;
  if (!overdue.empty() || now - empty_since_ >= grace) static_cast<void>(remove_set());
}

}  // namespace virga::azure
