// See the header. The text is a constant of the program (cmake/embed_text.cmake); it is read once, at first use.
#include "wire/sku_table.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "wire/config_units.hpp"
#include "wire/csv_table.hpp"

namespace virga {

extern const std::string_view k_azure_skus_csv;

namespace {

bool read_sku(std::string_view line, Sku& sku) {
  sku.name = take_until(line, ',');
  std::uint32_t memory_gib = 0;
  const bool numbers_ok = read_number(take_until(line, ','), sku.resources.cpus) &&
                          read_number(take_until(line, ','), memory_gib) &&
                          read_number(take_until(line, ','), sku.resources.gpus);
  sku.gpu_model = take_until(line, ',');
  const auto price = parse_money(line);
  if (!numbers_ok || !price || sku.name.empty()) return false;
  sku.resources.memory_bytes = std::uint64_t{memory_gib} << 30;
  sku.price_per_hour = *price;
  return true;
}

}  // namespace

Result<std::vector<Sku>> parse_sku_table(std::string_view csv) {
  return read_csv_table<Sku>(csv, "SKU table", "name,vcpus,memory_gib,gpus,gpu_model,price_usd_per_hour", read_sku);
}

const std::vector<Sku>& known_skus() {
  static const std::vector<Sku> k_skus = [] {
    auto skus = parse_sku_table(k_azure_skus_csv);
    VIRGA_ASSERT(skus.has_value() && !skus->empty(), "the embedded SKU table is readable");
    return std::move(*skus);
  }();
  return k_skus;
}

const Sku* find_sku(std::string_view name) {
  const auto& skus = known_skus();
  const auto found = std::find_if(skus.begin(), skus.end(), [&](const Sku& sku) { return sku.name == name; });
  return found == skus.end() ? nullptr : &*found;
}

}  // namespace virga
