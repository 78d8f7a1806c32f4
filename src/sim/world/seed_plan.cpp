#include "sim/world/seed_plan.hpp"

#include <algorithm>

namespace virga {

namespace {

constexpr std::uint64_t k_gib = std::uint64_t{1} << 30;
constexpr std::uint64_t k_policy_stream = 0x9e37'79b9'7f4a'7c15;
constexpr std::uint64_t k_health_stream = 0xc2b2'ae3d'27d4'eb4f;

/// Half of all worlds have machines that fall sick.
void draw_health(SeedPlan& plan, Prng random) {
  if (random.chance(1, 2)) return;
  plan.lender.boot_sick = static_cast<std::uint32_t>(random.below(80));
  plan.lender.job_sick = static_cast<std::uint32_t>(random.below(40));
  for (Pool& pool : plan.config.pools) {
    pool.quarantine_time = random.chance(1, 4) ? Duration{} : Duration::minutes(random.between(1, 120));
  }
}

class Drawing {
 public:
  Drawing(std::uint64_t seed, const SeedLimits& limits)
      : seed_(seed), random_(seed), policy_random_(seed ^ k_policy_stream), limits_(limits) {}

  SeedPlan draw() {
    plan_.start = k_seed_start;
    plan_.calm = plan_.start + limits_.arrivals;
    draw_pools();
    draw_partitions();
    if (policy_random_.chance(1, 2)) draw_policy();
    draw_jobs();
    if (limits_.faults) {
      draw_rates();
      draw_health(plan_, Prng(seed_ ^ k_health_stream));
      draw_troubles();
    }
    plan_.snapshot_every = static_cast<std::uint64_t>(random_.between(100, 3'000));
    return std::move(plan_);
  }

 private:
  /// 1 … max, small ones more often: the smaller of some draws.
  std::uint32_t small(std::uint32_t max, int draws) {
    std::uint64_t least = max;
    for (int i = 0; i < draws; ++i) least = std::min<std::uint64_t>(least, random_.below(max) + 1);
    return static_cast<std::uint32_t>(least);
  }
  Time any_time() { return plan_.start + random_.between(Duration{}, limits_.arrivals); }
  /// The delay is drawn before the time from which it counts. In one sum each compiler would draw in its own order.
  template <class DrawTime>
  Time soon_after(Duration mean, DrawTime draw_time) {
    const Duration delay = random_.exponential(mean);
    return std::min(draw_time() + delay, plan_.calm);
  }
  template <class T>
  const T& one_of(const std::vector<T>& items) {
    return items[random_.below(items.size())];
  }

  void draw_pools() {
    const std::uint32_t count = small(4, 2);
    for (std::uint32_t i = 0; i < count; ++i) {
      Pool pool;
      pool.name = "pool" + std::to_string(i);
      pool.node_prefix = "n" + std::string(1, static_cast<char>('a' + i)) + "-";
      pool.max_nodes = small(std::max(limits_.nodes_max / count, 1U), 3);
      pool.sku.name = "sku" + std::to_string(i);
      pool.sku.resources.cpus = 4U << random_.below(5);
      pool.sku.resources.gpus = random_.chance(1, 2) ? 8 : 0;
      pool.sku.resources.memory_bytes = k_gib << (4 + random_.below(4));
      pool.sku.price_per_hour = Money::usd(random_.between(1, 100));
      pool.warm_nodes = random_.chance(1, 4) ? static_cast<std::uint32_t>(random_.below(pool.max_nodes + 1)) : 0;
      pool.idle_time = Duration::seconds(random_.between(10, 1'800));
      PoolTraits traits;
      traits.boot_min = Duration::seconds(random_.between(1, 60));
      traits.boot_median = traits.boot_min + Duration::seconds(random_.between(1, 240));
      traits.boot_tail = traits.boot_median + Duration::seconds(random_.between(10, 900));
      pool.boot_timeout = traits.boot_tail + Duration::seconds(random_.between(60, 600));
      traits.capacity = pool.max_nodes;
      traits.quota = pool.max_nodes;
      traits.leaf_size = static_cast<std::uint32_t>(random_.between(1, 8));
      plan_.traits.push_back(traits);
      plan_.config.pools.push_back(std::move(pool));
    }
    plan_.config.kill_wait = Duration::seconds(random_.between(1, 60));
    plan_.config.min_job_age = Duration::seconds(random_.between(60, 600));
    plan_.config.requeue_delay = Duration::seconds(random_.between(1, 120));
    plan_.config.max_requeues = static_cast<std::uint32_t>(random_.between(1, 16));
  }

  void draw_partitions() {
    const std::uint32_t count = small(3, 2);
    for (std::uint32_t i = 0; i < count; ++i) {
      Partition partition;
      partition.name = "part" + std::to_string(i);
      for (const Pool& pool : plan_.config.pools) partition.pools.push_back(pool.name);
      random_.shuffle(partition.pools);
      partition.pools.resize(random_.below(partition.pools.size()) + 1);
      partition.is_default = i == 0;
      if (random_.chance(1, 3)) partition.max_time = Duration::minutes(random_.between(60, 24 * 60));
      partition.default_time = partition.max_time;
      plan_.config.partitions.push_back(std::move(partition));
    }
  }

  /// Who waits for a limit or a reservation, comes first or is pushed out: in every other world, by a stream of its
  /// own.
  void draw_policy() {
    Prng& random = policy_random_;
    Config& config = plan_.config;
    config.scheduler.backfill = static_cast<BackfillMode>(random.below(3));
    if (random.chance(2, 3)) config.scheduler.policy = OrderPolicy::multifactor;
    config.priority.max_age = Duration::minutes(random.between(10, 3'000));
    config.priority.decay_half_life = Duration::minutes(random.between(60, 10'000));
    std::uint32_t largest = 0;
    for (std::size_t i = 0; i < config.pools.size(); ++i) {
      largest = std::max(largest, config.pools[i].max_nodes);
      config.pools[i].fabric.nodes_per_leaf = plan_.traits[i].leaf_size;
    }
    Qos normal{.name = "normal"};
    if (random.chance(1, 2)) normal.max_jobs_per_user = static_cast<std::uint32_t>(random.between(1, 5));
    if (random.chance(1, 2)) {
      normal.max_nodes_per_user = largest + static_cast<std::uint32_t>(random.below(largest + 1));
    }
    normal.grace_time = Duration::seconds(random.between(0, 120));
    normal.preempt_mode = random.chance(3, 4) ? PreemptMode::requeue : PreemptMode::cancel;
    Qos urgent{.name = "urgent", .priority = 100};
    if (random.chance(2, 3)) urgent.preempt = {"normal"};
    config.qos = {normal, urgent};
    for (Partition& partition : config.partitions) partition.qos = "normal";
    config.tenants = {{.name = "all", .max_nodes = largest + static_cast<std::uint32_t>(random.below(largest + 1))},
                      {.name = "one", .parent = "all", .shares = 3},
                      {.name = "two", .parent = "all", .buy = BuyPolicy::soonest}};
    if (!random.chance(1, 2)) return;
    const Partition& partition = config.partitions[random.below(config.partitions.size())];
    const Time begin = plan_.start + random.between(Duration{}, limits_.arrivals);
    config.reservations = {{.name = "course",
                            .start = begin,
                            .end = begin + Duration::minutes(random.between(60, 3'000)),
                            .nodes = static_cast<std::uint32_t>(random.between(1, largest)),
                            .partition = partition.name,
                            .tenants = {"one"}}};
  }

  void draw_policy_of(JobSpec& spec) {
    Prng& random = policy_random_;
    spec.account = random.chance(1, 2) ? "one" : "two";
    if (random.chance(1, 6)) spec.qos = "urgent";
    spec.nice = static_cast<std::int32_t>(random.below(100));
    if (random.chance(1, 8)) {
      spec.switches = 1;
      spec.switches_wait = Duration::minutes(random.between(1, 600));
    }
  }

  void draw_jobs() {
    const std::uint32_t count = small(limits_.jobs_max, 4);
    // In most worlds jobs come in bursts, so that there are both queues and empty machines.
    const std::uint32_t bursts = small(20, 2);
    std::vector<Time> centres;
    for (std::uint32_t i = 0; i < bursts; ++i) centres.push_back(any_time());
    for (std::uint32_t i = 0; i < count; ++i) {
      PlannedJob job;
      job.at = random_.chance(1, 4) ? any_time() : soon_after(Duration::minutes(20), [&] { return one_of(centres); });
      job.spec = draw_spec(i);
      job.run = draw_run(job.spec);
      job.fits = false;
      for (const Pool& pool : plan_.config.pools) job.fits = job.fits || can_fit(plan_.config, job.spec, pool);
      plan_.jobs.push_back(std::move(job));
    }
    std::stable_sort(plan_.jobs.begin(), plan_.jobs.end(),
                     [](const PlannedJob& a, const PlannedJob& b) { return a.at < b.at; });
  }

  JobSpec draw_spec(std::uint32_t i) {
    const Partition& partition = one_of(plan_.config.partitions);
    const Pool& pool = *std::find_if(plan_.config.pools.begin(), plan_.config.pools.end(),
                                     [&](const Pool& p) { return p.name == partition.pools[0]; });
    JobSpec spec;
    spec.name = "job" + std::to_string(i);
    spec.work_dir = "/";
    spec.partition = partition.name;
    spec.nodes = random_.chance(1, 2) ? 1 : small(pool.max_nodes, 2);
    spec.per_node.cpus = small(pool.sku.resources.cpus, 2);
    if (pool.sku.resources.gpus > 0 && random_.chance(2, 3)) spec.per_node.gpus = small(pool.sku.resources.gpus, 1);
    if (random_.chance(1, 2)) spec.per_node.memory_bytes = k_gib * small(16, 2);
    if (random_.chance(1, 20)) spec.nodes = pool.max_nodes + 1;  // perhaps too large
    spec.exclusive = random_.chance(1, 6);
    spec.tasks = spec.nodes;
    spec.time_limit = Duration::minutes(random_.between(1, 600));
    if (partition.max_time < spec.time_limit) spec.time_limit = partition.max_time;
    spec.requeue = random_.chance(3, 4);
    spec.held = random_.chance(1, 20);
    if (!plan_.config.qos.empty()) draw_policy_of(spec);
    if (random_.chance(1, 5)) spec.warning = {.signal = 10, .before_end = Duration::seconds(random_.between(1, 600))};
    return spec;
  }

  RunPlan draw_run(const JobSpec& spec) {
    RunPlan run;
    run.duration = std::min(random_.exponential({spec.time_limit.ns / 2}), spec.time_limit * 3);
    if (random_.chance(1, 20)) run.duration = {};
    run.exit_code = random_.chance(1, 8) ? 1 : 0;
    run.ignores_term = random_.chance(1, 10);
    run.hangs_without_node = random_.chance(1, 2);
    if (limits_.faults && random_.chance(1, 30)) run.launch_failures = small(3, 2);
    run.cannot_start = random_.chance(1, 40);
    if (random_.chance(1, 5)) run.checkpoint_every = Duration::minutes(random_.between(10, 60));
    return run;
  }

  /// Half of all worlds lack a given fault altogether, so that each is also seen without the others.
  std::uint32_t rate(std::uint32_t worst) {
    return random_.chance(1, 2) ? 0 : static_cast<std::uint32_t>(random_.below(worst + 1));
  }

  void draw_rates() {
    plan_.lender = {.throttle = rate(300), .no_create = rate(60), .boot_hang = rate(60), .boot_death = rate(60)};
    plan_.delivery = {.late = rate(200), .twice = rate(200), .latest = Duration::seconds(random_.between(1, 300))};
  }

  void draw_troubles() {
    const auto some = [&](Trouble kind, std::uint32_t worst) {
      for (std::uint32_t n = rate(worst); n > 0; --n) {
        plan_.troubles.push_back({.at = any_time(), .kind = kind, .pick = random_.next()});
      }
    };
    const auto jobs = static_cast<std::uint32_t>(plan_.jobs.size());
    some(Trouble::act, jobs);
    some(Trouble::drain, 8);
    some(Trouble::stock_out, 12);
    some(Trouble::crash_node, 20);
    some(Trouble::evict_node, 20);
    some(Trouble::crash_leaf, 4);
    some(Trouble::disk_full, 6);
    some(Trouble::kill_control, 6);
    some(Trouble::crash_control, 20);
    const std::size_t count = plan_.troubles.size();  // what ends again grows the list
    for (std::size_t i = 0; i < count; ++i) {
      PlannedTrouble& trouble = plan_.troubles[i];
      if (trouble.kind == Trouble::act && !plan_.jobs.empty()) {  // most are about a job that was just submitted
        trouble.at = soon_after(Duration::minutes(60), [&] { return one_of(plan_.jobs).at; });
      }
      trouble.action = static_cast<JobAction>(random_.below(std::size(EnumNames<JobAction>::names)));
      trouble.as_operator = random_.chance(1, 3);
      trouble.notice = random_.chance(1, 2) ? Duration::seconds(random_.between(0, 120)) : Duration{};
      trouble.countdown = static_cast<std::uint32_t>(random_.between(1, 60));
      PlannedTrouble end = trouble;
      end.at = soon_after(Duration::minutes(60), [&] { return trouble.at; });
      if (trouble.kind == Trouble::drain) end.kind = Trouble::resume;
      if (trouble.kind == Trouble::stock_out) end.kind = Trouble::restock;
      if (trouble.kind == Trouble::disk_full) end.kind = Trouble::disk_free;
      if (end.kind != trouble.kind) plan_.troubles.push_back(end);
    }
  }

  const std::uint64_t seed_;
  Prng random_;
  Prng policy_random_;
  const SeedLimits& limits_;
  SeedPlan plan_;
};

}  // namespace

bool can_fit(const Config& config, const JobSpec& spec, const Pool& pool) {
  const bool named = std::any_of(config.partitions.begin(), config.partitions.end(), [&](const Partition& p) {
    return p.name == spec.partition && std::find(p.pools.begin(), p.pools.end(), pool.name) != p.pools.end();
  });
  return named && spec.nodes <= pool.max_nodes && spec.per_node.fits_in(pool.sku.resources);
}

SeedPlan draw_plan(std::uint64_t seed, const SeedLimits& limits) { return Drawing(seed, limits).draw(); }

}  // namespace virga
