// `virga cost` and `virga offers` as tables: pure functions of the API's answers.
//
//   fmt::print("{}", cost_text(*body));
//
// Amounts are in US dollars and cents. They are rounded so that each column adds up to its total, and so that the cost
// of VMs is that of jobs and of idleness together, to the cent.
#pragma once

#include <string>

#include "wire/api_bodies.hpp"
#include "wire/cost_report.hpp"

namespace virga {

std::string cost_text(const CostBody& body);
/// With the columns REGION, QUOTA_LEFT and RESTRICTION where a pool's cloud has regions.
std::string offers_text(const OffersBody& body);
std::string market_text(const MarketBody& body);

}  // namespace virga
