#include "clouds/azure/market.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "clouds/azure/json_path.hpp"
#include "clouds/azure/prices.hpp"

namespace virga::azure {
namespace {

constexpr Duration k_answer_life = Duration::minutes(5);
constexpr Duration k_failure_life = Duration::minutes(1);
constexpr Duration k_timeout_most = Duration::seconds(30);
constexpr std::size_t k_regions_most = 100;  ///< more than Azure has

Purchase billed_class(const Pool& pool) {
  return pool.purchase == Purchase::spot ? Purchase::spot : Purchase::on_demand;
}

std::vector<Pool> pools_of_azure(const std::vector<Pool>& pools) {
  std::vector<Pool> ours;
  std::copy_if(pools.begin(), pools.end(), std::back_inserter(ours), [](const Pool& p) { return p.cloud == "azure"; });
  std::sort(ours.begin(), ours.end(), [](const Pool& a, const Pool& b) { return a.name < b.name; });
  return ours;
}

void add_both_classes(std::vector<MarketOffer>& offers, const std::string& sku, const std::string& region,
                      std::optional<Money> on_demand) {
  for (const Purchase price_class : {Purchase::on_demand, Purchase::spot}) {
    MarketOffer offer;
    offer.sku = sku;
    offer.region = region;
    offer.price_class = price_class;
    offer.cloud = "azure";
    if (price_class == Purchase::on_demand) offer.price_per_hour = on_demand;
    offers.push_back(std::move(offer));
  }
}

/// The price list, and the sizes of our pools where the list has them not.
std::vector<MarketOffer> all_offers(const std::vector<Pool>& pools, const std::string& home) {
  std::vector<MarketOffer> offers;
  for (const ListPrice& price : list_prices()) add_both_classes(offers, price.sku, price.region, price.per_hour);
  for (const Pool& pool : pools) {
    const bool is_there = std::any_of(offers.begin(), offers.end(), [&](const MarketOffer& offer) {
      return offer.region == home && offer.sku == pool.sku.name;
    });
    if (!is_there) add_both_classes(offers, pool.sku.name, home, std::nullopt);
  }
  return offers;
}

void tell_what_is_left(MarketOffer& offer, const Catalogue& catalogue) {
  const SizeFacts* size = catalogue.size_of(offer.sku);
  if (size == nullptr) {
    offer.quota = Quota::limited;
    offer.restriction = "not offered in " + offer.region;
    return;
  }
  offer.restriction = size->restriction_text();
  if (offer.price_class == Purchase::spot && !size->can_be_spot) offer.restriction = "no spot VMs of this size";
  if (const auto left = catalogue.vms_left(*size, offer.price_class)) {
    offer.quota = Quota::limited;
    offer.quota_left = *left;
  }
}

}  // namespace

/// Users name regions, and what they name becomes part of an address. The lock is kept while Azure is asked: who comes
/// meanwhile wants the same answer.
Arm<Catalogue> AzureMarket::look_at(const std::string& region) {
  if (region.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") != std::string::npos) {
    return failed({.kind = ArmErrorKind::request,
                   .code = "NoSuchRegion",
                   .message = "a region has a name of letters and digits, such as eastus",
                   .retry_after = {}});
  }
  std::lock_guard lock(mutex_);
  const auto known = looks_.find(region);
  if (known != looks_.end() && Stopper::now() < known->second.good_until) return known->second.catalogue;
  if (looks_.size() >= k_regions_most) looks_.clear();
  ArmClient client(access_, k_timeout_most);
  Look look{{}, read_catalogue(client, region)};
  look.good_until = Stopper::now() + (look.catalogue ? k_answer_life : k_failure_life);
  return looks_.insert_or_assign(region, std::move(look)).first->second.catalogue;
}

Market AzureMarket::read(const MarketQuery& query) {
  const std::string home = lower(access_.settings.region);
  const std::string asked = query.region.empty() ? home : lower(query.region);
  const std::vector<Pool> pools = pools_of_azure(query.pools);
  Market market;
  market.offers = all_offers(pools, home);
  const Arm<Catalogue> catalogue = look_at(asked);
  if (!catalogue) {
    market.failure = fmt::format("azure does not say what is left in {}: {}", asked, catalogue.error().text());
  }
  for (MarketOffer& offer : market.offers) {
    if (catalogue && offer.region == asked) tell_what_is_left(offer, *catalogue);
    if (offer.region != home) continue;
    for (const Pool& pool : pools) {
      if (pool.sku.name == offer.sku && billed_class(pool) == offer.price_class) offer.pools.push_back(pool.name);
    }
  }
  sort_market(market.offers);
  return market;
}

}  // namespace virga::azure
