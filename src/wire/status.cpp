// The status as the state alone tells it: used by the server, and by `virga status` without one.
#include <utility>

#include "core/foreign.hpp"
#include "wire/api_bodies.hpp"
#include "wire/hostlist.hpp"

namespace virga {
namespace {

void count(VmCounts& counts, VmState state) {
  ++counts.total;
  switch (state) {
    case VmState::requested:
      ++counts.requested;
      break;
    case VmState::booting:
      ++counts.booting;
      break;
    case VmState::ready:
      ++counts.ready;
      break;
    case VmState::releasing:
      ++counts.releasing;
      break;
  }
}

std::vector<ForeignBody> foreign_of(const State& state) {
  std::map<std::pair<std::string, std::uint32_t>, std::pair<std::string, std::vector<std::string>>> by_number;
  for (const auto& [id, vm] : state.vms) {
    if (!is_occupied(vm)) continue;
    for (ForeignJob& job : foreign_jobs_of(vm.drain_reason)) {
      auto& [user, nodes] = by_number[{job.cluster, job.id}];
      user = std::move(job.user);
      nodes.push_back(vm.name);
    }
  }
  std::vector<ForeignBody> all;
  all.reserve(by_number.size());
  for (const auto& [key, job] : by_number) {
    all.push_back({key.second, job.first, compress_hostlist(job.second), key.first});
  }
  return all;
}

}  // namespace

StatusBody status_of(const State& state, Time now) {
  StatusBody body;
  body.cluster = state.config.cluster_name;
  body.state = state.shutting_down ? "shutting_down" : "up";
  body.seq = state.seq;
  body.jobs_archived = state.jobs_archived;
  for (std::string_view name : EnumNames<JobState>::names) body.jobs[std::string(name)] = 0;
  for (const auto& [id, job] : state.jobs) ++body.jobs[std::string(name_of(job.state))];

  std::map<std::string, Money> price_by_pool;
  std::map<std::string, PoolStatus> by_pool;
  for (const Pool& pool : state.config.pools) {
    PoolStatus& status = by_pool[pool.name];
    status.name = pool.name;
    status.cloud = pool.cloud;
    status.sku = pool.sku.name;
    status.max = pool.max_nodes;
    price_by_pool[pool.name] = pool.node_price();
  }
  for (const auto& [name, backoff] : state.backoffs) {
    if (backoff.until > now && by_pool.contains(name)) by_pool[name].backoff = backoff;
  }
  for (const auto& [id, vm] : state.vms) {
    PoolStatus& pool = by_pool[vm.pool];  // also a pool that the configuration no longer has
    pool.name = vm.pool;
    count(pool.vms_by_state, vm.state);
    count(body.vms, vm.state);
    if (!vm.granted.is_set()) continue;
    Money price = price_by_pool[vm.pool];
    body.cost_per_hour_usd += price;
    if (now > vm.granted) body.cost_usd += price_for(price, now - vm.granted);
  }
  for (const Pool& pool : state.config.pools) {
    auto node = by_pool.extract(pool.name);
    if (node) body.pools.push_back(std::move(node.mapped()));
  }
  for (auto& [name, pool] : by_pool) body.pools.push_back(std::move(pool));
  body.foreign = foreign_of(state);
  return body;
}

}  // namespace virga
