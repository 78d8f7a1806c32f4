// How many decisions a second the brain makes, through Brain::apply with the outbox drained: a decision is a job's
// allocation and its release (submitted, started, ended). And what one event costs with a long queue behind it. The
// events are there before the time is taken, as the journal's are.
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
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "brain/brain.hpp"

namespace virga {
namespace {

constexpr std::uint32_t k_events_ahead = 1'000;
constexpr std::uint32_t k_rounds = 10;

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

Config machine_of(std::uint32_t nodes) {
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
  explicit Machine(const Config& config) {
    feed(ConfigChanged{config});
    const std::uint32_t nodes = config.pools[0].max_nodes;
    submit(nodes, Duration::minutes(60));  // one job over everything brings all VMs up
    for (const Command& c : std::vector<Command>(drain())) {
      if (const auto* reserve = std::get_if<ReserveGang>(&c)) {
        feed(GangGranted{reserve->gang, std::vector<std::string>(reserve->vms.size(), "10.0.0.1")});
        for (const WantedVm& vm : reserve->vms) feed(VmReady{vm.vm});
      }
    }
    drain();
    end(brain_.state().last_job);
    drain();
  }

  static Event submission(std::uint32_t nodes, Duration limit, std::uint32_t user = 1000) {
    return {{}, JobSubmitted{{user, user, "user" + std::to_string(user), false}, job_of(nodes, limit), ""}};
  }
  JobId submit(Event&& submission) {
    feed(std::move(submission));
    return brain_.state().last_job;
  }
  JobId submit(std::uint32_t nodes, Duration limit, std::uint32_t user = 1000) {
    return submit(submission(nodes, limit, user));
  }
  void start(JobId job) { feed({{}, JobStarted{job, 0}}); }
  void end(JobId job) { feed({{}, JobEnded{job, 0, {}, {}}}); }
  void feed(EventBody body) { feed(Event{{}, std::move(body)}); }
  void feed(Event&& event) {
    now_ = now_ + Duration{1'000'000};
    event.at = now_;
    brain_.apply({++seq_}, event);
  }
  void wait_until(Time t) { now_ = std::max(now_, t); }
  std::vector<Command>& drain() {
    commands_ = brain_.take_commands(std::move(commands_));
    return commands_;
  }
  const State& state() const { return brain_.state(); }

 private:
  Brain brain_;
  std::vector<Command> commands_;
  Time now_ = Time::from_seconds(1'000'000);
  std::uint64_t seq_ = 0;
};

void say(const std::string& work, const char* reached, const char* goal) {
  std::printf("%-66s %-40s %s\n", work.c_str(), reached, goal);
}

void bar(const std::string& what, double microseconds, int for_each_mark) {
  const auto marks = static_cast<std::size_t>(microseconds / for_each_mark + 0.5);
  std::printf("%22s %8.1f us %s\n", what.c_str(), microseconds, std::string(marks, '#').c_str());
}

/// Microseconds for each, of k_rounds equal parts of the work: sorted. Others disturb a shared machine, so the best
/// round is nearest to what the work takes.
std::vector<double> decisions(std::uint32_t nodes, std::uint32_t gang, std::uint32_t count) {
  Machine machine(machine_of(nodes));
  std::vector<JobId> running;
  // Half of the machine is in use, so that a placement has something to choose.
  for (std::uint32_t used = 0; used < nodes / 2; used += gang) {
    running.push_back(machine.submit(gang, Duration::minutes(600)));
    machine.start(running.back());
  }
  machine.drain();
  Prng random(1);
  std::vector<double> rounds;
  double seconds = 0;
  for (std::uint32_t done = 0; done < count;) {
    std::vector<Event> submissions(k_events_ahead, Machine::submission(gang, Duration::minutes(600)));
    const double from = user_seconds();
    for (Event& submission : submissions) {
      JobId& one = running[random.below(running.size())];
      machine.end(one);
      one = machine.submit(std::move(submission));
      machine.start(one);
      machine.drain();
    }
    seconds += user_seconds() - from;
    done += k_events_ahead;
    if (done % (count / k_rounds) == 0) rounds.push_back(std::exchange(seconds, 0) / (count / k_rounds) * 1e6);
  }
  std::sort(rounds.begin(), rounds.end());
  return rounds;
}

void bench_decisions(std::uint32_t nodes, std::uint32_t gang, std::uint32_t count, const char* goal) {
  const std::vector<double> rounds = decisions(nodes, gang, count);
  char reached[64];
  std::snprintf(reached, sizeof reached, "%.0f/s best, %.0f/s median, %ld MiB", 1e6 / rounds.front(),
                1e6 / rounds[rounds.size() / 2], resident_kib() / 1024);
  say("decisions on " + std::to_string(nodes) + " nodes, gangs of " + std::to_string(gang), reached, goal);
}

/// What one event costs with so many jobs pending behind a head that waits for the whole machine: seconds, sorted.
std::vector<double> queue_costs(std::uint32_t nodes, std::uint32_t pending, std::uint32_t events) {
  Machine machine(machine_of(nodes));
  std::vector<JobId> running;
  for (std::uint32_t i = 0; i < nodes / 16; ++i) {
    running.push_back(machine.submit(16, Duration::minutes(100 + i % 997)));
    machine.start(running.back());
  }
  Prng random(1);
  machine.submit(nodes, Duration::minutes(600));
  for (std::uint32_t i = 0; i < pending; ++i) {
    const auto wanted = static_cast<std::uint32_t>(1 + random.below(64));
    machine.submit(wanted, Duration::minutes(static_cast<std::int64_t>(100 + random.below(3000))));
  }
  machine.drain();
  std::vector<double> costs;
  for (std::uint32_t i = 0; i < events && !running.empty(); ++i) {
    const std::size_t at = random.below(running.size());
    const double from = user_seconds();
    machine.end(running[at]);
    const std::vector<Command> commands = std::move(machine.drain());
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
  return costs;
}

void bench_queue(std::uint32_t nodes, std::uint32_t pending, std::uint32_t events, const char* goal) {
  const std::vector<double> costs = queue_costs(nodes, pending, events);
  char reached[64];
  std::snprintf(reached, sizeof reached, "%.3f ms median, %.3f worst", costs[costs.size() / 2] * 1e3,
                costs.back() * 1e3);
  say("one event, " + std::to_string(pending) + " jobs pending on " + std::to_string(nodes) + " nodes, backfill on",
      reached, goal);
}

/// Fair shares of 2,000 users are computed anew, and the whole queue is put into the new order: one event.
void bench_ranking(std::uint32_t pending, const char* goal) {
  constexpr std::uint32_t k_users = 2'000;
  Config config = machine_of(12'800);
  config.scheduler.policy = OrderPolicy::multifactor;
  Machine machine(config);
  Prng random(1);
  for (std::uint32_t i = 0; i < 800; ++i) {
    machine.start(machine.submit(16, Duration::minutes(600), static_cast<std::uint32_t>(random.below(k_users))));
  }
  for (std::uint32_t i = 0; i < pending; ++i) {
    machine.submit(static_cast<std::uint32_t>(1 + random.below(64)), Duration::minutes(60),
                   static_cast<std::uint32_t>(random.below(k_users)));
  }
  machine.drain();
  std::vector<double> costs;
  for (int i = 0; i < 9; ++i) {
    machine.wait_until(machine.state().policy.ranked_at + Duration::minutes(5 * (i + 1)));
    const double from = user_seconds();
    machine.feed(EventBody{TimerFired{}});
    costs.push_back(user_seconds() - from);
  }
  std::sort(costs.begin(), costs.end());
  char reached[64];
  std::snprintf(reached, sizeof reached, "%.1f ms median, %.1f worst", costs[costs.size() / 2] * 1e3,
                costs.back() * 1e3);
  say("fair-share re-ordering of " + std::to_string(pending) + " jobs of 2000 users", reached, goal);
}

/// From the submission of a gang as large as the pool to the request for its VMs.
void bench_plan(const char* goal) {
  Config config = machine_of(1'250);
  config.pools[0].set_nodes_max = 100;
  config.pools[0].ib_spans_sets = true;
  std::vector<double> costs;
  for (int i = 0; i < 21; ++i) {
    Brain brain;
    brain.apply({1}, {Time::from_seconds(1), ConfigChanged{config}});
    JobSubmitted gang{{1000, 1000, "user", false}, job_of(1'250, Duration::minutes(60)), ""};
    const double from = user_seconds();
    brain.apply({2}, {Time::from_seconds(2), std::move(gang)});
    const std::vector<Command> commands = brain.take_commands();
    costs.push_back(user_seconds() - from);
    if (commands.empty()) std::abort();
  }
  std::sort(costs.begin(), costs.end());
  char reached[64];
  std::snprintf(reached, sizeof reached, "%.3f ms median, %.3f worst", costs[costs.size() / 2] * 1e3,
                costs.back() * 1e3);
  say("plan of a 1250-VM gang over 13 scale sets", reached, goal);
}

}  // namespace

void bench_all() {
  say("work, user CPU on one core", "reached", "must reach");
  bench_decisions(1'152, 1, 200'000, "300000/s");
  bench_decisions(1'152, 16, 60'000, "100000/s");
  bench_decisions(12'800, 1, 200'000, "100000/s, 50 MiB");
  bench_decisions(12'800, 16, 60'000, "50000/s, 50 MiB");
  bench_queue(12'800, 100'000, 500, "1 ms median, 10 worst");
  bench_ranking(100'000, "50 ms");
  bench_plan("1 ms");
  std::printf("\none decision, one # for 2 us\n");
  for (std::uint32_t nodes : {1'000U, 3'000U, 10'000U, 30'000U, 100'000U}) {
    bar(std::to_string(nodes) + " nodes", decisions(nodes, 1, 60'000).front(), 2);
  }
  std::printf("\none event on 12800 nodes, median, one # for 2 us\n");
  for (std::uint32_t pending : {1'000U, 10'000U, 100'000U, 1'000'000U}) {
    const std::vector<double> costs = queue_costs(12'800, pending, 300);
    bar(std::to_string(pending) + " jobs pending", costs[costs.size() / 2] * 1e6, 2);
  }
}

}  // namespace virga

int main() {
  virga::bench_all();
  return 0;
}
