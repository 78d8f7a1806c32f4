// Requests about money: what was spent, what budgets leave, what a job would cost (see handlers.hpp).

#include <algorithm>
#include <map>
#include <set>

#include "brain/fleet/fleet.hpp"
#include "http/budget_reads.hpp"
#include "http/handlers.hpp"
#include "http/job_filter.hpp"
#include "http/job_reads.hpp"
#include "wire/api_bodies.hpp"
#include "wire/cost_report.hpp"
#include "wire/priorities_body.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

/// Of a job that was requeued, a record holds what the earlier incarnations cost, too: those before the span are needed
/// to take that off.
Result<std::vector<Job>> records_in(Journal& journal, const AccountQuery& span) {
  Result<std::vector<Job>> records = journal.archived_jobs(span);
  if (!records || !span.ended_after) return records;
  AccountQuery requeued;
  for (const Job& job : *records) {
    if (job.incarnation > 0) requeued.jobs.push_back(job.id);
  }
  if (requeued.jobs.empty()) return records;
  std::sort(requeued.jobs.begin(), requeued.jobs.end());
  requeued.jobs.erase(std::unique(requeued.jobs.begin(), requeued.jobs.end()), requeued.jobs.end());
  Result<std::vector<Job>> all_of_them = journal.archived_jobs(requeued);
  if (!all_of_them) return all_of_them;
  std::erase_if(*records, [](const Job& job) { return job.incarnation > 0; });
  std::set<std::pair<JobId, std::uint32_t>> known;
  for (const Job& job : *records) known.emplace(job.id, job.incarnation);
  for (Job& job : *all_of_them) {
    if (known.emplace(job.id, job.incarnation).second) records->push_back(std::move(job));
  }
  return records;
}

/// The job with what it has cost up to now.
Job up_to_now(const State& state, Job job, Time now) {
  if (holds_nodes(job.state) && job.started.is_set() && now > job.started) {
    job.cost += cost_of(state, job, now - job.started);
  }
  return job;
}

Result<CostInput> input_of(Journal& journal, const Brain& brain, CostInput span, const Actor& actor) {
  const State& state = brain.state();
  span.now = api_now(brain);
  span.may_see_all = actor.is_operator || state.config.open_queue;
  AccountQuery query;
  if (span.since.is_set()) query.ended_after = span.since;
  if (!span.until.is_never()) query.started_before = span.until;
  Result<std::vector<Job>> archived = records_in(journal, query);
  if (!archived) return unexpected(archived.error());
  Result<std::vector<VmRecord>> vms = journal.archived_vms({});
  if (!vms) return unexpected(vms.error());
  for (const auto& [id, job] : state.jobs) span.jobs.push_back(up_to_now(state, job, span.now));
  for (Job& job : *archived) {
    const auto living = state.jobs.find(job.id);
    if (living == state.jobs.end() || living->second.incarnation != job.incarnation) {
      span.jobs.push_back(std::move(job));
    }
  }
  for (const Job& job : span.jobs) span.is_visible.push_back(may_see(actor, job, state.config));
  span.vms = *std::move(vms);
  for (const auto& [id, vm] : state.vms) span.vms.push_back(record_so_far(vm, state, span.now));
  return span;
}

/// A number of the query, where it is there.
Status read_number(const Request& request, const std::string& name, std::uint32_t& into) {
  const std::string* text = request.find_query(name);
  if (text == nullptr) return {};
  Result<std::uint32_t> number = number_of<std::uint32_t>(name, *text);
  if (!number) return unexpected(number.error());
  into = *number;
  return {};
}

Result<JobSpec> wish_of(const Request& request) {
  JobSpec spec;
  spec.name = "offers";
  spec.work_dir = "/";
  std::uint32_t minutes = 0;
  for (const auto& [name, into] : {std::pair<const char*, std::uint32_t*>{"nodes", &spec.nodes},
                                   {"gpus", &spec.per_node.gpus},
                                   {"minutes", &minutes}}) {
    if (Status read = read_number(request, name, *into); !read) return unexpected(read.error());
  }
  spec.tasks = spec.nodes;
  if (minutes > 0) spec.time_limit = Duration::minutes(minutes);
  if (const std::string* text = request.find_query("partition")) spec.partition = *text;
  if (const std::string* text = request.find_query("account")) spec.account = *text;
  return spec;
}

struct MarketFilter {
  std::string sku;
  std::string region;
  std::optional<Purchase> price_class;
};

Result<MarketFilter> filter_of(const Request& request) {
  MarketFilter filter;
  if (const std::string* text = request.find_query("sku")) filter.sku = *text;
  if (const std::string* text = request.find_query("region")) filter.region = *text;
  if (const std::string* text = request.find_query("class")) {
    filter.price_class = enum_from_name<Purchase>(*text);
    if (!filter.price_class) {
      return fail(Code::invalid, "'class' must be on_demand, reserved or spot, not '" + *text + "'");
    }
  }
  return filter;
}

/// A size or region that the market does not have is a mistake; one without offers of the wanted kind is an answer.
Status check_filter(const MarketFilter& filter, const Market& market) {
  const auto nobody = [&](auto matches) { return std::none_of(market.offers.begin(), market.offers.end(), matches); };
  if (!filter.sku.empty() && nobody([&](const MarketOffer& offer) { return same_word(offer.sku, filter.sku); })) {
    return fail(Code::invalid,
                "no cloud of this instance has a size '" + filter.sku + "'; leave it out to see them all");
  }
  if (!filter.region.empty() &&
      nobody([&](const MarketOffer& offer) { return same_word(offer.region, filter.region); })) {
    return fail(Code::invalid,
                "no price is known in a region '" + filter.region + "'; leave it out to see the regions");
  }
  return {};
}

