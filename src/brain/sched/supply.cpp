#include "brain/sched/supply.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/fleet/fleet.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/queue.hpp"
#include "brain/training/training_note.hpp"

namespace virga {

namespace {

GangRequest request_of(const Job& job, const Pool& pool, Time now) {
  GangRequest request{.nodes = job.spec->nodes,
                      .per_node = demand_per_node(job.spec, pool),
                      .exclusive = job.spec->exclusive,
                      .one_cell = job.spec->nodes > 1 && job.spec->needs_fabric,
                      .leaves_max = now < switches_until(job) ? job.spec->switches : 0};
  if (job.placement_key != 0) request.wish = node_wish_of(job.spec, pool);
  // A node that is bought is paid for until the last of its jobs ends; reserved ones are paid for anyhow.
  if (pool.purchase != Purchase::reserved) request.ends = now + expected_time(job.spec);
  return request;
}

/// With what its all-reduce has to move, which only choosing among placements needs.
GangRequest compared_request_of(const Job& job, const Pool& pool, Time now) {
  GangRequest request = request_of(job, pool, now);
  request.reduce_bytes = reference_bytes(job.spec);
  return request;
}

/// The pool's last nodes are for jobs that lost one of theirs.
std::uint32_t kept_from(const Job& job, const Pool& pool) { return job.lost_node ? 0 : pool.spare_nodes; }

std::uint32_t less(std::uint32_t count, std::uint32_t kept) { return count > kept ? count - kept : 0; }

/// What a node costs the owner of the supercomputer if it runs: reserved ones are paid for anyhow.
Money running_price(const Pool& pool) { return pool.purchase == Purchase::reserved ? Money{} : pool.node_price(); }

/// A cloud that had no room seconds ago will hardly have it now, and each try of a large gang boots VMs for nothing. A
/// request that is smaller than what was refused may well succeed.
Duration doubt_of(const State& state, const Pool& pool, std::uint32_t missing) {
  constexpr Duration k_shortage = Duration::minutes(10);  // shortages of clouds last for minutes to hours
  const auto refused = state.backoffs.find(pool.name);
  const bool says_something = refused != state.backoffs.end() && refused->second.refusal != Refusal::throttled;
  return says_something && missing >= refused->second.nodes ? k_shortage : Duration{};
}

Offer waiting_offer(const State& state, const Job& job, Time now, std::uint32_t present, Offer offer) {
  const Pool& pool = state.config.pools[offer.pool];
  const PoolIndex& index = state.index.pools[offer.pool];
  const Growth growth = growth_of(state, pool, job.spec->nodes, now);
  offer.way = Way::wait;
  const std::uint32_t open = present + growth.nodes;
  const GangRequest request = request_of(job, pool, now);
  Shadow shadow = request.wish.is_empty() ? index.shadow(open, job.spec->nodes, now)
                                          : index.wished_shadow(request, growth.nodes > 0, now);
  offer.reason = Reason::resources;
  offer.detail =
      fmt::format("{} of {} nodes are free in pool {} (limit {})", present, job.spec->nodes, pool.name, pool.max_nodes);
  const std::uint32_t possible = index.size() - index.drained();
  if (job.spec->nodes > possible) {
    offer.reason = Reason::drained_nodes;
    offer.detail = fmt::format("{} of pool {}'s {} nodes are drained; {} are needed", index.drained(), pool.name,
                               pool.max_nodes, job.spec->nodes);
    shadow = {};
  } else if (growth.reason != Reason::none && present + index.absent() >= job.spec->nodes) {
    offer.reason = growth.reason;
    offer.detail = growth.detail;
    const Time after_pause = growth.until + boot_time_of(state, pool);
    if (after_pause < shadow.at) {
      shadow = {after_pause, 0};
      offer.doubt = doubt_of(state, pool, job.spec->nodes);
    }
  }
  offer.start = shadow.at;
  offer.extra = shadow.extra_units;
  return offer;
}

/// For a job that names single nodes: what counts is whether these can be chosen.
Offer wished_offer(const State& state, const Job& job, Time now, const GangRequest& request, Offer offer) {
  const Pool& pool = state.config.pools[offer.pool];
  const PoolIndex& index = state.index.pools[offer.pool];
  const std::uint32_t kept = kept_from(job, pool);
  const std::uint32_t present = less(index.fitting(request), kept);
  std::vector<std::uint32_t> slots;
  if (less(index.fitting_or_absent(request), kept) < job.spec->nodes) {
    return waiting_offer(state, job, now, present, offer);
  }
  if (index.choose(request, true, false, slots)) {
    offer.way = Way::ready;
    offer.start = now;
    return offer;
  }
  offer.start = now + boot_time_of(state, pool);
  if (index.choose(request, false, false, slots)) {
    offer.way = Way::coming;
    return offer;
  }
  if (index.choose(request, false, true, slots)) {
    offer.missing = static_cast<std::uint32_t>(
        std::count_if(slots.begin(), slots.end(), [&](std::uint32_t slot) { return index.is_absent(slot); }));
    if (growth_of(state, pool, offer.missing, now).nodes >= offer.missing) {
      offer.way = Way::buy;
      offer.doubt = doubt_of(state, pool, offer.missing);
      return offer;
    }
  }
  return waiting_offer(state, job, now, present, offer);
}

}  // namespace

Duration boot_time_of(const State& state, const Pool& pool) {
  auto history = state.history.find(pool.name);
  return history != state.history.end() && history->second.boots > 0 ? history->second.boot_time : pool.boot_time;
}

Growth growth_of(const State& state, const Pool& pool, std::uint32_t nodes) {
  return growth_of(state, pool, nodes, state.now);
}

Growth growth_of(const State& state, const Pool& pool, std::uint32_t nodes, Time now) {
  if (state.shutting_down) return {0, Reason::shutting_down, "the supercomputer is being taken down", Time::never()};
  const PoolIndex& index = state.index.pools[state.number_of_pool(pool.name)];
  auto pause = state.backoffs.find(pool.name);
  if (pause != state.backoffs.end() && pause->second.until > now && nodes >= pause->second.nodes) {
    return {0, reason_of(pause->second.refusal), fmt::format("pool {}: {}", pool.name, pause->second.message),
            pause->second.until};
  }
  return {index.absent(), Reason::none, "", now};
}

std::uint32_t free_for(const State& state, const Job& job, std::uint32_t number, Time now) {
  const Pool& pool = state.config.pools[number];
  return less(state.index.pools[number].fitting(request_of(job, pool, now)), kept_from(job, pool));
}

Offer offer_of(const State& state, const Job& job, std::uint32_t number) {
  return offer_of(state, job, number, state.now);
}

Offer offer_of(const State& state, const Job& job, std::uint32_t number, Time now) {
  const Pool& pool = state.config.pools[number];
  const PoolIndex& index = state.index.pools[number];
  const GangRequest request = request_of(job, pool, now);
  Offer offer;
  offer.pool = number;
  if (!can_hold(state, pool, job.spec)) return offer;
  const Duration expected = expected_time(job.spec);
  offer.price = {price_for(running_price(pool), expected).micro_usd * job.spec->nodes};
  const std::uint32_t kept = kept_from(job, pool);
  if (!request.wish.is_empty()) return wished_offer(state, job, now, request, std::move(offer));
  if (less(index.fitting_ready(request), kept) >= job.spec->nodes) {
    offer.way = Way::ready;
    offer.start = now;
    return offer;
  }
  const std::uint32_t present = less(index.fitting(request), kept);
  if (present >= job.spec->nodes) {
    offer.way = Way::coming;
    offer.start = now + boot_time_of(state, pool);
    return offer;
  }
  const std::uint32_t missing = job.spec->nodes - present;
  if (less(index.fitting_or_absent(request), kept) >= job.spec->nodes &&
      growth_of(state, pool, missing, now).nodes >= missing) {
    offer.way = Way::buy;
    offer.missing = missing;
    offer.start = now + boot_time_of(state, pool);
    offer.doubt = doubt_of(state, pool, missing);
    return offer;
  }
  return waiting_offer(state, job, now, present, offer);
}

Preference preference_of(const State& state, const Job& job) {
  const Tenant* tenant = state.config.find_tenant(job.spec->account);
  Preference preference;
  if (tenant != nullptr) preference = {tenant->buy, tenant->delay_price};
  if (preference.delay_price > Money{}) return preference;
  for (const std::string& name : state.find_partition(job.spec->partition)->pools) {
    preference.delay_price = std::max(preference.delay_price, state.find_pool(name)->node_price());
  }
  return preference;
}

bool is_wanted_from(const Preference& preference, const Pool& pool) {
  return preference.buy != BuyPolicy::reserved_only || pool.purchase == Purchase::reserved;
}

bool is_better(const Offer& a, const Offer& b, const Job& job, const Preference& preference, Time now) {
  if ((a.way == Way::never) != (b.way == Way::never)) return b.way == Way::never;
  const Time start_a = a.start + a.doubt;
  const Time start_b = b.start + b.doubt;
  if (start_a.is_never() || start_b.is_never() || preference.buy == BuyPolicy::soonest) {
    return start_a != start_b ? start_a < start_b : a.price < b.price;
  }
  const auto in_all = [&](const Offer& offer, Time start) {
    return offer.price.micro_usd + price_for(preference.delay_price, start - now).micro_usd * job.spec->nodes;
  };
  const std::int64_t cost_a = in_all(a, start_a);
  const std::int64_t cost_b = in_all(b, start_b);
  return cost_a != cost_b ? cost_a < cost_b : start_a < start_b;
}

bool choose_nodes(State& state, const Job& job, const Offer& offer, Choice& choice) {
  const Pool& pool = state.config.pools[offer.pool];
  PoolIndex& index = state.index.pools[offer.pool];
  const GangRequest request = compared_request_of(job, pool, state.now);
  choice = {.pool = offer.pool, .slots = {}, .passed_over = {}};
  return index.choose(request, offer.way == Way::ready, offer.way == Way::buy, choice.slots, &choice.passed_over);
}

std::optional<Duration> collective_time_of(State& state, const Job& job, const Offer& offer) {
  if (offer.way == Way::wait || offer.way == Way::never) return std::nullopt;
  if (job.spec->nodes < 2 || !job.spec->needs_fabric) return std::nullopt;
  Choice choice;
  if (!choose_nodes(state, job, offer, choice)) return std::nullopt;
  const Pool& pool = state.config.pools[offer.pool];
  return state.index.pools[offer.pool].collective_time(compared_request_of(job, pool, state.now), choice.slots);
}

bool are_comparable(const State& state, std::uint32_t pool_a, std::uint32_t pool_b) {
  const std::vector<PoolIndex>& pools = state.index.pools;
  if (pools[pool_a].collectives().knows_sku() && pools[pool_b].collectives().knows_sku()) return true;
  return state.config.pools[pool_a].sku.name == state.config.pools[pool_b].sku.name;
}

}  // namespace virga
