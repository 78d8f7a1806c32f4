#include "clouds/azure/prices.hpp"

#include "base/assert.hpp"
#include "wire/config_units.hpp"
#include "wire/csv_table.hpp"

namespace virga {

extern const std::string_view k_azure_prices_csv;

namespace azure {
namespace {

bool read_price(std::string_view line, ListPrice& price) {
  price.sku = take_until(line, ',');
  price.region = take_until(line, ',');
  const auto money = parse_money(line);
  if (!money || price.sku.empty() || price.region.empty()) return false;
  price.per_hour = *money;
  return true;
}

}  // namespace

Result<std::vector<ListPrice>> parse_list_prices(std::string_view csv) {
  return read_csv_table<ListPrice>(csv, "price list", "name,region,price_usd_per_hour", read_price);
}

const std::vector<ListPrice>& list_prices() {
  static const std::vector<ListPrice> k_prices = [] {
    auto prices = parse_list_prices(k_azure_prices_csv);
    VIRGA_ASSERT(prices.has_value() && !prices->empty(), "the embedded price list is readable");
    return std::move(*prices);
  }();
  return k_prices;
}

}  // namespace azure
}  // namespace virga
