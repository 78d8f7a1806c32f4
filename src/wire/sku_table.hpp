// The VM sizes that Virga knows by name, from data/azure_skus.csv, which the build puts into the program.
//
//   const Sku* sku = find_sku("Standard_ND96isr_H100_v5");   // nullptr if unknown
#pragma once

#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "core/config.hpp"

namespace virga {

/// In the order of the file.
const std::vector<Sku>& known_skus();
const Sku* find_sku(std::string_view name);

/// Reads the file's text; public for its test. A line that cannot be read is a fault of the build, told as such.
Result<std::vector<Sku>> parse_sku_table(std::string_view csv);

}  // namespace virga
