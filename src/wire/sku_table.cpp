// See the header. The text is a constant of the program (cmake/embed_text.cmake); it is read once, at first use.
#include "wire/sku_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/assert.hpp"
#include "wire/config_units.hpp"

namespace virga {

extern const std::string_view k_azure_skus_csv;

namespace {

std::string_view take_until(std::string_view& text, char end) {
  const auto size = std::min(text.find(end), text.size());
  const auto taken = text.substr(0, size);
  text.remove_prefix(std::min(size + 1, text.size()));
  return taken;
}

bool read_number(std::string_view text, std::uint32_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Result<std::vector<Sku>> parse_sku_table(std::string_view csv) {
  std::vector<Sku> skus;
  bool header_seen = false;
  while (!csv.empty()) {
    const auto line = take_until(csv, '\n');
    if (line.empty() || line.front() == '#') continue;
    if (!header_seen) {
      header_seen = true;
      if (line != "name,vcpus,memory_gib,gpus,gpu_model,price_usd_per_hour") {
        return fail(Code::corrupt, fmt::format("SKU table: unknown header \"{}\"", line));
      }
      continue;
    }
    std::string_view rest = line;
    Sku sku;
    sku.name = take_until(rest, ',');
    std::uint32_t memory_gib = 0;
    const bool numbers_ok = read_number(take_until(rest, ','), sku.resources.cpus) &&
                            read_number(take_until(rest, ','), memory_gib) &&
                            read_number(take_until(rest, ','), sku.resources.gpus);
    sku.gpu_model = take_until(rest, ',');
    const auto price = parse_money(rest);
    if (!numbers_ok || !price || sku.name.empty()) {
      return fail(Code::corrupt, fmt::format("SKU table: cannot read \"{}\"", line));
    }
    sku.resources.memory_bytes = std::uint64_t{memory_gib} << 30;
    sku.price_per_hour = *price;
    skus.push_back(std::move(sku));
  }
  return skus;
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
