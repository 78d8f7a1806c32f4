#include "brain/sched/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/assert.hpp"
#include "brain/fleet/fleet.hpp"
#include "brain/sched/lifecycle.hpp"
#include "brain/sched/queue.hpp"
#include "brain/sched/supply.hpp"

namespace virga {

namespace {

/// A lane's candidates that turn out not to fit after all cost time: so many in one pass are enough.
constexpr std::uint32_t k_misses_per_lane = 32;

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

  bool is_set() const { return job.value != 0; }
};

class Pass {
 public:
  explicit Pass(Effects& fx) : fx_(fx), state_(fx.state), holds_(fx.state.config.pools.size()) {}

  void run();

 private:
  struct Lane {
    LaneKey key;
    std::vector<std::uint32_t> pools;  ///< in the partition's order
    WaitingEntry next;                 ///< the candidate at which the walk has come to a stop
    std::uint32_t misses = 0;
  };

  void open_lanes();
  Gap gap_of(const Lane& lane) const;
  void walk_on(std::uint32_t lane, const WaitingEntry* next);
  void step();
  bool try_job(Lane& lane, Job& job);
  Offer best_offer(const Lane& lane, const Job& job) const;
  bool respects_hold(const Job& job, const Offer& offer, const Choice& choice);
  void take(Job& job, const Choice& choice);

