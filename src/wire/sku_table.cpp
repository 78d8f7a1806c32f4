// See the header. The text is a constant of the program (cmake/embed_text.cmake); it is read once, at first use.
#include "wire/sku_table.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "wire/config_units.hpp"
#include "wire/csv_table.hpp"

namespace virga {

extern const std::string_view k_azure_skus_csv;

namespace {

bool read_sku(std::string_view line, KnownSku& known) {
  Sku& sku = known.sku;
  sku.name = take_until(line, ',');
  std::uint32_t memory_gib = 0;
  const bool numbers_ok = read_number(take_until(line, ','), sku.resources.cpus) &&
                          read_number(take_until(line, ','), memory_gib) &&
                          read_number(take_until(line, ','), sku.resources.gpus);
  sku.gpu_model = take_until(line, ',');
  const std::string_view price_text = take_until(line, ',');
  const auto price = price_text.empty() ? Money{} : parse_money(price_text);
  const auto shape = enum_from_name<SetShape>(take_until(line, ','));
  if (!numbers_ok || !price || !shape || sku.name.empty() || (line != "yes" && line != "no")) return false;
  sku.resources.memory_bytes = std::uint64_t{memory_gib} << 30;
  sku.price_per_hour = *price;
  known.set_shape = *shape;
  known.targeted = line == "yes";
  return true;
}

const std::vector<KnownSku>& table() {
  static const std::vector<KnownSku> k_table = [] {
    auto skus = parse_sku_table(k_azure_skus_csv);
    VIRGA_ASSERT(skus.has_value() && !skus->empty(), "the embedded SKU table is readable");
    return std::move(*skus);
  }();
  return k_table;
}

const KnownSku* find_known(std::string_view name) {
  const auto& all = table();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const KnownSku& known) { return known.sku.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

Result<std::vector<KnownSku>> parse_sku_table(std::string_view csv) {
  return read_csv_table<KnownSku>(
      csv, "SKU table", "name,vcpus,memory_gib,gpus,gpu_model,price_usd_per_hour,scale_set,targeted", read_sku);
}

const std::vector<Sku>& known_skus() {
  static const std::vector<Sku> k_skus = [] {
    std::vector<Sku> skus;
    for (const KnownSku& known : table()) skus.push_back(known.sku);
    return skus;
  }();
  return k_skus;
}

const Sku* find_sku(std::string_view name) {
  const KnownSku* known = find_known(name);
  return known == nullptr ? nullptr : &known->sku;
}

SetShape set_shape_of(std::string_view name) {
  const KnownSku* known = find_known(name);
  return known == nullptr ? SetShape::uniform : known->set_shape;
}

bool can_be_targeted(std::string_view name) {
  const KnownSku* known = find_known(name);
  return known == nullptr || known->targeted;
}

}  // namespace virga
