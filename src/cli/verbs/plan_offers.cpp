// Which machines a plan may use, for how much, and how often they fail.
#include <algorithm>

#include "cli/verbs/plan_parts.hpp"
#include "cli/verbs/plan_values.hpp"
#include "clouds/azure/prices.hpp"
#include "wire/sku_table.hpp"
#include "wire/text_file.hpp"

namespace virga {
namespace {

constexpr double k_spot_share = 0.4;  ///< of the list price, where nobody says a spot price: those change by the hour

/// The price of a size in a region, or where it is cheapest; the region's name, too.
Status price_in_region(const std::string& region, twin::Offer& offer, std::string& found) {
  std::vector<std::string_view> names;
  Money best{};
  for (const azure::ListPrice& price : azure::list_prices()) {
    if (price.sku != offer.system->name) continue;
    names.emplace_back(price.region);
    if (region != "cheapest" && price.region != region) continue;
    if (!found.empty() && price.per_hour >= best) continue;
    best = price.per_hour;
    found = price.region;
  }
  if (found.empty()) {
    return fail(Code::invalid,
                fmt::format("--region {}: no price of {} is listed there; {}", region, offer.system->name,
                            names.empty() ? "nor anywhere else; say its --price"
                                          : fmt::format("known are {}", fmt::join(names, ", "))));
  }
  offer.usd_per_node_hour = static_cast<double>(best.micro_usd) / 1e6;
  return {};
}

/// The list price, or what the user says.
Status price_offer(const PlanOptions& options, twin::Offer& offer, PlanQuestion& question) {
  if (const Sku* sku = find_sku(offer.system->name); sku != nullptr && offer.usd_per_node_hour == 0) {
    offer.usd_per_node_hour = static_cast<double>(sku->price_per_hour.micro_usd) / 1e6;
  }
  std::string region;
  if (!options.region.empty()) {
    if (auto ok = price_in_region(options.region, offer, region); !ok) return ok;
  }
  question.regions.push_back(region);
  if (options.spot && options.price.empty()) {
    offer.usd_per_node_hour *= k_spot_share;
    question.spot_price_assumed = true;
  }
  if (auto ok = read_real("--price", options.price, 1e6, offer.usd_per_node_hour); !ok) return ok;
  twin::Reliability& reliability = offer.reliability;
  if (options.spot) {
    reliability.failures_per_node_hour += twin::k_evictions_per_node_hour;
    question.spot_rate_assumed = options.eviction_rate.empty();
  }
  if (!options.eviction_rate.empty()) {
    double percent = 0;
    if (auto ok = read_real("--eviction-rate", options.eviction_rate, 100, percent); !ok) return ok;
    reliability.failures_per_node_hour = twin::Reliability{}.failures_per_node_hour + percent / 100;
  }
  const Result<Duration> restart = parse_duration(options.restart);
  if (!restart) return fail(Code::invalid, fmt::format("--restart: {}", restart.error().message));
  if (restart->is_infinite()) return fail(Code::invalid, "--restart: a job that never starts again does not train");
  reliability.restart_s = static_cast<double>(restart->ns) / 1e9;
  return {};
}

}  // namespace

Status read_offers(const PlanOptions& options, PlanQuestion& question) {
  std::vector<twin::Offer>& offers = question.request.offers;
  if (!options.system.empty()) {
    const Result<std::string> text = read_text_file(options.system, k_plan_file_bytes_max);
    if (!text) return unexpected(text.error());
    Result<OwnSystem> own = parse_system_toml(*text, options.system);
    if (!own) return unexpected(own.error());
    question.own.push_back(std::move(*own));
    offers.push_back({.system = &question.own.back().system,
                      .usd_per_node_hour = question.own.back().usd_per_node_hour,
                      .reliability = {}});
  }
  for (const std::string& name : options.skus) {
    const twin::System* system = twin::find_system(name);
    if (system == nullptr) {
      std::vector<std::string_view> names;
      for (const auto& known : twin::known_systems()) names.emplace_back(known.name);
      const std::string_view near = nearest(name, names);
      return fail(Code::invalid, fmt::format("--sku {}: unknown; {}", name,
                                             near.empty() ? fmt::format("known are {}", fmt::join(names, ", "))
                                                          : fmt::format("did you mean {}?", near)));
    }
    offers.push_back({.system = system, .usd_per_node_hour = 0, .reliability = {}});
  }
  if (offers.empty()) {
    // All sizes that Azure lends with InfiniBand. Without a list price they cannot be compared by cost.
    for (const Sku& sku : known_skus()) {
      const twin::System* system = twin::find_system(sku.name);
      if (system == nullptr || system->nic_bytes_s <= 0) continue;
      if (sku.price_per_hour.micro_usd == 0) {
        question.unpriced.push_back(sku.name);
        continue;
      }
      offers.push_back({.system = system, .usd_per_node_hour = 0, .reliability = {}});
    }
  }
  for (twin::Offer& offer : offers) {
    if (auto ok = price_offer(options, offer, question); !ok) return ok;
  }
  return {};
}

}  // namespace virga