std::vector<MarketRow> rows_of(const MarketFilter& filter, const std::map<std::string, Duration>& waits,
                               std::vector<MarketOffer> offers) {
  std::vector<MarketRow> rows;
  for (MarketOffer& offer : offers) {
    if (!filter.sku.empty() && !same_word(offer.sku, filter.sku)) continue;
    if (!filter.region.empty() && !same_word(offer.region, filter.region)) continue;
    if (filter.price_class && offer.price_class != *filter.price_class) continue;
    MarketRow row;
    static_cast<MarketOffer&>(row) = std::move(offer);
    for (const std::string& pool : row.pools) {
      const auto wait = waits.find(pool);
      if (wait == waits.end() || wait->second.is_infinite()) continue;
      row.wait = row.wait ? std::min(*row.wait, wait->second) : wait->second;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

void Api::cost(const Request& request, const Responder& responder) {
  const std::string* text = request.find_query("by");
  const std::optional<CostBy> by = text == nullptr ? CostBy::tenant : enum_from_name<CostBy>(*text);
  if (!by) return responder.error({Code::invalid, "'by' must be tenant, user, job or pool, not '" + *text + "'"});
  std::optional<Time> since;
  std::optional<Time> until;
  if (Status read = read_time(request, "since", since); !read) return responder.error(read.error());
  if (Status read = read_time(request, "until", until); !read) return responder.error(read.error());
  CostInput span;
  if (since) span.since = *since;
  if (until) span.until = *until;
  if (span.until <= span.since) return responder.error({Code::invalid, "'until' must be later than 'since'"});
  controller_.with_journal(
      [responder, span = std::move(span), by = *by, actor = request.actor](Journal& journal, const Brain& brain) {
        Result<CostInput> input = input_of(journal, brain, span, actor);
        if (!input) return responder.error(input.error());
        responder.json_later(200, cost_report(*input, by));
      });
}

void Api::budgets(const Request& request, const Responder& responder) {
  controller_.view([responder, actor = request.actor](const Brain& brain) {
    const State& state = brain.state();
    BudgetsBody body;
    body.now = api_now(brain);
    for (const Tenant* tenant : budgets_for(state.config, actor)) {
      body.budgets.push_back(budget_status(state, *tenant, body.now));
    }
    responder.json(200, body);
  });
}

void Api::priorities(const Request& request, const Responder& responder) {
  controller_.view([responder, actor = request.actor](const Brain& brain) {
    const State& state = brain.state();
    PrioritiesBody body;
    body.now = api_now(brain);
    body.by_factors = state.config.scheduler.policy == OrderPolicy::multifactor;
    PriorityReport report = priority_report_of(state, body.now);
    for (const JobFactors& factors : report.jobs) {
      if (may_see(actor, state.jobs.at(factors.job), state.config)) body.jobs.push_back(factors);
    }
    body.shares = std::move(report.shares);
    responder.json_later(200, std::move(body));
  });
}

void Api::offers(const Request& request, const Responder& responder) {
  Result<JobSpec> wish = wish_of(request);
  if (!wish) return responder.error(wish.error());
  controller_.view([desk = desk_, responder, wish = *std::move(wish), actor = request.actor](const Brain& brain) {
    Result<std::vector<PoolOffer>> offers = brain.offers(JobSubmitted{actor, wish, ""}, api_now(brain));
    if (!offers) return responder.error(offers.error());
    OffersBody body{api_now(brain), *std::move(offers), {}, {}};
    MarketQuery query;
    for (const Pool& pool : brain.state().config.pools) {
      const bool is_offered = std::any_of(body.offers.begin(), body.offers.end(),
                                          [&](const PoolOffer& offer) { return offer.pool == pool.name; });
      if (is_offered) query.pools.push_back(pool);
    }
    desk->ask(std::move(query), [responder, body = std::move(body)](Market market) mutable {
      std::erase_if(market.offers, [](const MarketOffer& offer) { return offer.pools.empty(); });
      body.market = std::move(market.offers);
      body.market_failure = std::move(market.failure);
      responder.json(200, body);
    });
  });
}

void Api::market(const Request& request, const Responder& responder) {
  Result<JobSpec> wish = wish_of(request);
  Result<MarketFilter> filter = filter_of(request);
  if (!wish || !filter) return responder.error(wish ? filter.error() : wish.error());
  controller_.view([desk = desk_, responder, wish = *std::move(wish), filter = *std::move(filter),
                    actor = request.actor](const Brain& brain) {
    // A job that no pool takes has no wait anywhere; what the market has does not depend on it.
    const Result<std::vector<PoolOffer>> offers = brain.offers(JobSubmitted{actor, wish, ""}, api_now(brain));
    std::map<std::string, Duration> waits;
    if (offers) {
      for (const PoolOffer& offer : *offers) waits.emplace(offer.pool, offer.wait);
    }
    MarketQuery query{brain.state().config.pools, filter.region};
    desk->ask(std::move(query), [responder, filter, waits = std::move(waits), now = api_now(brain)](Market market) {
      if (Status known = check_filter(filter, market); !known) return responder.error(known.error());
      responder.json(200, MarketBody{now, rows_of(filter, waits, std::move(market.offers)), market.failure});
    });
  });
}

}  // namespace virga
