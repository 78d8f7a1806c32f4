#include "brain/sched/forecast.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "brain/policy/ranking.hpp"
#include "brain/sched/queue.hpp"

namespace virga {

namespace {

std::string words_of(const Offer& offer) {
  switch (offer.way) {
    case Way::ready:
      return "its nodes are free";
    case Way::coming:
      return "its nodes are free; some still boot";
    case Way::buy:
      return fmt::format("{} VMs can be asked for", offer.missing);
    case Way::wait:
      return offer.detail;
    case Way::never:
      break;
  }
  return "cannot hold it";
}

}  // namespace

Time start_behind_others(const State& state, const Job& job, const Offer& offer, Time now) {
  const PoolIndex& index = state.index.pools[offer.pool];
  const std::int64_t capacity = std::max<std::int64_t>(index.size() - index.drained(), 1);
  const std::int64_t ahead = state.index.queue.ahead_of(job, rank_shift_now(state)).units;
  const std::int64_t rounds = (ahead + job.spec->nodes - 1) / capacity;
  const std::int64_t rest = (ahead + job.spec->nodes - 1) % capacity + 1;
  const auto need = static_cast<std::uint32_t>(rounds > 0 ? capacity : rest);
  const Time free = index.shadow(index.free_now(), need, now).at;
  if (free.is_never()) return free;
  return std::max(offer.start, free) + expected_time(job.spec) * rounds;
}

Forecast forecast_of(const State& state, const Job& job) {
  Forecast forecast;
  const Partition* partition = state.find_partition(job.spec->partition);
  if (job.state != JobState::pending || partition == nullptr) return forecast;
  if (!job.promised.empty()) {
    forecast.confidence = Confidence::promise;
    const Vm& first = state.vms.at(job.promised.front().vm);
    const Pool& pool = state.pool_of(first);
    forecast.start = std::max(state.now, first.requested + boot_time_of(state, pool));
    return forecast;
  }
  const bool waits = job.indexed_as == IndexedAs::queued || job.indexed_as == IndexedAs::asleep;
  const bool is_first = job.reason != Reason::priority;
  for (const std::string& name : partition->pools) {
    Offer offer = offer_of(state, job, state.number_of_pool(name));
    if (offer.way == Way::never) continue;
    if (waits && !is_first) offer.start = start_behind_others(state, job, offer, state.now);
    offer.start = std::max(offer.start, job.eligible);
    forecast.options.push_back({name, offer.start, offer.price, words_of(offer)});
    if (waits && offer.start < forecast.start) forecast.start = offer.start;
  }
  if (!forecast.start.is_never()) forecast.confidence = is_first ? Confidence::promise : Confidence::estimate;
  return forecast;
}

}  // namespace virga
