#include "brain/offers.hpp"

#include <algorithm>
#include <optional>
#include <tuple>

#include "brain/brain.hpp"
#include "brain/policy/ranking.hpp"
#include "brain/policy/start_rules.hpp"
#include "brain/requests.hpp"
#include "brain/sched/files.hpp"
#include "brain/sched/forecast.hpp"
#include "brain/sched/queue.hpp"
#include "brain/sched/supply.hpp"

namespace virga {

namespace {

OfferKind kind_of(Way way) {
  switch (way) {
    case Way::ready:
      return OfferKind::ready;
    case Way::coming:
      return OfferKind::coming;
    case Way::buy:
      return OfferKind::ask;
    case Way::wait:
    case Way::never:
      break;
  }
  return OfferKind::wait;
}

/// The job as it would stand in the queue: behind all others of its priority.
Job imagined(const State& state, const Actor& owner, Shared<JobSpec> spec, Time now) {
  Job job;
  job.id = state.next_job();
  job.owner = owner;
  job.spec = std::move(spec);
  job.submitted = job.eligible = now;
  job.partition_number = state.number_of_partition(job.spec->partition);
  job.files_on_storage = lies_on_storage(state.config.storage, job.spec);
  job.placement_key = placement_key_of(job.spec);
  const Place place = place_in_queue(state, job);
  job.rank = place.rank;
  job.full_age = place.full_age;
  return job;
}

/// What keeps the job from this pool whatever is free there.
std::optional<LimitHit> block_of(const State& state, const Job& job, const Pool& pool) {
  if (!is_wanted_from(preference_of(state, job), pool)) {
    return LimitHit{Reason::budget, "tenant " + job.spec->account + " takes reserved nodes only"};
  }
  if (is_affordable(state, job, pool)) return std::nullopt;
  const Money worst = worst_case_on(state, *job.spec, pool).value_or(Money{});
  const auto hit = state.policy.budgets.check(state.config, job.spec->account, worst, state.now);
  return LimitHit{Reason::budget, hit.value_or("")};
}

PoolOffer row_of(const State& state, const Job& job, const Offer& offer, Time now) {
  const Pool& pool = state.config.pools[offer.pool];
  PoolOffer row;
  row.pool = pool.name;
  row.partition = job.spec->partition;
  row.cloud = pool.cloud;
  row.sku = pool.sku.name;
  row.price_class = pool.purchase;
  row.price_per_node_hour = pool.node_price();
  row.gpus_per_node = pool.sku.resources.gpus;
  row.nodes_free = free_for(state, job, offer.pool, now);
  const std::uint32_t missing = job.spec->nodes > row.nodes_free ? job.spec->nodes - row.nodes_free : 1;
  const Growth growth = growth_of(state, pool, missing, now);
  row.nodes_askable = growth.nodes;
  if (growth.reason != Reason::none) row.retry_at = growth.until;
  row.kind = kind_of(offer.way);
  row.reason = offer.reason;
  row.detail = offer.detail;
  row.start = offer.start;
  row.price = offer.price;
  row.list_price = {price_for(pool.node_price(), expected_time(*job.spec)).micro_usd * job.spec->nodes};
  const WaitingList::Ahead ahead = state.index.queue.ahead_of(job, rank_shift_now(state));
  if (ahead.jobs > 0) {
    row.start = start_behind_others(state, job, offer, now);
    if (row.kind == OfferKind::wait && row.reason == Reason::none) row.reason = Reason::priority;
  }
  if (auto block = block_of(state, job, pool)) {
    row.kind = OfferKind::barred;
    row.reason = block->reason;
    row.detail = std::move(block->detail);
    row.start = Time::never();
  }
  if (!row.start.is_never()) row.wait = std::max(row.start - now, Duration{});
  return row;
}

bool comes_before(const PoolOffer& a, const PoolOffer& b) {
  return std::tie(a.price, a.start, a.list_price, a.pool) < std::tie(b.price, b.start, b.list_price, b.pool);
}

}  // namespace

Result<std::vector<PoolOffer>> offers_of(const State& state, const JobSubmitted& wish, Time now) {
  std::vector<PoolOffer> rows;
  std::optional<Error> refused;
  for (const Partition& partition : state.config.partitions) {
    if (!wish.spec.partition.empty() && wish.spec.partition != partition.name) continue;
    JobSubmitted there = wish;
    there.spec.partition = partition.name;
    Admission admission = admit(state, there);
    if (admission.refused) {
      if (!refused) refused = std::move(admission.refused);
      continue;
    }
    const Job job = imagined(state, wish.actor, std::move(admission.spec), now);
    for (const std::string& name : partition.pools) {
      const auto has_row = [&](const PoolOffer& row) { return row.pool == name; };
      if (std::any_of(rows.begin(), rows.end(), has_row)) continue;
      const Offer offer = offer_of(state, job, state.number_of_pool(name), now);
      if (offer.way != Way::never) rows.push_back(row_of(state, job, offer, now));
    }
  }
  if (rows.empty()) {
    if (refused) return unexpected(*std::move(refused));
    return fail(Code::invalid, wish.spec.partition.empty() ? "there is no partition"
                                                           : "invalid partition specified: " + wish.spec.partition);
  }
  std::stable_sort(rows.begin(), rows.end(), comes_before);
  return rows;
}

Result<std::vector<PoolOffer>> Brain::offers(const JobSubmitted& job, Time now) const {
  return offers_of(state_, job, std::max(now, state_.now));
}

}  // namespace virga
