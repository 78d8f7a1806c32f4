#include "brain/sched/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "brain/fleet/fleet.hpp"
#include "brain/sched/lifecycle.hpp"

namespace virga {

namespace {

bool has_room(const Vm& vm, const Job& job, const Resources& demand) {
  if (vm.drained || (vm.state != VmState::booting && vm.state != VmState::ready)) return false;
  if (vm.exclusive || (job.spec.exclusive && !vm.jobs.empty())) return false;
  Resources left{.cpus = vm.total.cpus - vm.used.cpus,
                 .gpus = vm.total.gpus - vm.used.gpus,
                 .memory_bytes = vm.total.memory_bytes - vm.used.memory_bytes};
  return demand.fits_in(left);
}

/// VMs that could take the job now: ready before booting, the fullest first so that others can be released, then the
/// oldest. A total order.
std::vector<const Vm*> candidates(const State& state, const Job& job, const Pool& pool) {
  const Resources demand = demand_per_node(job, pool);
  std::vector<const Vm*> found;
  for (const auto& [id, vm] : state.vms) {
    if (vm.pool == pool.name && has_room(vm, job, demand)) found.push_back(&vm);
  }
  auto rank = [](const Vm* vm) {
    return std::tuple(vm->state != VmState::ready, vm->total.cpus - vm->used.cpus, vm->id);
  };
  std::sort(found.begin(), found.end(), [&](const Vm* a, const Vm* b) { return rank(a) < rank(b); });
  return found;
}

/// Neighbours in the pool become neighbours in rank: nodes are ordered by their number.
void sort_by_slot(const State& state, std::vector<VmId>& vms) {
  auto slot = [&](VmId id) {
    std::uint32_t number = 0;
    state.find_pool_of_node(state.vms.at(id).name, &number);
    return std::tuple(number, id);
  };
  std::sort(vms.begin(), vms.end(), [&](VmId a, VmId b) { return slot(a) < slot(b); });
}

struct Waiting {
  Reason reason = Reason::none;  ///< none: the job was bound
  std::string detail;
};

Reason reason_of(Refusal refusal) {
  switch (refusal) {
    case Refusal::capacity:
      return Reason::capacity;
    case Refusal::quota:
      return Reason::quota;
    case Refusal::throttled:
      return Reason::throttled;
    case Refusal::fault:
      return Reason::cloud_fault;
  }
  return Reason::cloud_fault;
}

std::uint32_t count_drained(const State& state, const Pool& pool) {
  return static_cast<std::uint32_t>(std::count_if(state.node_marks.begin(), state.node_marks.end(), [&](const auto& m) {
    return m.second.drained && state.find_pool_of_node(m.first) == &pool;
  }));
}

Waiting try_pool(Effects& fx, Job& job, const Pool& pool) {
  std::vector<const Vm*> room = candidates(fx.state, job, pool);
  if (room.size() >= job.spec.nodes) {
    std::vector<VmId> chosen;
    for (std::uint32_t i = 0; i < job.spec.nodes; ++i) chosen.push_back(room[i]->id);
    sort_by_slot(fx.state, chosen);
    bind_job(fx, job, chosen);
    return {};
  }
  const auto missing = static_cast<std::uint32_t>(job.spec.nodes - room.size());
  if (job.gang) {
    auto gang = fx.state.gangs.find(job.gang);
    if (gang != fx.state.gangs.end() && gang->second.pool == pool.name) {
      return {Reason::reserving,
              fmt::format("{} VMs of pool {} are being asked for", gang->second.vms.size(), pool.name)};
    }
  }
  const std::uint32_t drained = count_drained(fx.state, pool);
  if (job.spec.nodes > pool.max_nodes - std::min(drained, pool.max_nodes)) {
    return {Reason::drained_nodes, fmt::format("{} of pool {}'s {} nodes are drained; {} are needed", drained,
                                               pool.name, pool.max_nodes, job.spec.nodes)};
  }
  if (free_slots(fx.state, pool).size() < missing) {
    return {Reason::resources, fmt::format("{} of {} nodes are free in pool {} (limit {})", room.size(), job.spec.nodes,
                                           pool.name, pool.max_nodes)};
  }
  if (is_backed_off(fx.state, pool.name)) {
    const PoolBackoff& backoff = fx.state.backoffs.at(pool.name);
    return {reason_of(backoff.refusal), fmt::format("pool {}: {}", pool.name, backoff.message)};
  }
  job.gang = reserve_gang(fx, pool, missing, job.id);
  return {Reason::reserving, fmt::format("{} VMs of pool {} are being asked for", missing, pool.name)};
}

/// Walks the pools of the job's partition. A reservation under way keeps the job where it was asked for.
Waiting place(Effects& fx, Job& job, const Partition& partition, const std::set<std::string>& taken) {
  Waiting best{Reason::priority, ""};
  if (job.gang) {
    const Gang& gang = fx.state.gangs.at(job.gang);
    const Pool* pool = fx.state.find_pool(gang.pool);
    if (pool != nullptr) return try_pool(fx, job, *pool);
  }
  for (const std::string& name : partition.pools) {
    const Pool* pool = fx.state.find_pool(name);
    if (pool == nullptr || taken.contains(name)) continue;
    if (job.spec.nodes > pool->max_nodes || !job.spec.per_node.fits_in(pool->sku.resources)) continue;
    Waiting w = try_pool(fx, job, *pool);
    if (w.reason == Reason::none || w.reason == Reason::reserving) return w;
    if (best.reason == Reason::priority || w.reason == Reason::resources) best = std::move(w);
  }
  return best;
}

void set_waiting(State& state, Job& job, Waiting waiting) {
  if (job.reason == waiting.reason && job.detail == waiting.detail) return;
  job.reason = waiting.reason;
  job.detail = std::move(waiting.detail);
  index_job(state, job);
}

}  // namespace

Resources demand_per_node(const Job& job, const Pool& pool) {
  if (job.spec.exclusive) return pool.sku.resources;
  return job.spec.per_node;
}

std::optional<Error> never_fits(const State& state, const JobSpec& spec) {
  const Partition* partition = state.find_partition(spec.partition);
  if (partition == nullptr) return Error{Code::invalid, "invalid partition specified: " + spec.partition};
  std::string why;
  for (const std::string& name : partition->pools) {
    const Pool* pool = state.find_pool(name);
    if (pool == nullptr) continue;
    const Resources& has = pool->sku.resources;
    if (spec.nodes > pool->max_nodes) {
      why = fmt::format("{} nodes asked for, pool {} has at most {}", spec.nodes, name, pool->max_nodes);
    } else if (spec.per_node.fits_in(has)) {  // an exclusive job too: the whole of a node may be too little
      return std::nullopt;
    } else if (spec.per_node.gpus > has.gpus) {
      why = fmt::format("{} GPUs per node asked for, {} has {}", spec.per_node.gpus, pool->sku.name, has.gpus);
    } else if (spec.per_node.cpus > has.cpus) {
      why = fmt::format("{} CPUs per node asked for, {} has {}", spec.per_node.cpus, pool->sku.name, has.cpus);
    } else {
      why = fmt::format("{} MiB per node asked for, {} has {}", spec.per_node.memory_bytes >> 20, pool->sku.name,
                        has.memory_bytes >> 20);
    }
  }
  return Error{Code::refused, "Requested node configuration is not available: " + why};
}

void schedule(Effects& fx) {
  State& state = fx.state;
  std::set<std::string> taken;  // pools that an earlier job waits for
  std::set<JobId> seen;
  const std::set<JobId> old_front = state.front;
  for (auto it = state.queue.begin(); it != state.queue.end() && taken.size() < state.config.pools.size();) {
    Job& job = state.jobs.at(*it);
    ++it;  // placing the job takes it out of the queue
    if (state.shutting_down) {
      set_waiting(state, job, {Reason::shutting_down, "the supercomputer is being taken down"});
      seen.insert(job.id);
      continue;
    }
    if (job.eligible > state.now) {
      seen.insert(job.id);
      continue;
    }
    const Partition* partition = state.find_partition(job.spec.partition);
    if (partition == nullptr || !partition->up) {
      set_waiting(state, job, {Reason::partition_down, "partition " + job.spec.partition + " is down"});
      seen.insert(job.id);
      continue;
    }
    if (std::all_of(partition->pools.begin(), partition->pools.end(),
                    [&](const auto& p) { return taken.contains(p); })) {
      continue;
    }
    if (std::optional<Error> never = never_fits(state, job.spec)) {
      set_waiting(state, job, {Reason::config_refuses, never->message});
      seen.insert(job.id);
      continue;
    }
    Waiting waiting = place(fx, job, *partition, taken);
    if (waiting.reason == Reason::none) continue;
    taken.insert(partition->pools.begin(), partition->pools.end());
    seen.insert(job.id);
    set_waiting(state, job, std::move(waiting));
  }
  // Who was at the front before, and is no longer, waits for those before it.
  for (JobId id : old_front) {
    if (seen.contains(id) || !state.queue.contains(id)) continue;
    Job& job = state.jobs.at(id);
    if (job.eligible <= state.now) set_waiting(state, job, {Reason::priority, ""});
  }
}

}  // namespace virga
