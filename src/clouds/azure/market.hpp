// Azure's market: every size and region of the price list, with quota and restrictions of one region at a time.
//
//   AzureMarket market(access);
//   Market offers = market.read({config.pools, ""});       // of the region of the settings
//
// What Azure said of a region is kept for five minutes, what kept it from answering for one: users ask often. On-demand
// prices are of the list; spot prices change by the hour and are unknown. Reserved pools pay for on-demand VMs.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "clouds/azure/catalogue.hpp"
#include "core/market.hpp"

namespace virga::azure {

class AzureMarket {
 public:
  explicit AzureMarket(Access& access) : access_(access) {}

  /// From any thread. Two that ask at once are answered by one look.
  Market read(const MarketQuery& query);

 private:
  struct Look {
    Time good_until;
    Arm<Catalogue> catalogue = Catalogue();
  };
  Arm<Catalogue> look_at(const std::string& region);

  Access& access_;
  std::mutex mutex_;
  std::map<std::string, Look> looks_;
};

}  // namespace virga::azure
