// How many decisions a second the brain makes, through Brain::apply with the outbox drained: a decision is a job's
// allocation and its release (submitted, started, ended). And what one event costs with a long queue behind it.
//
//   bench/decisions.sh          builds this with -O2 -DNDEBUG and runs it
//
// Time is this process's CPU, so that a busy machine counts less. Figures of peers are in docs/benchmarks.md.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/prng.hpp"
#include "brain/brain.hpp"

namespace virga {
namespace {

double user_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);  // with the little that the kernel does for it
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

long resident_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

Config machine(std::uint32_t nodes) {
  Config config;
  Pool pool;
  pool.name = "nd";
  pool.node_prefix = "nd";
  pool.max_nodes = nodes;
  pool.idle_time = Duration::infinite();
  pool.boot_timeout = Duration::minutes(10);
  pool.fabric = {.nodes_per_leaf = 32, .leaves_per_spine = 16, .spines_per_pod = 0};
  pool.sku = {.name = "ND", .resources = {96, 8, 1ULL << 40}, .gpu_model = "H100", .price_per_hour = Money::usd(98)};
  config.pools.push_back(pool);
  Partition partition;
  partition.name = "main";
  partition.pools = {"nd"};
  partition.is_default = true;
  config.partitions.push_back(partition);
  config.min_job_age = Duration::milliseconds(1);
  config.max_jobs = 2'000'000;
  return config;
}

JobSpec job_of(std::uint32_t nodes, Duration limit) {
  JobSpec spec;
  spec.partition = "main";
  spec.work_dir = "/";
  spec.nodes = nodes;
  spec.tasks = nodes;
  spec.per_node = {96, 8, 0};
  spec.exclusive = true;
  spec.time_limit = limit;
  return spec;
}

class Machine {
 public:
  explicit Machine(std::uint32_t nodes) {
    feed(ConfigChanged{machine(nodes)});
    submit(nodes, Duration::minutes(60));  // one job over everything brings all VMs up
    for (Command& c : drain()) {
      if (auto* reserve = std::get_if<ReserveGang>(&c)) {
        feed(GangGranted{reserve->gang, std::vector<std::string>(reserve->vms.size(), "10.0.0.1")});
        for (const WantedVm& vm : reserve->vms) feed(VmReady{vm.vm});
      }
    }
    drain();
    end(brain_.state().last_job);
    drain();
  }

  JobId submit(std::uint32_t nodes, Duration limit) {
    feed(JobSubmitted{{1000, 1000, "user", false}, job_of(nodes, limit), ""});
    return brain_.state().last_job;
  }
  void start(JobId job) { feed(JobStarted{job, 0}); }
  void end(JobId job) { feed(JobEnded{job, 0, {}, {}}); }
  void feed(EventBody body) {
    now_ = now_ + Duration{1'000'000};
    brain_.apply({++seq_}, {now_, std::move(body)});
  }
  std::vector<Command> drain() { return brain_.take_commands(); }
  const State& state() const { return brain_.state(); }

 private:
  Brain brain_;
  Time now_ = Time::from_seconds(1'000'000);
  std::uint64_t seq_ = 0;
};

void bench_decisions(std::uint32_t nodes, std::uint32_t gang, std::uint32_t count) {
  Machine machine(nodes);
  std::vector<JobId> running;
  // Half of the machine is in use, so that a placement has something to choose.
  for (std::uint32_t used = 0; used < nodes / 2; used += gang) {
    running.push_back(machine.submit(gang, Duration::minutes(600)));
    machine.start(running.back());
  }
  machine.drain();
  Prng random(1);
  const double from = user_seconds();
  for (std::uint32_t i = 0; i < count; ++i) {
    JobId& oldest = running[random.below(running.size())];
    machine.end(oldest);
    oldest = machine.submit(gang, Duration::minutes(600));
    machine.start(oldest);
    machine.drain();
  }
  const double took = user_seconds() - from;
  std::printf("%6u nodes  %3u-node gangs  %9.0f decisions/s  %6ld KiB at most\n", nodes, gang, count / took,
              resident_kib());
}

void bench_queue(std::uint32_t nodes, std::uint32_t pending, std::uint32_t events) {
  Machine machine(nodes);
  std::vector<JobId> running;
  for (std::uint32_t i = 0; i < nodes / 16; ++i) {
    running.push_back(machine.submit(16, Duration::minutes(100 + i % 997)));
    machine.start(running.back());
  }
  Prng random(1);
  machine.submit(nodes, Duration::minutes(600));  // the head waits for the whole machine
  for (std::uint32_t i = 0; i < pending; ++i) {
    machine.submit(static_cast<std::uint32_t>(1 + random.below(64)),
                   Duration::minutes(static_cast<std::int64_t>(100 + random.below(3000))));
  }
  machine.drain();
  std::vector<double> costs;
  for (std::uint32_t i = 0; i < events && !running.empty(); ++i) {
    const std::size_t at = random.below(running.size());
    const double from = user_seconds();
    machine.end(running[at]);
    const std::vector<Command> commands = machine.drain();
    costs.push_back(user_seconds() - from);
    running[at] = running.back();
    running.pop_back();
    for (const Command& c : commands) {
      if (const auto* start = std::get_if<StartJob>(&c)) {
        machine.start(start->job.id);
        running.push_back(start->job.id);
      }
    }
    machine.drain();
  }
  std::sort(costs.begin(), costs.end());
  std::printf("%6u nodes  %7u pending  one event: median %7.1f us  worst %8.1f us  (n=%zu)\n", nodes, pending,
              costs[costs.size() / 2] * 1e6, costs.back() * 1e6, costs.size());
}

}  // namespace

void bench_all() {
  bench_decisions(1'152, 1, 200'000);
  bench_decisions(1'152, 16, 60'000);
  bench_decisions(12'800, 1, 200'000);
  bench_decisions(12'800, 16, 60'000);
  bench_decisions(1'000, 1, 100'000);
  bench_decisions(10'000, 1, 100'000);
  bench_decisions(100'000, 1, 100'000);
  bench_queue(12'800, 1'000, 300);
  bench_queue(12'800, 10'000, 300);
  bench_queue(12'800, 100'000, 300);
}

}  // namespace virga

int main() {
  virga::bench_all();
  return 0;
}
