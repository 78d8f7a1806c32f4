#include "control/cloud_router.hpp"

#include <algorithm>
#include <iterator>

namespace virga {

void CloudRouter::add(const std::string& name, std::unique_ptr<Cloud> cloud) {
  clouds_.push_back({name, std::move(cloud)});
}

void CloudRouter::lead(std::uint64_t term) {
  for (const Named& named : clouds_) named.cloud->lead(term);
}

void CloudRouter::reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) {
  const auto found = std::find_if(clouds_.begin(), clouds_.end(),
                                  [&](const Named& named) { return named.name == command.pool.cloud; });
  if (found == clouds_.end()) {
    return sink_.post(
        GangRefused{command.gang,
                    Refusal::setup,
                    "the controller was started without the cloud \"" + command.pool.cloud + "\"; start it again",
                    {}});
  }
  for (const WantedVm& vm : command.vms) note(vm.vm, *found->cloud);
  found->cloud->reserve(command, user_data);
}

void CloudRouter::release(VmId vm) { owner_of(vm).release(vm); }

Result<std::vector<ListedVm>> CloudRouter::list(const std::vector<KnownVm>& known) {
  // Also of those that no cloud has any more: their cloud tidies up after them when they are released.
  for (const KnownVm& vm : known) {
    const auto owner =
        std::find_if(clouds_.begin(), clouds_.end(), [&](const Named& named) { return named.name == vm.cloud; });
    if (owner == clouds_.end()) {
      return fail(Code::invalid, "node " + vm.name + " is a VM of the cloud \"" + vm.cloud +
                                     "\", which virga.toml does not have any more; put its section and pools back "
                                     "until its nodes are released");
    }
    note(vm.vm, *owner->cloud);
  }
  std::vector<ListedVm> all;
  for (const Named& named : clouds_) {
    auto listed = named.cloud->list(known);
    if (!listed) return listed;
    for (ListedVm& vm : *listed) {
      note(vm.vm, *named.cloud);
      all.push_back(std::move(vm));
    }
  }
  return all;
}

void CloudRouter::adopt(VmId vm) { owner_of(vm).adopt(vm); }

Market CloudRouter::market(const MarketQuery& query) {
  Market all;
  for (const Named& named : clouds_) {
    Market market = named.cloud->market(query);
    std::move(market.offers.begin(), market.offers.end(), std::back_inserter(all.offers));
    if (market.failure.empty()) continue;
    if (!all.failure.empty()) all.failure += "; ";
    all.failure += market.failure;
  }
  sort_market(all.offers);
  return all;
}

void CloudRouter::post(EventBody fact) {
  if (const auto* released = std::get_if<VmReleased>(&fact)) {
    std::lock_guard lock(mutex_);
    owners_.erase(released->vm);
  }
  sink_.post(std::move(fact));
}

Cloud& CloudRouter::owner_of(VmId vm) {
  std::lock_guard lock(mutex_);
  const auto found = owners_.find(vm);
  return found == owners_.end() ? *clouds_.front().cloud : *found->second;
}

void CloudRouter::note(VmId vm, Cloud& owner) {
  std::lock_guard lock(mutex_);
  owners_[vm] = &owner;
}

}  // namespace virga
