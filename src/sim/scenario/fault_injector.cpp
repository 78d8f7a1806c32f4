#include "sim/scenario/fault_injector.hpp"

#include <fmt/format.h>

#include <utility>

namespace virga {
namespace {

/// Of all calls while the lender throttles, in thousandths: some get through.
constexpr std::uint32_t k_throttled = 900;
/// What lies further ahead than this does not happen.
constexpr Duration k_far = Duration::minutes(std::int64_t{50} * 366 * 24 * 60);

}  // namespace

FaultInjector::FaultInjector(World world, const Config& config, const PoolLayout& layout, const FaultSpec& spec)
    : world_(world),
      config_(config),
      layout_(layout),
      spec_(spec),
      random_(spec.seed),
      in_repair_(config.pools.size()),
      stock_outs_(config.pools.size()) {}

void FaultInjector::start() {
  world_.lender.boot_hang = spec_.boot_failures_per_1000 / 2;
  world_.lender.boot_death = spec_.boot_failures_per_1000 - world_.lender.boot_hang;
  const auto per_one = [](Duration mean, std::uint32_t count) {
    return mean.is_infinite() || count == 0 ? Duration::infinite() : Duration{mean.ns / count};
  };
  repeat(per_one(spec_.node_mtbf, layout_.rows()), [this] { fail_node(); });
  repeat(per_one(spec_.leaf_mtbf, layout_.leaves()), [this] { fail_leaf(); });
  std::uint32_t first = 0;
  for (std::uint32_t i = 0; i < config_.pools.size(); ++i) {
    const Pool& pool = config_.pools[i];
    set_capacity(i);
    if (pool.purchase == Purchase::spot) {
      repeat(per_one(spec_.spot_eviction_mean, pool.max_nodes), [this, first, nodes = pool.max_nodes] {
        evict(first + static_cast<std::uint32_t>(random_.below(nodes)));
      });
    }
    if (pool.purchase != Purchase::reserved) repeat(spec_.stock_out_every, [this, i] { run_out(i); });
    first += pool.max_nodes;
  }
  repeat(spec_.throttle_every, [this] { throttle(); });
}

/// Exponentially distributed; drawn in steps of 1,024 ns, so that long means stay within 64 bits.
Duration FaultInjector::draw(Duration mean) {
  const Duration steps = random_.exponential({mean.ns / 1024});
  return steps.ns > k_far.ns / 1024 ? Duration::infinite() : steps * 1024;
}

void FaultInjector::repeat(Duration mean, std::function<void()> happen) {
  if (mean.is_infinite()) return;
  const Duration wait = draw(mean);
  if (wait.is_infinite()) return;
  world_.queue.after(wait, [this, mean, happen = std::move(happen)] {
    happen();
    repeat(mean, happen);
  });
}

VmId FaultInjector::machine_on(std::uint32_t row) const {
  const std::string& name = layout_.node_rows()[row].name;
  for (const auto& [vm, machine] : world_.machines.all()) {
    if (machine.name == name && !machine.dead && !machine.deleting) return vm;
  }
  return {};
}

void FaultInjector::tell(const char* kind, std::string what) {
  if (on_fault) on_fault({world_.queue.now(), kind, std::move(what)});
}

void FaultInjector::kill(VmId vm, std::uint32_t pool) {
  killed_.insert(vm);
  world_.machines.kill(vm, Death::crash);
  ++in_repair_[pool];
  set_capacity(pool);
  world_.queue.after(spec_.repair, [this, pool] {
    --in_repair_[pool];
    set_capacity(pool);
  });
}

void FaultInjector::fail_node() {
  const auto row = static_cast<std::uint32_t>(random_.below(layout_.rows()));
  const VmId vm = machine_on(row);
  if (!vm) return;
  tell("node failure",
       fmt::format("{} of pool {} died", layout_.node_rows()[row].name, config_.pools[layout_.pool_of(row)].name));
  kill(vm, layout_.pool_of(row));
}

void FaultInjector::fail_leaf() {
  const auto leaf = static_cast<std::uint32_t>(random_.below(layout_.leaves()));
  std::vector<VmId> below;
  for (const std::uint32_t row : layout_.rows_of_leaf(leaf)) {
    if (const VmId vm = machine_on(row)) below.push_back(vm);
  }
  if (below.empty()) return;
  const std::uint32_t row = layout_.rows_of_leaf(leaf).front();
  tell("leaf failure", fmt::format("{} died, and {} VMs with it", layout_.node_rows()[row].leaf, below.size()));
  for (const VmId vm : below) kill(vm, layout_.pool_of(row));
}

void FaultInjector::evict(std::uint32_t row) {
  const VmId vm = machine_on(row);
  if (!vm || !killed_.insert(vm).second) return;
  tell("spot eviction",
       fmt::format("{} goes after a notice of {} s", layout_.node_rows()[row].name, spec_.spot_notice.whole_seconds()));
  world_.controller.post(VmEvicting{vm, world_.queue.now() + spec_.spot_notice});
  world_.machines.evict(vm, spec_.spot_notice);
}

void FaultInjector::run_out(std::uint32_t pool) {
  tell("stock-out", fmt::format("pool {} gets no further VMs for {} min", config_.pools[pool].name,
                                spec_.stock_out_lasts.whole_seconds() / 60));
  ++stock_outs_[pool];
  set_capacity(pool);
  world_.queue.after(spec_.stock_out_lasts, [this, pool] {
    --stock_outs_[pool];
    set_capacity(pool);
  });
}

void FaultInjector::throttle() {
  tell("throttling", fmt::format("the cloud's API refuses most calls for {} s", spec_.throttle_lasts.whole_seconds()));
  ++throttles_;
  world_.lender.throttle = k_throttled;
  world_.queue.after(spec_.throttle_lasts, [this] {
    if (--throttles_ == 0) world_.lender.throttle = 0;
  });
}

void FaultInjector::set_capacity(std::uint32_t number) {
  const Pool& pool = config_.pools[number];
  PoolTraits& traits = world_.machines.traits(pool.name);
  const bool own = pool.purchase == Purchase::reserved;
  traits.quota = own ? pool.max_nodes : pool.max_nodes * spec_.quota_percent / 100;
  traits.capacity = stock_outs_[number] > 0 ? 0 : pool.max_nodes - std::min(pool.max_nodes, in_repair_[number]);
}

}  // namespace virga
