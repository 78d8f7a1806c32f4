// How a set gets the instances that a gang wants of it.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "clouds/azure/leaf_match.hpp"
#include "clouds/azure/set_keeper.hpp"

namespace virga::azure {
namespace {

constexpr Duration k_first_pause = Duration::seconds(1);
constexpr Duration k_longest_pause = Duration::seconds(10);
constexpr Duration k_shortage_pause = Duration::seconds(5);  ///< before another new set
constexpr int k_new_sets_max = 2;

/// Instances that are there already are billed since a controller before this one asked for them: for the brain that is
/// since it wanted them.
constexpr Time k_before_we_know{1};

ArmError fault(std::string_view code, std::string message) {
  return {.kind = ArmErrorKind::fault, .code = std::string(code), .message = std::move(message), .retry_after = {}};
}

/// Of the place where the set is, as far as is known: no pause is given for the region or the subscription.
bool is_local_shortage(const ArmError& error) {
  return error.kind == ArmErrorKind::capacity && error.retry_after == Duration{};
}

/// Empty without a file; what is wrong with the key, Azure says.
std::string read_key(const std::string& path) {
  std::string key;
  std::ifstream file(path);
  if (file) std::getline(file, key);
  return key;
}

}  // namespace

Arm<Got> SetKeeper::grow_share(Gang& gang, std::size_t share) {
  const Time deadline = Stopper::now() + common_.access.settings.operation_timeout;
  std::vector<std::size_t> places;
  for (const std::size_t place : gang.shares[share].places) {
    if (common_.books.find(gang.command.vms[place].vm)) {
      gang.may_have[share] = true;
    } else {
      places.push_back(place);
    }
  }
  if (places.empty()) return Got();
  int new_sets = 0;
  for (;;) {
    if (gang.given_up) return failed(fault(k_given_up, "no longer wanted"));
    auto there = common_.surroundings.ensure(client_);
    auto got = there ? grow_once(gang, share, places, deadline) : Arm<Got>(failed(there.error()));
    if (got) return got;
    Duration pause;
    if (got.error().kind == ArmErrorKind::dependency) {
      // Something else has to end first, such as the deletion of a set of this name.
      pause = std::max(got.error().retry_after, Duration::seconds(2));
    } else if (is_local_shortage(got.error()) && is_worth_a_new_set(gang, new_sets) &&
               make_room_for_new_set(gang, share, got.error())) {
      if (new_sets++ > 0) pause = k_shortage_pause;
    } else {
      return got;
    }
    if (Stopper::now() + pause >= deadline) return got;
    if (!common_.access.stopper.sleep(pause, [&] { return gang.given_up.load(); })) return got;
  }
}

/// The gang's other sets are kept for a try elsewhere, since that costs less than to boot them again: Azure refuses
/// faster than VMs boot. It costs more with each try, and is the less likely to go well, so there are few, and one at
/// most once others are up. A gang of one set keeps nothing, and leaves its next try to the brain.
bool SetKeeper::is_worth_a_new_set(const Gang& gang, int new_sets) const {
  std::lock_guard lock(common_.books.gangs_mutex());
  if (gang.given_up || gang.shares.size() == 1) return false;
  return new_sets == 0 || (new_sets < k_new_sets_max && gang.left == gang.shares.size());
}

/// True if the set is gone, so that it can be made anew: a placement group stays where its first VM was placed, and a
/// new one may find room elsewhere.
bool SetKeeper::make_room_for_new_set(Gang& gang, std::size_t share, const ArmError& shortage) {
  const auto seen = view();
  if (!seen || (*seen && !(**seen).claims.empty()) || !held_.empty()) return false;
  common_.access.complaints.add(fmt::format("{} VMs in {}", gang.shares[share].places.size(), set_), shortage);
  if (!*seen) return true;
  if (!remove_set()) return false;
  note_waste(gang, share, (**seen).free.size());
  return true;
}

/// After a restart a growth of the controller before this one may be under way: its instances will be wanted again.
Arm<void> SetKeeper::wait_until_settled(Gang& gang, Time deadline) {
  Duration pause = k_first_pause;
  while (!settled_) {
    const auto size = sets_.size(set_);
    if (!size) return failed(size.error());
    settled_ = !*size || !(**size).changing || Stopper::now() >= deadline;
    if (settled_) break;
    if (!common_.access.stopper.sleep(pause, [&] { return gang.given_up.load(); }) || gang.given_up) {
      return failed(fault(k_given_up, "no longer wanted"));
    }
    pause = std::min(pause * 2, k_longest_pause);
  }
  return {};
}

Arm<Got> SetKeeper::grow_once(Gang& gang, std::size_t share, const std::vector<std::size_t>& places, Time deadline) {
  auto seen = view();
  if (!seen) return failed(seen.error());
  if (*seen && !settled_) {
    if (auto settled = wait_until_settled(gang, deadline); !settled) return failed(settled.error());
    seen = view();
    if (!seen) return failed(seen.error());
  }
  settled_ = true;
  const auto usable = [](const Instance& i) {
    return i.state == InstanceState::up || i.state == InstanceState::creating;
  };
  const std::size_t free =
      !*seen ? 0 : static_cast<std::size_t>(std::count_if((**seen).free.begin(), (**seen).free.end(), usable));
  if (free > 0) {
    gang.may_have[share] = true;
    gang.asked_at[share] = k_before_we_know;
  }
  std::optional<ArmError> failure;
  if (free < places.size()) {
    gang.may_have[share] = true;
    if (free == 0) gang.asked_at[share] = Stopper::date();
    const auto missing = static_cast<std::uint32_t>(places.size() - free);
    const AzureSettings& settings = common_.access.settings;
    auto begun =
        *seen ? sets_.grow(set_, static_cast<std::uint32_t>((**seen).living) + missing)
              : sets_.create(set_,
                             put_body(settings, gang.command.pool,
                                      {set_, missing, common_.options.join_script, read_key(settings.ssh_key_file)}));
    if (!begun) return failed(begun.error());
    const auto ended = finish_growth(gang, *begun, deadline);
    if (!ended && !ended.error().may_recover) return failed(ended.error());
    if (!ended) failure = ended.error();
  }
  return collect(gang, places, deadline, failure);
}

/// Between two questions about the growth, VMs of the set that are wanted no more are released, and those that are
/// there are watched.
Arm<void> SetKeeper::finish_growth(Gang& gang, const HttpAnswer& begun, Time deadline) {
  bool may_release = true;
  const auto has_releases = [this] {
    std::lock_guard lock(mutex_);
    return !releases_.empty();
  };
  const auto meanwhile = [&] {
    if (gang.given_up) return true;
    if (may_release && has_releases()) may_release = release_between();
    if (look_at_ <= Stopper::now()) {
      look_at_ = Stopper::now() + common_.access.settings.watch_interval;
      if (const auto seen = view(); seen && *seen) look_at_claims(**seen);
    }
    return gang.given_up.load();
  };
  return client_.finish(begun, deadline, meanwhile);
}

/// The first instances that are nobody's and are up, with their addresses. Lists lag behind what is new, and Azure's
/// "Failed" is not final; both get some time.
Arm<Got> SetKeeper::collect(Gang& gang, const std::vector<std::size_t>& places, Time deadline,
                            const std::optional<ArmError>& failure) {
  const Time patience_end = std::min(deadline, Stopper::now() + common_.access.settings.recover_patience);
  Duration pause = k_first_pause;
  for (;;) {
    if (gang.given_up) return failed(fault(k_given_up, "no longer wanted"));
    const auto seen = view();
    if (!seen) return failed(seen.error());
    std::vector<Instance> free = *seen ? (**seen).free : std::vector<Instance>();
    std::string message;
    for (const Instance& instance : free) {
      if (instance.state == InstanceState::failed) message = instance.name + ": " + instance.message;
    }
    const bool booting =
        std::any_of(free.begin(), free.end(), [](const Instance& i) { return i.state == InstanceState::creating; });
    std::erase_if(free, [](const Instance& i) { return i.state != InstanceState::up; });
    if (free.size() >= places.size()) {
      const auto addresses = sets_.addresses(set_);
      if (!addresses) return failed(addresses.error());
      std::erase_if(free, [&](const Instance& i) { return !addresses->contains(i.id); });
      if (free.size() >= places.size()) {
        for (Instance& instance : free) instance.address = addresses->at(instance.id);
        return choose(gang.command, places, free, **seen);
      }
    }
    if (Stopper::now() >= (booting ? deadline : patience_end)) {
      if (!message.empty()) return failed(fault("ProvisioningFailed", message));
      if (failure) return failed(*failure);
      return failed(fault("InstancesMissing", fmt::format("{} of {} instances came up", free.size(), places.size())));
    }
    if (!common_.access.stopper.sleep(pause, [&] { return gang.given_up.load(); })) {
      return failed(fault(k_stopped, "the cloud is being closed"));
    }
    pause = std::min(pause * 2, k_longest_pause);
  }
}

/// Those whose neighbours in Azure's fabric are their neighbours in the pool's.
Got SetKeeper::choose(const ReserveGang& command, const std::vector<std::size_t>& places,
                      const std::vector<Instance>& free, const View& view) const {
  const auto leaf_of = [&](const std::string& node) {
    const std::uint32_t nodes = command.pool.fabric.nodes_per_leaf;
    return nodes == 0 ? 0 : (node_number(command.pool, node).value_or(1) - 1) / nodes;
  };
  std::map<std::uint32_t, std::string> known;
  for (const auto& [id, vm] : view.claims) {
    const auto place = common_.books.find(vm);
    const auto there = view.there.find(id);
    if (place && there != view.there.end()) known.try_emplace(leaf_of(place->node), there->second.leaf);
  }
  std::vector<std::uint32_t> leaf_of_place;
  for (const std::size_t place : places) leaf_of_place.push_back(leaf_of(command.vms[place].name));
  std::vector<std::string> leaf_of_instance;
  for (const Instance& instance : free) leaf_of_instance.push_back(instance.leaf);
  const std::vector<std::size_t> chosen = match_leaves(leaf_of_place, leaf_of_instance, known);
  Got got;
  for (std::size_t i = 0; i < places.size(); ++i) got.emplace_back(places[i], free[chosen[i]]);
  return got;
}

Arm<void> SetKeeper::hold(const GangPtr& gang, const Got& got) {
  held_.emplace_back(gang, got);
  if (!common_.options.publish || got.empty()) return {};
  std::map<std::string, NodeEntry> machines;
  for (const auto& [place, instance] : got) {
    const WantedVm& vm = gang->command.vms[place];
    machines[instance.machine] = {vm.name, vm.vm, instance.address, gang->bootstraps[place]};
  }
  const Status published = common_.options.publish(machines);
  if (!published) return failed(fault("NotPublished", published.error().message));
  return {};
}

}  // namespace virga::azure
