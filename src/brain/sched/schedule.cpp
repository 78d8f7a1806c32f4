#include "brain/sched/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "base/assert.hpp"
#include "brain/fleet/fleet.hpp"
#include "brain/place/features.hpp"
#include "brain/policy/ranking.hpp"
#include "brain/policy/start_rules.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/lifecycle.hpp"
#include "brain/sched/preempt.hpp"
#include "brain/sched/promises.hpp"
#include "brain/sched/queue.hpp"
#include "brain/sched/supply.hpp"
#include "brain/training/training_note.hpp"

namespace virga {

namespace {

/// A lane's candidates that turn out not to fit after all cost time: so many in one pass are enough.
constexpr std::uint32_t k_misses_per_lane = 32;
/// The same for those that could have nodes and would rather wait for cheaper ones.
constexpr std::uint32_t k_patient_per_lane = 256;
/// With conservative backfilling: so many waiting jobs have a promise, and none behind them is looked at.
constexpr std::uint32_t k_promises = 512;
constexpr std::int64_t k_ns_per_ms = 1'000'000;

void tell(State& state, Job& job, Reason reason, std::string detail) {
  if (job.reason == reason && job.detail == detail) return;
  job.reason = reason;
  job.detail = std::move(detail);
  index_job(state, job);
}

/// A pool that the first job which must wait for it has to itself from `at` on, but for `extra` nodes.
struct Hold {
  JobId job;
  Time at = Time::never();
  std::int64_t extra = 0;
  std::int64_t waiting_work = 0;  ///< node-ms, by parts, of the holder and of those who wait behind it by choice
  NodeWish wish = {};             ///< of the holder: which nodes are kept for it, and which are of no use to it

  bool is_set() const { return job.value != 0; }
};

class Pass {
 public:
  explicit Pass(Effects& fx)
      : fx_(fx),
        state_(fx.state),
        mode_(fx.state.config.scheduler.backfill),
        shift_(rank_shift_now(fx.state)),
        holds_(fx.state.config.pools.size()),
        kept_(fx.state.config.pools.size()) {
    if (mode_ == BackfillMode::conservative) promises_.emplace(state_);
  }

  bool run();

 private:
  struct Lane {
    LaneKey key;
    const std::vector<std::uint32_t>* pools = nullptr;  ///< in the partition's order
    WaitingEntry next;                                  ///< the candidate at which the walk has come to a stop
    std::uint32_t misses = 0;
    std::uint32_t patient = 0;
  };

  struct Candidate {
    OrderKey key;
    std::uint32_t lane = 0;
  };
  static bool is_later(const Candidate& a, const Candidate& b) { return b.key < a.key; }

  void open_lanes();
  Gap gap_of(const Lane& lane) const;
  void walk_on(std::uint32_t lane, const WaitingEntry* next);
  void step();
  void try_job(Lane& lane, Job& job);
  void prefer_faster(const Job& job, Offer offer, Offer& best);
  Offer best_offer(const Lane& lane, const Job& job);
  /// Of pools with the preferred features only.
  Offer best_offer(const Lane& lane, const Job& job, const std::string& preferred);
  Time turn_after_others(const Offer& offer) const;
  bool respects_hold(const Job& job, const Offer& offer, const Choice& choice);
  void keep_required(const Job& job, const Offer& offer);
  bool takes_kept(const Job& job, const Offer& offer, const Choice& choice) const;
  void take(Job& job, const Choice& choice);
  void wait_for(Lane& lane, Job& job, Offer offer);
  void hold(Job& job, const Offer& offer);