  Effects& fx_;
  State& state_;
  std::vector<Hold> holds_;  ///< by pool
  std::vector<Lane> lanes_;
  std::set<std::pair<OrderKey, std::uint32_t>> next_;  ///< candidates and their lanes
  std::vector<JobId> told_;                            ///< got a reason of their own
};

void Pass::open_lanes() {
  for (const auto& [key, jobs] : state_.index.queue.lanes()) {
    const Partition* partition = state_.find_partition(key.partition);
    VIRGA_ASSERT(partition != nullptr, "jobs of partitions that are gone do not wait in the queue");
    Lane lane{.key = key, .pools = {}, .next = {}};
    for (const std::string& name : partition->pools) lane.pools.push_back(state_.number_of_pool(name));
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
    lanes_.push_back(std::move(lane));
    walk_on(static_cast<std::uint32_t>(lanes_.size() - 1), first);
  }
}

/// What a job of the lane must be like to be worth a look: it fits somewhere now, beside that pool's hold; or it would
/// be the first one to wait for a pool.
Gap Pass::gap_of(const Lane& lane) const {
  Gap gap{.free_units = 0, .ends_within = {}, .extra_units = 0};
  for (std::uint32_t number : lane.pools) {
    const Pool& pool = state_.config.pools[number];
    const PoolIndex& index = state_.index.pools[number];
    if (!holds_[number].is_set()) {
      const std::int64_t possible = index.size() - index.drained();
      gap.free_units = std::max(gap.free_units, possible);
      gap.ends_within = Duration::infinite();
      continue;
    }
    GangRequest one{
        .nodes = 1, .per_node = {lane.key.cpus, lane.key.gpus, lane.key.memory_bytes}, .exclusive = lane.key.exclusive};
    if (one.exclusive) one.per_node = pool.sku.resources;
    const std::int64_t room = std::int64_t{index.fitting(one)} + growth_of(state_, pool, 1).nodes;
    gap.free_units = std::max(gap.free_units, room);
    const Hold& hold = holds_[number];
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
  next_.emplace(next->key, lane);
}

Offer Pass::best_offer(const Lane& lane, const Job& job) const {
  Offer best;
  for (std::uint32_t number : lane.pools) {
    Offer offer = offer_of(state_, job, number);
    if (offer.way == Way::wait && holds_[number].is_set()) continue;  // others wait there already
    if (is_better(offer, best)) best = std::move(offer);
    if (best.way == Way::ready && best.price == Money{}) break;
  }
  return best;
}

/// Later jobs must leave a pool's holder what it waits for.
bool Pass::respects_hold(const Job& job, const Offer& offer, const Choice& choice) {
  Hold& hold = holds_[offer.pool];
  if (!hold.is_set() || offer.start + expected_time(job.spec) <= hold.at) return true;
  const PoolIndex& index = state_.index.pools[offer.pool];
  const auto wanted = std::count_if(choice.slots.begin(), choice.slots.end(),
                                    [&](std::uint32_t slot) { return index.is_free_by(slot, hold.at); });
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
  if (!absent.empty()) reserve_gang(fx_, pool, absent, job.id);
  std::vector<VmId> vms;
  vms.reserve(choice.slots.size());
  for (std::uint32_t slot : choice.slots) vms.push_back(index.vm_at(slot));
  if (!absent.empty()) {
    job.reason = Reason::reserving;
    job.detail = fmt::format("{} VMs of pool {} are being asked for", absent.size(), pool.name);
  }
  assign_nodes(fx_, job, vms);
}

/// True if the job has its nodes now.
bool Pass::try_job(Lane& lane, Job& job) {
  Offer best = best_offer(lane, job);
  if (best.way == Way::never) {
    if (job.reason == Reason::priority || job.reason == Reason::none) return false;
    told_.push_back(job.id);  // keeps the reason that it has: all its pools are held by others
    return false;
  }
  if (best.way != Way::wait) {
    Choice choice;
    if (choose_nodes(state_, job, best, choice) && respects_hold(job, best, choice)) {
      take(job, choice);
      return true;
    }
    if (holds_[best.pool].is_set()) return false;
    best.reason = Reason::resources;
    best.detail = fmt::format("pool {} has {} free nodes, but not where the fabric joins them",
                              state_.config.pools[best.pool].name, job.spec.nodes);
    best.extra = 0;
  }
  holds_[best.pool] = {job.id, best.start, best.extra};
  tell(state_, job, best.reason, std::move(best.detail));
  told_.push_back(job.id);
  return false;
}

/// The first candidate of all lanes gets its chance, and its lane the next one. What is free only shrinks during a
/// pass, so a candidate that was found earlier may have become one that does not fit, but none before it has come to
/// fit.
void Pass::step() {
  const std::uint32_t number = next_.begin()->second;
  next_.erase(next_.begin());
  Lane& lane = lanes_[number];
  const WaitingEntry entry = lane.next;
  if (gap_of(lane).holds(entry) && !try_job(lane, state_.jobs.at(entry.job))) ++lane.misses;
  auto jobs = state_.index.queue.lanes().find(lane.key);
  if (jobs == state_.index.queue.lanes().end() || lane.misses >= k_misses_per_lane) return;
  walk_on(number, jobs->second.next_fit(entry.key, gap_of(lane)));
}

void Pass::run() {
  const std::set<JobId> old_front = state_.index.front;
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
}

void wake_sleepers(State& state) {
  while (!state.index.asleep.empty() && state.index.asleep.begin()->first <= state.now) {
    Job& job = state.jobs.at(state.index.asleep.begin()->second);
    unindex_job(state, job);
    job.reason = Reason::priority;
    job.detail.clear();
    index_job(state, job);
  }
}

}  // namespace

Resources demand_per_node(const JobSpec& spec, const Pool& pool) {
  if (spec.exclusive) return pool.sku.resources;
  return spec.per_node;
}

std::optional<std::string> misfit_of(const Pool& pool, const JobSpec& spec) {
  const Resources& has = pool.sku.resources;
  if (spec.nodes > pool.max_nodes) {
    return fmt::format("{} nodes asked for, pool {} has at most {}", spec.nodes, pool.name, pool.max_nodes);
  }
  if (spec.nodes > 1 && spec.needs_fabric && pool.set_nodes_max > 0 && !pool.ib_spans_sets &&
      spec.nodes > pool.set_nodes_max) {
    return fmt::format(
        "{} nodes asked for, and a scale set of pool {}, within which InfiniBand reaches, has at most {}", spec.nodes,
        pool.name, pool.set_nodes_max);
  }
  if (spec.per_node.fits_in(has)) return std::nullopt;  // an exclusive job too: a whole node may be too little
  if (spec.per_node.gpus > has.gpus) {
    return fmt::format("{} GPUs per node asked for, {} has {}", spec.per_node.gpus, pool.sku.name, has.gpus);
  }
  if (spec.per_node.cpus > has.cpus) {
    return fmt::format("{} CPUs per node asked for, {} has {}", spec.per_node.cpus, pool.sku.name, has.cpus);
  }
  return fmt::format("{} MiB per node asked for, {} has {}", spec.per_node.memory_bytes >> 20, pool.sku.name,
                     has.memory_bytes >> 20);
}

std::optional<Error> never_fits(const State& state, const JobSpec& spec) {
  const Partition* partition = state.find_partition(spec.partition);
  if (partition == nullptr) return Error{Code::invalid, "invalid partition specified: " + spec.partition};
  std::string why;
  for (const std::string& name : partition->pools) {
    const Pool* pool = state.find_pool(name);
    if (pool == nullptr) continue;
    std::optional<std::string> misfit = misfit_of(*pool, spec);
    if (!misfit) return std::nullopt;
    why = *std::move(misfit);
  }
  return Error{Code::refused, "Requested node configuration is not available: " + why};
}

void schedule(Effects& fx) {
  wake_sleepers(fx.state);
  if (fx.state.shutting_down || fx.state.index.queue.lanes().empty()) return;
  Pass(fx).run();
}

void review_waiting_job(const State& state, Job& job) {
  const Partition* partition = state.find_partition(job.spec.partition);
  if (state.shutting_down) {
    job.reason = Reason::shutting_down;
    job.detail = "the supercomputer is being taken down";
  } else if (partition == nullptr || !partition->up) {
    job.reason = Reason::partition_down;
    job.detail = "partition " + job.spec.partition + " is down";
  } else if (std::optional<Error> never = never_fits(state, job.spec)) {
    job.reason = Reason::config_refuses;
    job.detail = never->message;
  } else if (job.reason == Reason::shutting_down || job.reason == Reason::partition_down ||
             job.reason == Reason::config_refuses) {
    job.reason = Reason::priority;
    job.detail.clear();
  }
}

void review_waiting_jobs(Effects& fx) {
  State& state = fx.state;
  for (auto& [id, job] : state.jobs) {
    if (job.state != JobState::pending || !job.promised.empty()) continue;
    // Held ones are looked at when they are released, and those behind a gate when it opens.
    if (job.reason == Reason::held_user || job.reason == Reason::held_admin || job.eligible.is_never()) continue;
    unindex_job(state, job);
    review_waiting_job(state, job);
    index_job(state, job);
  }
}

}  // namespace virga
