// Verbs about money: cost, offers.
#include <fmt/format.h>

#include <ctime>

#include "cli/client.hpp"
#include "cli/verbs/money_text.hpp"
#include "cli/verbs/verb.hpp"
#include "wire/encodings.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

/// "&since=2026-01-31T12:00:00Z", or nothing where no date was given.
Result<std::string> date_query(const std::string& name, const std::string& text) {
  if (text.empty()) return std::string();
  Result<Time> time = parse_local_time(text, Time::from_seconds(std::time(nullptr)));
  if (!time) return fail(Code::invalid, fmt::format("--{}: {}", name, time.error().message));
  return fmt::format("&{}={}", name, percent_encoded(iso8601(*time)));
}

/// What could not be learnt does not spoil what could.
void tell_failure(const std::string& failure) {
  if (!failure.empty()) fmt::print(stderr, "virga: {}\n", failure);
}

template <class Body>
int show(const std::string& target, bool json, std::string (*text)(const Body&)) {
  Result<Client> client = Client::from_environment();
  if (!client) return complain(client.error());
  Result<Body> body = client->get_as<Body>(target);
  if (!body) return complain(body.error());
  fmt::print("{}", json ? to_json_text(*body) + "\n" : text(*body));
  if constexpr (requires { body->market_failure; }) tell_failure(body->market_failure);
  if constexpr (requires { body->failure; }) tell_failure(body->failure);
  return 0;
}

}  // namespace

int cost_verb(const CostOptions& options) {
  std::string target = "/v1/accounting/cost?by=" + percent_encoded(options.by);
  for (const auto& [name, text] : {std::pair("since", &options.since), std::pair("until", &options.until)}) {
    Result<std::string> query = date_query(name, *text);
    if (!query) return complain(query.error());
    target += *query;
  }
  return show<CostBody>(target, options.json, cost_text);
}

int offers_verb(const OffersOptions& options) {
  std::string target =
      fmt::format("/v1/{}?nodes={}&gpus={}", options.market ? "market" : "offers", options.nodes, options.gpus);
  if (!options.time.empty()) {
    Result<Duration> limit = parse_time_limit(options.time);
    if (!limit) return complain({Code::invalid, "--time: " + limit.error().message});
    if (!limit->is_infinite()) target += fmt::format("&minutes={}", (limit->whole_seconds() + 59) / 60);
  }
  if (!options.partition.empty()) target += "&partition=" + percent_encoded(options.partition);
  if (!options.account.empty()) target += "&account=" + percent_encoded(options.account);
  if (!options.market) return show<OffersBody>(target, options.json, offers_text);
  if (!options.sku.empty()) target += "&sku=" + percent_encoded(options.sku);
  if (!options.region.empty()) target += "&region=" + percent_encoded(options.region);
  if (!options.price_class.empty()) target += "&class=" + percent_encoded(options.price_class);
  return show<MarketBody>(target, options.json, market_text);
}

}  // namespace virga
