// What each pool could do for a job that somebody thinks of: one row for each pool, the cheapest first.
//
//   Result<std::vector<PoolOffer>> offers = brain.offers(JobSubmitted{actor, spec, ""}, now);
//   for (const PoolOffer& offer : *offers) …"pool nd: 3 nodes free, 13 more can be asked for"…
//
// These are the offers that the scheduler itself compares (sched/supply.hpp), for a job that comes last in its queue.
// Pools that cannot hold the job have no row. If the submission would be refused in every
// partition, the error says why.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"
#include "base/money.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "core/config.hpp"
#include "core/event.hpp"

namespace virga {

struct State;

/// What it would come to if the job were submitted now.
enum class OfferKind : std::uint8_t {
  ready,   ///< its nodes are ready and free
  coming,  ///< its nodes are free, some still boot
  ask,     ///< what is missing can be asked for
  wait,    ///< running jobs must end first, or a pause after a refusal must pass
  barred,  ///< the tenant's budget does not cover it there, or the tenant takes no nodes of this price class
};
template <>
struct EnumNames<OfferKind> {
  static constexpr std::string_view names[] = {"ready", "coming", "ask", "wait", "barred"};
};

struct PoolOffer {
  std::string pool;
  std::string partition;  ///< by which the pool is reached: the first that would take the job
  std::string cloud;
  std::string sku;
  Purchase price_class = Purchase::on_demand;
  Money price_per_node_hour;
  std::uint32_t gpus_per_node = 0;
  std::uint32_t nodes_free = 0;     ///< with room for the job's part of a node, now or when they have booted
  std::uint32_t nodes_askable = 0;  ///< more, that the cloud can be asked for
  OfferKind kind = OfferKind::wait;
  Reason reason = Reason::none;   ///< why not now
  std::string detail;             ///< the same in words
  Time retry_at = Time::never();  ///< with a pause after a refusal: when the cloud is asked again
  Time start = Time::never();     ///< when it could begin
  Duration wait = Duration::infinite();
  Money price;       ///< that running the job there adds to the bill; reserved nodes are paid for anyhow
  Money list_price;  ///< of its nodes for its time

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("pool", s.pool);
    v("partition", s.partition);
    v("cloud", s.cloud);
    v("sku", s.sku);
    v("price_class", s.price_class);
    v("price_per_node_hour", s.price_per_node_hour);
    v("gpus_per_node", s.gpus_per_node);
    v("nodes_free", s.nodes_free);
    v("nodes_askable", s.nodes_askable);
    v("kind", s.kind);
    v("reason", s.reason);
    v("detail", s.detail);
    v("retry_at", s.retry_at);
    v("start", s.start);
    v("wait", s.wait);
    v("price", s.price);
    v("list_price", s.list_price);
  }
};

/// As of `now`, which may be later than the last event. In the job's partition if it names one, else in all that its
/// owner may use.
Result<std::vector<PoolOffer>> offers_of(const State& state, const JobSubmitted& job, Time now);

}  // namespace virga
