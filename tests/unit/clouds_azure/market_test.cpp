// What Azure's market says: of the embedded price list, and of a region as virga-arm describes it.
#include "clouds/azure/market.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "clouds/azure/prices.hpp"
#include "unit/clouds_azure/stand_in.hpp"

namespace virga::azure_test {
namespace {

using azure::Access;
using azure::AzureMarket;

constexpr const char* k_h100 = "Standard_ND96isr_H100_v5";

Pool pool(const std::string& name, const std::string& sku, Purchase purchase) {
  Pool pool;
  pool.name = name;
  pool.cloud = "azure";
  pool.sku.name = sku;
  pool.purchase = purchase;
  return pool;
}

const MarketOffer& find(const Market& market, const std::string& sku, const std::string& region, Purchase purchase) {
  const auto found = std::find_if(market.offers.begin(), market.offers.end(), [&](const MarketOffer& offer) {
    return offer.sku == sku && offer.region == region && offer.price_class == purchase;
  });
  REQUIRE(found != market.offers.end());
  return *found;
}

}  // namespace

TEST_CASE("azure prices: the list is whole, and a wrong one is refused") {
  CHECK(azure::list_prices().size() == 313);
  CHECK_FALSE(azure::parse_list_prices("name,region,price_usd_per_hour\na,b,\n").has_value());
  CHECK_FALSE(azure::parse_list_prices("name,price\n").has_value());
}

TEST_CASE("azure market: quota in VMs, by the family, by the region's cores, and by the one bucket of spot") {
  ArmProcess arm(R"(
[quota.h100]
region = "eastus"
family = "standardNDSH100v5Family"
vcpus = 300
[quota.a100]
family = "standard NDAMSv4_A100Family"
vcpus = 0
[quota.all]
region = "eastus"
family = "cores"
vcpus = 960
[quota.spot]
family = "lowPriorityCores"
vcpus = 200
)");
  Access access(arm.settings());
  AzureMarket market(access);
  const MarketQuery query{{pool("b", k_h100, Purchase::on_demand), pool("a", k_h100, Purchase::reserved),
                           pool("s", k_h100, Purchase::spot), pool("odd", "Standard_Odd_v1", Purchase::on_demand)}};
  const Market offers = market.read(query);
  CHECK(offers.failure.empty());
  const MarketOffer& h100 = find(offers, k_h100, "eastus", Purchase::on_demand);
  CHECK(h100.price_per_hour == Money::usd(98, 320'000));
  CHECK(h100.quota == Quota::limited);
  CHECK(h100.quota_left == 3);
  CHECK(h100.restriction.empty());
  CHECK(h100.pools == std::vector<std::string>{"a", "b"});
  CHECK(find(offers, "Standard_ND96amsr_A100_v4", "eastus", Purchase::on_demand).quota_left == 0);
  CHECK(find(offers, "Standard_ND40rs_v2", "eastus", Purchase::on_demand).quota_left == 24);
  const MarketOffer& spot = find(offers, k_h100, "eastus", Purchase::spot);
  CHECK(spot.quota_left == 2);
  CHECK(spot.price_per_hour == std::nullopt);
  CHECK(spot.pools == std::vector<std::string>{"s"});
  CHECK(find(offers, k_h100, "westeurope", Purchase::on_demand).quota == Quota::unknown);
  const MarketOffer& odd = find(offers, "Standard_Odd_v1", "eastus", Purchase::on_demand);
  CHECK(odd.restriction == "not offered in eastus");
  CHECK(odd.pools == std::vector<std::string>{"odd"});
  // Whoever asks again within minutes costs no call; another region is another look.
  const std::uint64_t asked = arm.calls("LIST locations/usages") + arm.calls("LIST skus");
  market.read(query);
  CHECK(arm.calls("LIST locations/usages") + arm.calls("LIST skus") == asked);
  const Market nowhere = market.read({query.pools, "x'/../y"});
  CHECK_MESSAGE(nowhere.failure.find("NoSuchRegion") != std::string::npos, nowhere.failure);
  CHECK(nowhere.offers.size() == offers.offers.size());
  CHECK(arm.calls("LIST locations/usages") + arm.calls("LIST skus") == asked);
  const Market west = market.read({query.pools, "WestEurope"});
  CHECK(find(west, k_h100, "westeurope", Purchase::on_demand).quota_left == 10'416);
  CHECK(find(west, k_h100, "eastus", Purchase::on_demand).quota == Quota::unknown);
  CHECK(find(west, k_h100, "eastus", Purchase::on_demand).pools.size() == 2);
}

TEST_CASE("azure market: an Azure that does not answer leaves the prices, and the reason why the rest is unknown") {
  AzureSettings settings;
  {
    ArmProcess arm;
    settings = arm.settings();
    Access access(settings);
    AzureMarket market(access);
    arm.post("failure", R"({"operation": "LIST skus", "kind": "html", "status": 502, "count": 1})");
    const Market offers = market.read({{pool("b", k_h100, Purchase::on_demand)}});
    CHECK_MESSAGE(offers.failure.find("azure does not say what is left in eastus: HTTP 502") == 0, offers.failure);
    CHECK(arm.calls("LIST skus") == 1);  // somebody waits: it is not tried again
  }
  Access access(settings);
  AzureMarket market(access);
  const Market offers = market.read({{pool("b", k_h100, Purchase::on_demand)}});
  CHECK(offers.failure.find("azure does not say what is left in eastus: ") == 0);
  const MarketOffer& h100 = find(offers, k_h100, "eastus", Purchase::on_demand);
  CHECK(h100.price_per_hour == Money::usd(98, 320'000));
  CHECK(h100.quota == Quota::unknown);
  CHECK(h100.pools == std::vector<std::string>{"b"});
}

}  // namespace virga::azure_test
