#include "clouds/azure/azure_cloud.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "clouds/azure/market.hpp"
#include "clouds/azure/orphan_sweep.hpp"
#include "clouds/azure/set_keeper.hpp"

namespace virga {
namespace azure {
namespace {

class AzureCloud : public Cloud {
 public:
  AzureCloud(AzureOptions options, EventSink& sink)
      : common_(std::move(options), sink), market_(common_.access), sweep_(common_.access) {
    common_.share_done = [this](const GangPtr& gang, const Arm<Got>& got) { share_done(gang, got); };
    common_.share_cleared = [this](const GangPtr& gang) { share_cleared(gang); };
  }
  ~AzureCloud() override;

  void reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) override;
  void release(VmId vm) override;
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>& known) override;
  void adopt(VmId vm) override;
  Market market(const MarketQuery& query) override { return market_.read(query); }

 private:
  using Addresses = std::map<std::string, std::string>;

  SetKeeper& keeper_of(const std::string& set);
  void recognise(const ListedSet& set, const Addresses& addresses, const std::vector<KnownVm>& known);
  void share_done(const GangPtr& gang, const Arm<Got>& got);
  void share_cleared(const GangPtr& gang);
  void grant(const GangPtr& gang);
  void settle(const GangPtr& gang, EventBody answer);
  std::optional<GangGranted> as_granted(const ReserveGang& command);

  Common common_;
  AzureMarket market_;
  OrphanSweep sweep_;
  std::mutex keepers_mutex_;
  std::map<std::string, std::unique_ptr<SetKeeper>> keepers_;  // last: their threads use all of the above
};

AzureCloud::~AzureCloud() {
  common_.access.stopper.stop();
  std::map<std::string, std::unique_ptr<SetKeeper>> keepers;
  {
    std::lock_guard lock(keepers_mutex_);
    keepers.swap(keepers_);
  }
  keepers.clear();  // their threads may still ask for a keeper, and get one that does nothing any more
}

SetKeeper& AzureCloud::keeper_of(const std::string& set) {
  std::lock_guard lock(keepers_mutex_);
  auto& keeper = keepers_[set];
  if (!keeper) keeper = std::make_unique<SetKeeper>(set, common_);
  return *keeper;
}

/// The answer, if every VM of the gang is there already.
std::optional<GangGranted> AzureCloud::as_granted(const ReserveGang& command) {
  GangGranted granted{command.gang, {}, {}};
  for (const WantedVm& wanted : command.vms) {
    const auto place = common_.books.find(wanted.vm);
    if (!place) return std::nullopt;
    granted.addresses.push_back(place->address);
  }
  return granted;
}

void AzureCloud::reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) {
  sweep_.start();
  auto shares = plan_gang(command, common_.access.settings);
  if (!shares) {
    common_.sink.post(GangRefused{command.gang, Refusal::setup, shares.error().message, {}});
    return;
  }
  const auto gang = std::make_shared<Gang>();
  {
    std::lock_guard lock(common_.books.gangs_mutex());
    if (common_.books.gangs().contains(command.gang)) return;  // its answer is on the way
    if (auto granted = as_granted(command)) {
      common_.sink.post(*std::move(granted));
      return;
    }
    gang->command = command;
    gang->begun = Stopper::date();
    gang->shares = *std::move(shares);
    gang->left = gang->shares.size();
    gang->got.resize(command.vms.size());
    gang->may_have.resize(gang->shares.size());
    gang->asked_at.resize(gang->shares.size());
    for (const WantedVm& wanted : command.vms) gang->bootstraps.push_back(user_data(wanted));
    common_.books.gangs()[command.gang] = gang;
  }
  for (std::size_t i = 0; i < gang->shares.size(); ++i) keeper_of(gang->shares[i].set).grow(gang, i);
}

/// On the thread of a set.
void AzureCloud::share_done(const GangPtr& gang, const Arm<Got>& got) {
  if (common_.access.stopper.stopped()) return;  // the next controller finds what is there
  {
    std::lock_guard lock(common_.books.gangs_mutex());
    if (got) {
      for (const auto& [place, instance] : *got) gang->got[place] = instance;
    } else {
      if (!gang->error || gang->error->code == k_given_up) gang->error = got.error();
      gang->given_up = true;
    }
    if (--gang->left > 0) return;
    // Now for giving back; one more, so that the answer waits until every keeper was told.
    gang->left = 1 + static_cast<std::size_t>(std::count(gang->may_have.begin(), gang->may_have.end(), true));
  }
  if (!gang->error) return grant(gang);
  for (const WantedVm& wanted : gang->command.vms) common_.books.drop(wanted.vm);
  for (std::size_t i = 0; i < gang->shares.size(); ++i) {
    if (gang->may_have[i]) keeper_of(gang->shares[i].set).clear(gang);
  }
  share_cleared(gang);
}