  Effects& fx_;
  State& state_;
  BackfillMode mode_;
  std::int64_t shift_;
  std::vector<Hold> holds_;           ///< by pool; with conservative backfilling nobody holds a whole pool
  std::optional<Promises> promises_;  ///< with conservative backfilling
  std::uint32_t promised_ = 0;
  bool anybody_started_ = false;
  std::vector<Lane> lanes_;
  std::vector<Candidate> next_;  ///< a heap: of each lane the next job to look at, the first of all in front
  std::vector<JobId> told_;      ///< got a reason of their own
  Duration shortened_;           ///< set: with this limit the job that is tried ends before a hold begins (--time-min)
  /// Slots that waiting jobs name, by pool, and from when on they are kept for them.
  std::vector<std::map<std::uint32_t, Time>> kept_;
};

void Pass::open_lanes() {
  for (const auto& [key, jobs] : state_.index.queue.lanes()) {
    Lane lane{.key = key, .pools = &state_.index.partition_pools[key.partition], .next = {}};
    // The first of those that not even all nodes could serve now is told so; the walk itself passes over them.
    const WaitingEntry* head = jobs.first();
    const Gap gap = gap_of(lane);
    if (head->units > gap.free_units) {
      Job& job = state_.jobs.at(head->job);
      Offer best = best_offer(lane, job);
      tell(state_, job, best.reason, std::move(best.detail));
      told_.push_back(job.id);
    }
    const WaitingEntry* first = jobs.first_fit(gap);
    lanes_.push_back(lane);
    walk_on(static_cast<std::uint32_t>(lanes_.size() - 1), first);
  }
}

/// What a job of the lane must be like to be worth a look: it fits somewhere now, beside that pool's hold; or it would
/// be the first one to wait for a pool.
Gap Pass::gap_of(const Lane& lane) const {
  Gap gap{.free_units = 0, .ends_within = {}, .extra_units = 0};
  for (std::uint32_t number : *lane.pools) {
    const Pool& pool = state_.config.pools[number];
    const PoolIndex& index = state_.index.pools[number];
    const Hold& hold = holds_[number];
    if (!hold.is_set()) {
      const std::int64_t possible = index.size() - index.drained();
      gap.free_units = std::max(gap.free_units, possible);
      gap.ends_within = Duration::infinite();
      continue;
    }
    if (mode_ == BackfillMode::none) continue;
    GangRequest one{
        .nodes = 1, .per_node = {lane.key.cpus, lane.key.gpus, lane.key.memory_bytes}, .exclusive = lane.key.exclusive};
    if (one.exclusive) one.per_node = pool.sku.resources;
    const std::int64_t room = std::int64_t{index.fitting(one)} + growth_of(state_, pool, 1).nodes;
    gap.free_units = std::max(gap.free_units, room);
    gap.ends_within = std::max(gap.ends_within, hold.at.is_never() ? Duration::infinite() : hold.at - state_.now);
    // A shared node that stays in use anyhow takes nothing from the hold: only the look at the nodes can tell.
    const bool may_share = !(one.per_node == pool.sku.resources);
    gap.extra_units = std::max(gap.extra_units, may_share ? room : hold.extra);
  }
  return gap;
}

void Pass::walk_on(std::uint32_t lane, const WaitingEntry* next) {
  if (next == nullptr) return;
  lanes_[lane].next = *next;
  OrderKey key = next->key;
  if (lanes_[lane].key.full_age) key.rank += shift_;
  next_.push_back({key, lane});
  std::push_heap(next_.begin(), next_.end(), is_later);
}

/// Who comes to a pool that others wait for is served after them, as if they ran one after the other on all of it.
Time Pass::turn_after_others(const Offer& offer) const {
  const Hold& hold = holds_[offer.pool];
  const PoolIndex& index = state_.index.pools[offer.pool];
  const Time at = std::max(hold.at, offer.start);
  if (at.is_never()) return at;
  const std::int64_t nodes = std::max<std::int64_t>(std::int64_t{index.size()} - index.drained(), 1);
  return at + Duration{hold.waiting_work / nodes * k_ns_per_ms};
}

/// Of two offers that cost as much and start as early, the one on whose nodes the gang's collectives take less time; of
/// equals the earlier one, which is `best`.
void Pass::prefer_faster(const Job& job, Offer offer, Offer& best) {
  if (!are_comparable(state_, best.pool, offer.pool)) return;
  const std::optional<Duration> there = collective_time_of(state_, job, offer);
  const std::optional<Duration> here = there ? collective_time_of(state_, job, best) : std::nullopt;
  if (!here || *here == *there) return;
  const bool is_faster = *there < *here;
  const std::uint32_t slower = is_faster ? best.pool : offer.pool;
  if (is_faster) best = std::move(offer);
  const CollectiveWish note{.bytes = reference_bytes(job.spec), .passed_over = &best.passed_over};
  note.note(std::min(*here, *there), std::max(*here, *there), "pool " + state_.config.pools[slower].name);
}

Offer Pass::best_offer(const Lane& lane, const Job& job) {
  const std::string& preferred = job.spec->placement.prefer;
  if (!preferred.empty()) {
    Offer best = best_offer(lane, job, preferred);
    if (best.way != Way::never && best.way != Way::wait) return best;
  }
  return best_offer(lane, job, "");
}

Offer Pass::best_offer(const Lane& lane, const Job& job, const std::string& preferred) {
  const Preference preference = preference_of(state_, job);
  const bool is_gang = job.spec->nodes > 1 && job.spec->needs_fabric;
  Offer best;
  for (std::uint32_t number : *lane.pools) {
    const Pool& pool = state_.config.pools[number];
    if (!is_wanted_from(preference, pool) || !features_hold(preferred, pool.features, job.spec->nodes)) continue;
    Offer offer = offer_of(state_, job, number);
    if (offer.way == Way::never || !is_affordable(state_, job, pool)) continue;
    if (mode_ == BackfillMode::conservative) {
      const Time start = promises_->earliest(number, job.spec->nodes, expected_time(job.spec));
      if (start > state_.now) {
        if (offer.way != Way::wait) {
          offer.reason = Reason::resources;
          offer.detail = fmt::format("the free nodes of pool {} are promised to earlier jobs", pool.name);
        }
        offer.way = Way::wait;
        offer.start = std::max(offer.start, start);
      }
    } else if (offer.way == Way::wait && holds_[number].is_set()) {
      offer.start = turn_after_others(offer);
    }
    if (is_better(offer, best, job, preference, state_.now)) {
      best = std::move(offer);
    } else if (is_gang && !is_better(best, offer, job, preference, state_.now)) {
      prefer_faster(job, std::move(offer), best);
    }
    if (best.way == Way::ready && best.price == Money{} && !is_gang) break;
  }
  return best;
}

/// The nodes that a waiting job names are kept for it, whatever else is free.
void Pass::keep_required(const Job& job, const Offer& offer) {
  for (std::uint32_t slot : node_wish_of(job.spec, state_.config.pools[offer.pool]).required) {
    kept_[offer.pool].emplace(slot, offer.start);  // who comes first has it first
  }
}

bool Pass::takes_kept(const Job& job, const Offer& offer, const Choice& choice) const {
  const std::map<std::uint32_t, Time>& kept = kept_[offer.pool];
  if (kept.empty()) return false;
  const Time end = offer.start + expected_time(job.spec);
  return std::any_of(choice.slots.begin(), choice.slots.end(), [&](std::uint32_t slot) {
    const auto at = kept.find(slot);
    return at != kept.end() && at->second < end;
  });
}

/// Later jobs must leave a pool's holder what it waits for.
bool Pass::respects_hold(const Job& job, const Offer& offer, const Choice& choice) {
  if (takes_kept(job, offer, choice)) return false;
  Hold& hold = holds_[offer.pool];
  if (!hold.is_set()) return true;
  if (mode_ == BackfillMode::none) return false;
  if (offer.start + expected_time(job.spec) <= hold.at) return true;
  if (job.spec->time_min > Duration{} && offer.start + shortest_time(job.spec) <= hold.at) {
    shortened_ = hold.at - offer.start;
    return true;
  }
  const PoolIndex& index = state_.index.pools[offer.pool];
  const auto wanted = std::count_if(choice.slots.begin(), choice.slots.end(), [&](std::uint32_t slot) {
    return index.is_free_by(slot, hold.at) && !hold.wish.excludes(slot);
  });
  if (wanted > hold.extra) return false;
  hold.extra -= wanted;
  return true;
}

/// Binds the job, or asks for what is missing and promises the rest.
void Pass::take(Job& job, const Choice& choice) {
  const Pool& pool = state_.config.pools[choice.pool];
  const PoolIndex& index = state_.index.pools[choice.pool];
  std::vector<std::uint32_t> absent;
  for (std::uint32_t slot : choice.slots) {
    if (!index.vm_at(slot)) absent.push_back(slot + 1);
  }
  if (shortened_ > Duration{}) job.spec.edit().time_limit = std::exchange(shortened_, {});
  std::vector<Vm*> vms;
  vms.reserve(choice.slots.size());
  std::vector<Vm*> made;
  if (!absent.empty()) made = reserve_gang(fx_, pool, absent, job.id);
  auto next = made.begin();
  for (std::uint32_t slot : choice.slots) {
    vms.push_back(index.vm_at(slot) ? &state_.vms.at(index.vm_at(slot)) : *next++);
  }
  if (!absent.empty()) {
    job.reason = Reason::reserving;
    job.detail = fmt::format("{} VMs of pool {} are being asked for", absent.size(), pool.name);
  }
  if (promised_ > 0) {
    promises_->keep(choice.pool, {state_.now, state_.now + expected_time(job.spec)}, job.spec->nodes);
  }
  job.passed_over = choice.passed_over;
  assign_nodes(fx_, job, vms);
  anybody_started_ = true;
}

/// Nobody who comes later may delay it there. A job of a QOS that may preempt makes room first.
void Pass::hold(Job& job, const Offer& offer) {
  Hold& hold = holds_[offer.pool];
  hold = {job.id, offer.start, offer.extra, 0, node_wish_of(job.spec, state_.config.pools[offer.pool])};
  keep_required(job, offer);
  if (offer.reason == Reason::resources) {
    if (const std::optional<Time> room = make_room(fx_, job, offer.pool)) {
      hold.at = std::min(hold.at, *room);
      hold.extra = 0;
    }
  }
}

void Pass::wait_for(Lane& lane, Job& job, Offer offer) {
  if (mode_ == BackfillMode::conservative) {
    if (!offer.start.is_never()) {
      promises_->keep(offer.pool, {offer.start, offer.start + expected_time(job.spec)}, job.spec->nodes);
    }
    ++promised_;
    keep_required(job, offer);
    tell(state_, job, offer.reason, std::move(offer.detail));
    told_.push_back(job.id);
    return;
  }
  Hold& held = holds_[offer.pool];
  const auto time_ms = static_cast<std::uint64_t>(expected_time(job.spec).ns / k_ns_per_ms);
  const std::uint64_t on_each = part_of_node(time_ms, job.spec, state_.config.pools[offer.pool]);
  const auto work = static_cast<std::int64_t>(on_each * job.spec->nodes);
  if (held.is_set()) {
    held.waiting_work += work;
    ++lane.patient;
    return;
  }
  hold(job, offer);
  held.waiting_work = work;
  tell(state_, job, offer.reason, std::move(offer.detail));
  told_.push_back(job.id);
}

void Pass::try_job(Lane& lane, Job& job) {
  if (std::optional<LimitHit> block = start_block(state_, job)) {
    set_aside(state_, job, *std::move(block));
    return;
  }
  Offer best = best_offer(lane, job);
  if (best.way == Way::never) {
    ++lane.misses;
    return;
  }
  if (best.way != Way::wait) {
    Choice choice;
    if (choose_nodes(state_, job, best, choice) && respects_hold(job, best, choice)) {
      // The nearest choice says more: other nodes of the pool, else another pool.
      if (choice.passed_over.what.empty()) choice.passed_over = std::move(best.passed_over);
      return take(job, choice);
    }
    ++lane.misses;
    if (holds_[best.pool].is_set()) return;
    const PoolIndex& index = state_.index.pools[best.pool];
    best.reason = Reason::resources;
    best.detail = fmt::format("pool {} has {} free nodes, but not where the fabric joins them",
                              state_.config.pools[best.pool].name, job.spec->nodes);
    // Nobody knows when the right ones come free; those of the next jobs that end may be.
    best.start = index.shadow(0, job.spec->nodes, state_.now).at;
    if (const Time picky_until = switches_until(job); picky_until > state_.now) {
      best.start = std::min(best.start, picky_until);
    }
    best.extra = 0;
  }
  wait_for(lane, job, std::move(best));
}

/// The first candidate of all lanes gets its chance, and its lane the next one. What is free only shrinks during a
/// pass, so a candidate that was found earlier may have become one that does not fit, but none before it has come to
/// fit.
void Pass::step() {
  std::pop_heap(next_.begin(), next_.end(), is_later);
  const std::uint32_t number = next_.back().lane;
  next_.pop_back();
  Lane& lane = lanes_[number];
  const WaitingEntry entry = lane.next;
  if (gap_of(lane).holds(entry)) try_job(lane, state_.jobs.at(entry.job));
  auto jobs = state_.index.queue.lanes().find(lane.key);
  if (jobs == state_.index.queue.lanes().end() || promised_ >= k_promises) return;
  if (lane.misses >= k_misses_per_lane || lane.patient >= k_patient_per_lane) return;
  walk_on(number, jobs->second.next_fit(entry.key, gap_of(lane)));
}

bool Pass::run() {
  const std::vector<JobId> old_front(state_.index.front.begin(), state_.index.front.end());
  open_lanes();
  while (!next_.empty()) step();
  std::sort(told_.begin(), told_.end());
  for (JobId id : old_front) {
    // Who was told something before, and is no longer, waits for those before it.
    if (std::binary_search(told_.begin(), told_.end(), id)) continue;
    auto job = state_.jobs.find(id);
    if (job != state_.jobs.end() && job->second.indexed_as == IndexedAs::queued) {
      tell(state_, job->second, Reason::priority, "");
    }
  }
  return anybody_started_;
}

/// Jobs whose time has come, in the queue or on the way to it.
void look_at_the_clock(State& state) {
  Indices& index = state.index;
  for (JobId id : index.asleep.due(state.now)) {
    Job& job = state.jobs.at(id);
    unindex_job(state, job);
    job.reason = Reason::priority;
    job.detail.clear();
    index_job(state, job);
  }
  for (JobId id : index.growing.due(state.now)) {
    Job& job = state.jobs.at(id);
    unindex_job(state, job);
    index_job(state, job);
  }
  while (index.picky.first() <= state.now) index.picky.erase(index.picky.first(), index.picky.first_id());
}

}  // namespace

bool schedule(Effects& fx) {
  look_at_the_clock(fx.state);
  if (fx.state.shutting_down || fx.state.index.queue.lanes().empty()) return false;
  return Pass(fx).run();
}

}  // namespace virga
