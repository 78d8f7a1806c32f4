// On-demand list prices by size and region: data/azure_prices.csv, which the build puts into the program.
//
//   for (const ListPrice& price : list_prices()) …    // "Standard_ND96isr_H100_v5", "westeurope", its dollars an hour
//
// Spot prices change by the hour and are in no list.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/money.hpp"
#include "base/result.hpp"

namespace virga::azure {

struct ListPrice {
  std::string sku;
  std::string region;
  Money per_hour;
};

/// In the order of the file.
const std::vector<ListPrice>& list_prices();

/// Reads the file's text; public for its test.
Result<std::vector<ListPrice>> parse_list_prices(std::string_view csv);

}  // namespace virga::azure
