// What a cloud would lend, as far as that can be known without asking for machines: a size, where, paid for how.
//
//   Market market = cloud.market({config.pools, ""});
//   for (const MarketOffer& offer : market.offers) …"Standard_ND96isr_H100_v5 in eastus, spot: 3 VMs left"…
//
// Nothing is invented: what nobody knows is absent, or says that it is unknown.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/enum_names.hpp"
#include "base/money.hpp"
#include "core/config.hpp"

namespace virga {

enum class Quota : std::uint8_t {
  unlimited,  ///< the cloud has no such thing
  unknown,    ///< the cloud was not asked, or did not answer
  limited,
};
template <>
struct EnumNames<Quota> {
  static constexpr std::string_view names[] = {"unlimited", "unknown", "limited"};
};

struct MarketOffer {
  std::string sku;
  std::string region;  ///< empty: the cloud has none
  Purchase price_class = Purchase::on_demand;
  std::string cloud;
  std::optional<Money> price_per_hour;  ///< of one VM, the list price
  Quota quota = Quota::unknown;
  std::uint32_t quota_left = 0;    ///< further VMs that the quota allows, where it is limited
  std::string restriction;         ///< why it is not lent; empty: nothing is known against it
  std::vector<std::string> pools;  ///< whose VMs these are, in the order of their names

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("sku", s.sku);
    v("region", s.region);
    v("price_class", s.price_class);
    v("cloud", s.cloud);
    v("price_per_hour", s.price_per_hour);
    v("quota", s.quota);
    v("quota_left", s.quota_left);
    v("restriction", s.restriction);
    v("pools", s.pools);
  }
};

struct Market {
  std::vector<MarketOffer> offers;  ///< in the order of sort_market()
  std::string failure;              ///< why quotas and restrictions are unknown: one line; empty if all was answered
};

struct MarketQuery {
  std::vector<Pool> pools;  ///< of all clouds
  std::string region = {};  ///< whose quota and restrictions are asked for; empty: where the cloud's pools are
};

/// By size, region, price class and cloud; no two offers of a market are equal in all four.
inline void sort_market(std::vector<MarketOffer>& offers) {
  std::sort(offers.begin(), offers.end(), [](const MarketOffer& a, const MarketOffer& b) {
    return std::tie(a.sku, a.region, a.price_class, a.cloud) < std::tie(b.sku, b.region, b.price_class, b.cloud);
  });
}

/// The market of clouds without regions, quotas and restrictions: the sizes of their pools at their price. Of pools of
/// one size and price class the cheapest counts. An empty `cloud` stands for all of them.
inline Market market_of_pools(const std::vector<Pool>& pools, std::string_view cloud = {}) {
  Market market;
  for (const Pool& pool : pools) {
    if (!cloud.empty() && pool.cloud != cloud) continue;
    const auto found = std::find_if(market.offers.begin(), market.offers.end(), [&](const MarketOffer& offer) {
      return offer.sku == pool.sku.name && offer.price_class == pool.purchase && offer.cloud == pool.cloud;
    });
    if (found == market.offers.end()) {
      market.offers.push_back({.sku = pool.sku.name,
                               .region = {},
                               .price_class = pool.purchase,
                               .cloud = pool.cloud,
                               .price_per_hour = pool.node_price(),
                               .quota = Quota::unlimited,
                               .quota_left = 0,
                               .restriction = {},
                               .pools = {pool.name}});
      continue;
    }
    found->price_per_hour = std::min(*found->price_per_hour, pool.node_price());
    found->pools.push_back(pool.name);
    std::sort(found->pools.begin(), found->pools.end());
  }
  sort_market(market.offers);
  return market;
}

}  // namespace virga
