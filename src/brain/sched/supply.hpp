// How one pool could serve a job: with nodes that are there, with nodes that it asks the cloud for, or later.
//
//   Offer offer = offer_of(state, job, pool_number);
//   if (offer.way == Way::buy) …ask for offer.missing VMs…
//
// An offer is a forecast: `start` follows from the limits of what runs and from the pool's boot time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "brain/state.hpp"

namespace virga {

enum class Way : std::uint8_t {
  ready,   ///< enough nodes are ready and free
  coming,  ///< enough nodes are free, some of which still boot or are being granted
  buy,     ///< what is missing can be asked for
  wait,    ///< running jobs must end first, or a pause after a refusal must pass
  never,   ///< the pool cannot hold the job
};

struct Offer {
  Way way = Way::never;
  std::uint32_t pool = 0;        ///< its place in Config::pools
  Time start = Time::never();    ///< when the whole gang could be there
  Duration doubt;                ///< that much later it likely is, as the pool's cloud refused such gangs lately
  Money price;                   ///< what running its nodes for the expected time adds to the bill
  std::uint32_t missing = 0;     ///< with `buy`: VMs to ask for
  std::int64_t extra = 0;        ///< with `wait`: nodes free at `start` beyond its need
  Reason reason = Reason::none;  ///< with `wait`
  std::string detail;
  PassedOver passed_over;  ///< a pool that costs as much and starts as early, where the gang's collectives are slower
};

Offer offer_of(const State& state, const Job& job, std::uint32_t pool);
/// The same at `now`, later than the last event: what would be decided if an event came then.
Offer offer_of(const State& state, const Job& job, std::uint32_t pool, Time now);

/// Nodes of the pool that the job could have without asking the cloud, those that still boot among them.
std::uint32_t free_for(const State& state, const Job& job, std::uint32_t pool, Time now);

/// What the job's tenant wants of an offer.
struct Preference {
  BuyPolicy buy = BuyPolicy::cheapest;
  Money delay_price;  ///< what an hour of waiting costs it, for each node
};
/// A tenant that does not say what its time is worth values an hour of a node as much as the dearest of the partition's
/// pools asks for it: then no job waits for longer than what it saves would have run.
Preference preference_of(const State& state, const Job& job);
/// Whether the tenant would have nodes of this pool at all.
bool is_wanted_from(const Preference& preference, const Pool& pool);
/// `cheapest`: price and delay together are less; `soonest`: it starts earlier. Of equals the cheaper, then the sooner.
bool is_better(const Offer& a, const Offer& b, const Job& job, const Preference& preference, Time now);

/// The predicted all-reduce of the gang on the nodes that it would get by this offer (place/collective_time.hpp).
/// Nothing if it would get none now, if its nodes need no fabric, or if there is only one.
std::optional<Duration> collective_time_of(State& state, const Job& job, const Offer& offer);
/// Whether times of the two pools can be compared: the twin knows their SKUs, or they have the same one.
bool are_comparable(const State& state, std::uint32_t pool_a, std::uint32_t pool_b);

/// How many more VMs may be asked for now by a request of `nodes`. Where none may: why, and when that ends.
struct Growth {
  std::uint32_t nodes = 0;
  Reason reason = Reason::none;
  std::string detail;
  Time until;
};
Growth growth_of(const State& state, const Pool& pool, std::uint32_t nodes);
Growth growth_of(const State& state, const Pool& pool, std::uint32_t nodes, Time now);

/// The nodes of an offer that is not `wait` or `never`, in rank order. Those without a VM are to be asked for.
struct Choice {
  std::uint32_t pool = 0;
  std::vector<std::uint32_t> slots;
  PassedOver passed_over;  ///< other nodes of the pool, where the gang's collectives would be slower
};
/// False if the fabric has room only in the wrong places: not within one scale set, or over too many leaves.
bool choose_nodes(State& state, const Job& job, const Offer& offer, Choice& choice);

/// From the request to a ready node, as this pool's boots went so far.
Duration boot_time_of(const State& state, const Pool& pool);

}  // namespace virga
