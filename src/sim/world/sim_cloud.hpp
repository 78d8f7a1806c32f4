// The simulated cloud: the adapter of ports/cloud.hpp over machines.hpp, as one controller sees it.
//
//   SimCloud cloud(queue, machines, seed, delivery, controller);
//
// The lender may give a part of what was asked for; this turns it into all or nothing: what came is given back, and
// GangRefused is told once nothing of it is billed. What it was doing is lost with it, as with a controller that was
// killed; the machines stay.
#pragma once

#include <map>
#include <memory>
#include <set>

#include "ports/cloud.hpp"
#include "sim/world/courier.hpp"
#include "sim/world/machines.hpp"

namespace virga {

class SimCloud : public Cloud {
 public:
  SimCloud(EventQueue& queue, Machines& machines, std::uint64_t seed, const DeliveryFaults& delivery, EventSink& sink);
  ~SimCloud() override;

  void reserve(const ReserveGang& command, const std::function<std::string(const WantedVm&)>& user_data) override;
  void release(VmId vm) override;
  Result<std::vector<ListedVm>> list(const std::vector<KnownVm>& known) override;
  void adopt(VmId vm) override;
  /// Its pools may be of any cloud.
  Market market(const MarketQuery& query) override { return market_of_pools(query.pools); }

 private:
  struct Shortage {
    Refusal refusal = Refusal::fault;
    std::string message;
    Duration retry_after;
  };

  void attempt(const ReserveGang& command);
  std::optional<Shortage> create_missing(const ReserveGang& command);
  void grant(const ReserveGang& command);
  void give_back(const ReserveGang& command, Shortage why);
  void tell_death(VmId vm);
  /// The action, unless this cloud is gone by then.
  std::function<void()> guarded(std::function<void()> action);

  EventQueue& queue_;
  Machines& machines_;
  Courier courier_;
  std::shared_ptr<SimCloud*> alive_;
  std::set<GangId> under_way_;
  std::set<VmId> watched_;
  std::map<VmId, GangId> gang_of_;  ///< the stream of a VM's facts
};

}  // namespace virga
