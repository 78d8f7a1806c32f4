#include "cli/verbs/money_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "wire/slurm_text.hpp"

namespace virga {
namespace {

using Cells = std::vector<std::string>;

/// Each column is as wide as its widest cell; `sides` has L for one of text, R for one of numbers.
std::string aligned(const std::vector<Cells>& lines, std::string_view sides) {
  std::vector<std::size_t> widths(lines.front().size());
  for (const Cells& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string out;
  for (const Cells& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      text += sides[i] == 'L' ? fmt::format("{:<{}}", line[i], widths[i]) : fmt::format("{:>{}}", line[i], widths[i]);
      text += "  ";
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  }
  return out;
}

std::string cents_text(std::int64_t cents) {
  const std::int64_t size = cents < 0 ? -cents : cents;
  return fmt::format("{}{}.{:02}", cents < 0 ? "-" : "", size / 100, size % 100);
}

std::string dollars_text(Money money) { return cents_text(whole_cents({money}).front()); }

std::string hours_text(Duration d) {
  constexpr std::int64_t k_hundredth_ns = 36LL * 1'000'000'000;
  return cents_text((d.ns + k_hundredth_ns / 2) / k_hundredth_ns);
}

std::string wait_text(Duration wait) {
  if (wait.is_infinite()) return "unknown";
  return wait == Duration{} ? "none" : short_duration_text(wait);
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

/// In VMs; "-" where the cloud has no quotas.
std::string quota_text(const MarketOffer& offer) {
  if (offer.quota == Quota::limited) return std::to_string(offer.quota_left);
  return offer.quota == Quota::unknown ? "unknown" : "-";
}

/// What the market says of a pool; of one that it does not name, nothing is known.
MarketOffer market_of(const OffersBody& body, const std::string& pool) {
  for (const MarketOffer& offer : body.market) {
    if (std::find(offer.pools.begin(), offer.pools.end(), pool) != offer.pools.end()) return offer;
  }
  return {};
}

std::string why_text(const PoolOffer& offer) {
  std::string text{name_of(offer.kind)};
  if (offer.reason == Reason::none) return text;
  text += fmt::format(": {}", name_of(offer.reason));
  if (!offer.detail.empty()) text += " (" + offer.detail + ")";
  if (!offer.retry_at.is_never()) text += ", asked again at " + local_time_text(offer.retry_at);
  return text;
}

}  // namespace

std::string cost_text(const CostBody& body) {
  const bool with_vms = body.by == CostBy::pool && body.all_jobs;
  std::vector<CostRow> rows = body.rows;
  rows.push_back(body.total);
  rows.back().name = "total";
  std::vector<Money> job_costs;
  std::vector<Money> vm_costs;
  std::vector<Money> wasted_costs;
  for (const CostRow& row : body.rows) {
    job_costs.push_back(row.job_cost);
    vm_costs.push_back(row.vm_cost);
    wasted_costs.push_back(row.wasted_cost);
  }
  std::vector<std::int64_t> jobs = whole_cents(job_costs);
  std::vector<std::int64_t> vms = whole_cents(vm_costs);
  std::vector<std::int64_t> wasted = whole_cents(wasted_costs);
  jobs.push_back(whole_cents({body.total.job_cost}).front());
  vms.push_back(whole_cents({body.total.vm_cost}).front());
  wasted.push_back(whole_cents({body.total.wasted_cost}).front());
  std::string head{name_of(body.by)};
  std::transform(head.begin(), head.end(), head.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
  std::vector<Cells> lines{{head, "JOBS", "NODE_HOURS", "JOBS_USD"}};
  if (with_vms)
    lines[0].insert(lines[0].end(),
                    {"VMS", "VM_HOURS", "VMS_USD", "IDLE_HOURS", "IDLE_USD", "WASTED_HOURS", "WASTED_USD"});
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const CostRow& row = rows[i];
    lines.push_back({row.name.empty() ? "(none)" : row.name, std::to_string(row.jobs), hours_text(row.node_time),
                     cents_text(jobs[i])});
    if (!with_vms) continue;
    lines.back().insert(lines.back().end(), {std::to_string(row.vms), hours_text(row.vm_time), cents_text(vms[i]),
                                             hours_text(row.idle_time), cents_text(vms[i] - jobs[i]),
                                             hours_text(row.wasted_time), cents_text(wasted[i])});
  }
  std::string out = aligned(lines, "LRRRRRRRRRR");
  if (body.all_jobs && !with_vms) {
    const CostRow& total = body.total;
    out += fmt::format("{} VMs for {} hours: {} USD, of which {} for jobs and {} idle ({} hours without a job)\n",
                       total.vms, hours_text(total.vm_time), cents_text(vms.back()), cents_text(jobs.back()),
                       cents_text(vms.back() - jobs.back()), hours_text(total.idle_time));
    if (total.wasted_time > Duration{}) {
      out += fmt::format("wasted, in quarantine or on VMs that no job ever ran on: {} hours, {} USD\n",
                         hours_text(total.wasted_time), cents_text(wasted.back()));
    }
  }
  return out;
}

std::string offers_text(const OffersBody& body) {
  const bool with_regions = std::any_of(body.market.begin(), body.market.end(),
                                        [](const MarketOffer& offer) { return !offer.region.empty(); });
  std::vector<Cells> lines{{"POOL", "CLOUD", "SKU", "CLASS", "NODE_USD_H", "GPUS", "FREE", "MORE", "ADDS_USD", "WAIT"}};
  if (with_regions) lines[0].insert(lines[0].end(), {"REGION", "QUOTA_LEFT", "RESTRICTION"});
  lines[0].push_back("NOW");
  for (const PoolOffer& offer : body.offers) {
    lines.push_back({offer.pool, offer.cloud, offer.sku, std::string(name_of(offer.price_class)),
                     dollars_text(offer.price_per_node_hour), std::to_string(offer.gpus_per_node),
                     std::to_string(offer.nodes_free), std::to_string(offer.nodes_askable), dollars_text(offer.price),
                     wait_text(offer.wait)});
    if (with_regions) {
      const MarketOffer market = market_of(body, offer.pool);
      lines.back().insert(lines.back().end(),
                          {or_dash(market.region), quota_text(market), or_dash(market.restriction)});
    }
    lines.back().push_back(why_text(offer));
  }
  return aligned(lines, with_regions ? "LLLLRRRRRLLRLL" : "LLLLRRRRRLL");
}

std::string market_text(const MarketBody& body) {
  std::vector<Cells> lines{{"SKU", "REGION", "CLASS", "CLOUD", "USD_H", "QUOTA_LEFT", "WAIT", "POOLS", "RESTRICTION"}};
  for (const MarketRow& row : body.offers) {
    lines.push_back({row.sku, or_dash(row.region), std::string(name_of(row.price_class)), row.cloud,
                     row.price_per_hour ? dollars_text(*row.price_per_hour) : "-", quota_text(row),
                     row.wait ? wait_text(*row.wait) : "-", or_dash(fmt::format("{}", fmt::join(row.pools, ","))),
                     or_dash(row.restriction)});
  }
  return aligned(lines, "LLLLRRLLL");
}

}  // namespace virga
