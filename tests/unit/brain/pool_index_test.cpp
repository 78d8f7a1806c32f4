// Choosing by the end, against a walk over all nodes.
#include "brain/pool_index.hpp"

#include <doctest/doctest.h>

#include <optional>

#include "naive_index.hpp"

namespace virga {
namespace {

using test::Random;

constexpr std::uint32_t k_nodes = 12;

struct Nodes {
  explicit Nodes(const Pool& pool) : index(pool), vms(k_nodes), ends(k_nodes) {}

  void put(std::uint32_t slot, const Vm& vm, Time end) {
    vms[slot] = vm;
    ends[slot] = end;
    vms[slot].slot = slot;
    const PoolIndex::Present present{&vms[slot], end};
    index.put({&present, 1});
  }

  /// The node in use with room whose end is put off least; of those that it is not put off for, the first to end.
  std::optional<std::uint32_t> best(const Resources& demand, Time until) const {
    std::optional<std::uint32_t> best;
    std::pair<std::int64_t, std::int64_t> best_rank;
    for (std::uint32_t slot = 0; slot < k_nodes; ++slot) {
      const Vm& vm = vms[slot];
      if (!vm.id || vm.jobs.empty() || vm.exclusive || vm.drained || vm.state != VmState::ready) continue;
      if (vm.used.gpus + demand.gpus > vm.total.gpus || vm.used.cpus + demand.cpus > vm.total.cpus) continue;
      const std::int64_t later = (until - ends[slot]).ns;
      const std::pair rank{std::max<std::int64_t>(later, 0), -later};
      if (best && best_rank <= rank) continue;
      best = slot;
      best_rank = rank;
    }
    return best;
  }

  PoolIndex index;
  std::vector<Vm> vms;
  std::vector<Time> ends;
};

Vm random_vm(Random& random, std::uint32_t slot, const Resources& total) {
  Vm vm;
  vm.id = {slot + 1};
  vm.total = total;
  vm.state = random.below(5) == 0 ? VmState::booting : VmState::ready;
  vm.drained = random.below(8) == 0;
  if (random.below(4) == 0) return vm;
  vm.jobs = {JobId{slot + 1}};
  vm.exclusive = random.below(6) == 0;
  const std::uint32_t eighths = 1 + random.below(8);
  vm.used = {eighths, eighths, 0};
  return vm;
}

}  // namespace

TEST_CASE("pool index: a part of a node by the end, on 20,000 random states") {
  Pool pool;
  pool.max_nodes = k_nodes;
  pool.sku.resources = {8, 8, 1ULL << 30};
  const std::uint64_t seed = 7;
  Random random{seed};
  Nodes nodes(pool);
  std::uint32_t by_end = 0;
  for (int step = 0; step < 20'000; ++step) {
    CAPTURE(seed);
    CAPTURE(step);
    const std::uint32_t slot = random.below(k_nodes);
    if (random.below(6) == 0) {
      nodes.vms[slot] = {};
      nodes.index.clear(slot, random.below(3) == 0);
    } else {
      const Vm vm = random_vm(random, slot, pool.sku.resources);
      // Two nodes never end at the same time: which of them comes first is nobody's concern here.
      nodes.put(slot, vm, vm.jobs.empty() ? Time{} : Time::from_seconds(1 + slot + k_nodes * random.below(50)));
    }
    const std::uint32_t eighths = 1 + random.below(4);
    const GangRequest request{
        .nodes = 1, .per_node = {eighths, eighths, 0}, .ends = Time::from_seconds(random.below(k_nodes * 60))};
    const std::optional<std::uint32_t> expected = nodes.best(request.per_node, request.ends);
    if (!expected) continue;
    ++by_end;
    std::vector<std::uint32_t> slots;
    REQUIRE(nodes.index.choose(request, true, false, slots));
    REQUIRE(slots == std::vector<std::uint32_t>{*expected});
  }
  CHECK(by_end > 10'000);
}

TEST_CASE("pool index: nodes that are put together are as if they had been put one by one") {
  Pool pool;
  pool.max_nodes = k_nodes;
  pool.set_nodes_max = 5;
  pool.sku.resources = {8, 8, 1ULL << 30};
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    Random random{seed};
    Nodes one_by_one(pool);
    PoolIndex together(pool);
    for (int step = 0; step < 50; ++step) {
      std::vector<Vm> vms;
      const Vm alike = random_vm(random, 0, pool.sku.resources);
      for (std::uint32_t slot = 0; slot < k_nodes; ++slot) {
        if (random.below(3) == 0) continue;
        vms.push_back(random.below(4) == 0 ? random_vm(random, slot, pool.sku.resources) : alike);
        vms.back().id = {slot + 1};
        vms.back().slot = slot;
      }
      std::vector<PoolIndex::Present> present;
      const Time end = Time::from_seconds(1 + random.below(5));
      for (const Vm& vm : vms) {
        present.push_back({&vm, vm.jobs.empty() ? Time{} : end});
        one_by_one.put(vm.slot, vm, present.back().busy_until);
      }
      together.put(present);
      for (std::uint32_t nodes = 1; nodes <= k_nodes; nodes += 3) {
        const GangRequest request{.nodes = nodes, .per_node = {2, 2, 0}, .ends = Time::from_seconds(3)};
        std::vector<std::uint32_t> slots;
        std::vector<std::uint32_t> right;
        REQUIRE(together.choose(request, true, false, slots) == one_by_one.index.choose(request, true, false, right));
        REQUIRE(slots == right);
        REQUIRE(together.fitting(request) == one_by_one.index.fitting(request));
        REQUIRE(together.shadow(together.free_now(), nodes, {}) ==
                one_by_one.index.shadow(one_by_one.index.free_now(), nodes, {}));
      }
      REQUIRE(together.usable() == one_by_one.index.usable());
      REQUIRE(together.absent() == one_by_one.index.absent());
      REQUIRE(together.drained() == one_by_one.index.drained());
      REQUIRE(together.releases() == one_by_one.index.releases());
    }
  }
}

}  // namespace virga