void AzureCloud::grant(const GangPtr& gang) {
  GangGranted granted{gang->command.gang, {}, std::vector<Time>(gang->command.vms.size())};
  for (std::size_t i = 0; i < gang->shares.size(); ++i) {
    const SetShare& share = gang->shares[i];
    for (const std::size_t place : share.places) {
      granted.billed_since[place] = gang->asked_at[i];
      const auto& instance = gang->got[place];
      if (!instance) continue;
      const WantedVm& wanted = gang->command.vms[place];
      common_.books.claim(wanted.vm,
                          {share.set, instance->id, instance->address, gang->command.pool.name, wanted.name});
    }
  }
  for (const WantedVm& wanted : gang->command.vms) {
    const auto place = common_.books.find(wanted.vm);
    granted.addresses.push_back(place ? place->address : "");
  }
  settle(gang, std::move(granted));
}

void AzureCloud::share_cleared(const GangPtr& gang) {
  Duration wasted;
  {
    std::lock_guard lock(common_.books.gangs_mutex());
    if (--gang->left > 0) return;
    wasted = gang->wasted;
  }
  const ArmError& error = *gang->error;
  std::string message = error.text();
  if (const std::int64_t seconds = wasted.ns / 1'000'000'000; seconds > 0) {
    message += fmt::format("; {} VM-seconds were paid for nothing", seconds);
  }
  settle(gang, GangRefused{gang->command.gang, refusal_of(error.kind), std::move(message), error.retry_after});
}

void AzureCloud::settle(const GangPtr& gang, EventBody answer) {
  std::vector<VmId> release_after;
  {
    std::lock_guard lock(common_.books.gangs_mutex());
    common_.books.gangs().erase(gang->command.gang);
    release_after.swap(gang->release_after);
    common_.sink.post(std::move(answer));
  }
  for (const VmId vm : release_after) release(vm);
}

void AzureCloud::release(VmId vm) {
  {
    std::lock_guard lock(common_.books.gangs_mutex());
    for (auto& [id, gang] : common_.books.gangs()) {
      const auto& vms = gang->command.vms;
      if (std::none_of(vms.begin(), vms.end(), [&](const WantedVm& w) { return w.vm == vm; })) continue;
      gang->release_after.push_back(vm);
      return;
    }
  }
  const auto place = common_.books.find(vm);
  if (!place) {  // also what was released in the last moments of a controller before this one
    if (common_.options.withdraw) common_.options.withdraw(vm);
    return common_.sink.post(VmReleased{vm});
  }
  if (common_.books.note_release(vm)) keeper_of(place->set).release(vm);
}

/// Those of `known` whose addresses the set has. Of two with one address the later one has it now.
void AzureCloud::recognise(const ListedSet& set, const Addresses& addresses, const std::vector<KnownVm>& known) {
  std::map<std::string, const KnownVm*> by_address;
  for (const KnownVm& vm : known) {
    const KnownVm*& latest = by_address[vm.address];
    if (vm.pool == set.pool && (latest == nullptr || latest->vm < vm.vm)) latest = &vm;
  }
  for (const auto& [instance, address] : addresses) {
    const auto found = by_address.find(address);
    if (found == by_address.end() || found->second == nullptr) continue;
    if (common_.books.find(found->second->vm)) continue;
    common_.books.claim(found->second->vm, {set.name, instance, address, set.pool, found->second->name});
  }
}

Result<std::vector<ListedVm>> AzureCloud::list(const std::vector<KnownVm>& known) {
  const auto unavailable = [](const ArmError& error) {
    return fail(Code::unavailable, "Azure cannot be asked what is there: " + error.text(), true);
  };
  sweep_.start();
  ArmClient client(common_.access);
  ScaleSets sets(client);
  const auto listed = sets.list();
  if (!listed) return unavailable(listed.error());
  std::map<std::string, Addresses> there;
  for (const ListedSet& set : *listed) {
    const auto addresses = sets.addresses(set.name);
    if (!addresses) return unavailable(addresses.error());
    recognise(set, *addresses, known);
    there[set.name] = *addresses;
    keeper_of(set.name).watch();
  }
  std::vector<ListedVm> result;
  for (const auto& [vm, place] : common_.books.all()) {
    if (there[place.set].contains(place.instance)) result.push_back({vm, place.pool, place.address});
  }
  return result;
}

void AzureCloud::adopt(VmId vm) {
  // Its set is watched already; what is not there any more can only be told.
  if (!common_.books.find(vm)) common_.sink.post(VmFailed{vm, "Azure has no such instance any more"});
}

}  // namespace
}  // namespace azure

std::unique_ptr<Cloud> make_azure_cloud(AzureOptions options, EventSink& sink) {
  return std::make_unique<azure::AzureCloud>(std::move(options), sink);
}

}  // namespace virga
