#include "brain/sched/preempt.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "brain/policy/preemption.hpp"
#include "brain/sched/fit.hpp"
#include "brain/sched/lifecycle.hpp"
#include "brain/sched/supply.hpp"

namespace virga {

namespace {

struct Range {
  std::uint32_t first = 0;
  std::uint32_t end = 0;
};

/// Where all nodes of the job must lie: the whole pool, or one of its scale sets.
std::vector<Range> ranges_of(const Pool& pool, const JobSpec& spec) {
  const bool sets_matter = pool.set_nodes_max > 0 && !pool.ib_spans_sets && spec.needs_fabric && spec.nodes > 1;
  const std::uint32_t step = sets_matter ? pool.set_nodes_max : pool.max_nodes;
  std::vector<Range> ranges;
  for (std::uint32_t first = 0; first < pool.max_nodes; first += step) {
    ranges.push_back({first, std::min(first + step, pool.max_nodes)});
  }
  return ranges;
}

Duration grace_of(const Config& config, const JobSpec& spec) {
  const Qos* qos = config.find_qos(spec.qos);
  return qos != nullptr && qos->grace_time > Duration{} ? qos->grace_time : config.kill_wait;
}

/// If `victim` left this node, could the job have it?
bool would_do(const Vm& vm, const Pool& pool, const JobSpec& spec, const Job& victim) {
  if (vm.drained || vm.doomed || vm.state != VmState::ready) return false;
  if (vm.jobs.size() == 1) return true;
  if (spec.exclusive) return false;
  const Resources freed = demand_per_node(victim.spec, pool);
  const Resources room{vm.total.cpus - vm.used.cpus + freed.cpus, vm.total.gpus - vm.used.gpus + freed.gpus,
                       vm.total.memory_bytes - vm.used.memory_bytes + freed.memory_bytes};
  return spec.per_node.fits_in(room);
}

class RoomSearch {
 public:
  RoomSearch(const State& state, const Job& job, std::uint32_t number)
      : state_(state), job_(job), number_(number), pool_(state.config.pools[number]) {}

  PreemptionPlan best() const {
    const Qos* qos = state_.config.find_qos(job_.spec->qos);
    if (qos == nullptr || qos->preempt.empty()) return {};
    PreemptionPlan best;
    for (const Range& range : ranges_of(pool_, job_.spec)) {
      PreemptionPlan plan = choose_victims(victims_in(range), query_for(range));
      if (!plan.possible) continue;
      if (plan.victims.empty()) return {};
      if (!best.possible || plan.lost < best.lost) best = std::move(plan);
    }
    return best;
  }

 private:
  std::uint32_t leaf_of(const Range& range, std::uint32_t slot) const {
    const std::uint32_t size = pool_.fabric.nodes_per_leaf;
    return size == 0 ? 0 : (slot - range.first) / size;
  }

  PreemptionQuery query_for(const Range& range) const {
    const PoolIndex& index = state_.index.pools[number_];
    const bool may_grow = growth_of(state_, pool_, 1).nodes > 0;
    // Whom somebody has told to end already counts as gone.
    const Time soon = state_.now + longest_grace();
    PreemptionQuery query{.nodes = job_.spec->nodes, .free = 0, .now = state_.now};
    query.leaves.resize(leaf_of(range, range.end - 1) + 1);
    for (std::uint32_t slot = range.first; slot < range.end; ++slot) {
      LeafRoom& leaf = query.leaves[leaf_of(range, slot)];
      ++leaf.nodes;
      const bool is_free = index.is_absent(slot) ? may_grow : index.is_usable(slot) && index.is_free_by(slot, soon);
      leaf.free += static_cast<std::uint32_t>(is_free);
      query.free += static_cast<std::uint32_t>(is_free);
    }
    return query;
  }

  Duration longest_grace() const {
    Duration longest = state_.config.kill_wait;
    for (const Qos& qos : state_.config.qos) longest = std::max(longest, qos.grace_time);
    return longest;
  }

  std::vector<Victim> victims_in(const Range& range) const {
    std::vector<Victim> victims;
    for (JobId id : state_.index.living) {
      const Job& other = state_.jobs.at(id);
      if (other.state != JobState::running || !may_preempt(state_.config, job_.spec->qos, other.spec->qos)) continue;
      Victim victim{.job = id,
                    .nodes = 0,
                    .started = other.started,
                    .checkpoint = other.checkpoint.at,
                    .price_per_node_hour = pool_.node_price()};
      std::map<std::uint32_t, std::uint32_t> leaves;
      for (const JobNode& node : other.nodes) {
        const auto vm = state_.vms.find(node.vm);
        if (vm == state_.vms.end() || vm->second.pool_number != number_) break;  // all of a gang are in one pool
        const std::uint32_t slot = vm->second.slot;
        if (slot < range.first || slot >= range.end || !would_do(vm->second, pool_, job_.spec, other)) continue;
        ++victim.nodes;
        ++leaves[leaf_of(range, slot)];
      }
      for (const auto& [leaf, nodes] : leaves) victim.leaves.push_back({leaf, nodes});
      if (victim.nodes > 0) victims.push_back(std::move(victim));
    }
    return victims;
  }

  const State& state_;
  const Job& job_;
  std::uint32_t number_;
  const Pool& pool_;
};

}  // namespace

std::optional<Time> make_room(Effects& fx, const Job& job, std::uint32_t pool) {
  State& state = fx.state;
  // Victims are chosen by their number: for a job that names single nodes they could be ended in vain.
  if (!node_wish_of(job.spec, state.config.pools[pool]).is_empty()) return std::nullopt;
  const PreemptionPlan plan = RoomSearch(state, job, pool).best();
  if (!plan.possible) return std::nullopt;
  Time free = state.now;
  for (JobId id : plan.victims) {
    Job& victim = state.jobs.at(id);
    const Duration grace = grace_of(state.config, victim.spec);
    const Qos* qos = state.config.find_qos(victim.spec->qos);
    const bool requeue = qos != nullptr && qos->preempt_mode == PreemptMode::requeue && victim.spec->requeue &&
                         victim.spec->kind == JobKind::batch;
    begin_ending(fx, victim,
                 {.state = JobState::preempted,
                  .reason = Reason::preempted,
                  .detail = fmt::format("its nodes go to job {} of QOS {}", job.id.value, job.spec->qos),
                  .grace = grace,
                  .requeue = requeue});
    expect_end(state, victim, state.now + grace);
    free = std::max(free, state.now + grace);
  }
  return free;
}

}  // namespace virga
