// What a scheduling decision costs as the queue grows: 1,000 to 1,000,000 waiting jobs.
//
//   g++ -std=c++20 -O2 -DNDEBUG -Isrc bench/queue_kernel.cpp src/brain/sched/{waiting_list,release_profile}.cpp -o
//   /tmp/qk /tmp/qk
//
// Columns are nanoseconds of CPU each: insert; erase; "search": is there a job that fits, when there is none (a pass
// that starts nothing); "pass": a decision as it happens in a full system: one job ends, a pass starts what fits, one
// job arrives; "place": jobs ahead of one; "worst": a search that all summaries mislead (docs in waiting_list.hpp).
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <functional>
#include <queue>
#include <vector>

#include "base/prng.hpp"
#include "brain/sched/backfill_pass.hpp"

namespace virga {

namespace {

/// A pool of 100,000 units that is full; what ends makes room for what waits.
struct FullMachine {
  WaitingList& queue;
  std::int64_t free = 100'000;
  Time at = Time::from_seconds(1);
  ReleaseProfile running{};
  std::priority_queue<ReleaseKey, std::vector<ReleaseKey>, std::greater<>> ends{};
  std::vector<std::uint32_t> units{};

  Time now() const { return at; }
  std::int64_t free_units() const { return free; }
  Shadow shadow(const WaitingEntry& e) const { return running.shadow({free, e.units, at}); }
  bool start(const WaitingEntry& e) {
    const ReleaseKey key{at + e.estimate, e.job};
    free -= e.units;
    running.insert({key, e.units});
    ends.push(key);
    queue.erase(e.key);
    return true;
  }
  void end_one() {
    const ReleaseKey key = ends.top();
    ends.pop();
    at = key.end;
    free += units[key.job.value];
    running.erase(key);
  }
};

WaitingEntry random_job(Prng& random, std::uint32_t id) {
  const auto units = static_cast<std::uint32_t>(random.between(1, 1 << random.between(0, 12)));
  return {{0, id}, JobId{id}, units, Duration::seconds(random.between(60, 1 << random.between(7, 19)))};
}

template <class F>
double ns_each(std::int64_t times, F&& f) {
  const std::clock_t begin = std::clock();
  for (std::int64_t i = 0; i < times; ++i) f(i);
  return static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC * 1e9 / static_cast<double>(times);
}

std::uint64_t g_sink = 0;  // what is computed must be used

void measure(std::uint32_t pending) {
  Prng random(1);
  std::vector<WaitingEntry> jobs;
  for (std::uint32_t id = 1; id <= pending; ++id) jobs.push_back(random_job(random, id));
  WaitingList queue;
  const double insert = ns_each(pending, [&](std::int64_t i) { queue.insert(jobs[static_cast<std::size_t>(i)]); });
  auto any = [&]() -> const WaitingEntry& { return jobs[random.next() % pending]; };
  const double place = ns_each(200'000, [&](std::int64_t) { g_sink += queue.ahead_of(any().key).jobs; });
  const double search = ns_each(200'000, [&](std::int64_t) {
    g_sink += queue.first_fit({random.between(1, 4096), Duration::seconds(30), 0}) != nullptr;
  });
  const double churn = ns_each(200'000, [&](std::int64_t) {
    const WaitingEntry& e = any();
    queue.erase(e.key);
    queue.insert(e);
  });

  FullMachine machine{queue};
  machine.units.assign(pending + 2'000'000, 0);
  for (const WaitingEntry& e : jobs) machine.units[e.job.value] = e.units;
  backfill_pass(queue, &queue, machine);
  std::uint32_t next = pending;
  const double pass = ns_each(100'000, [&](std::int64_t) {
    machine.end_one();
    g_sink += backfill_pass(queue, &queue, machine).backfilled;
    while (queue.size() < pending) {  // the queue stays as long as it is
      const WaitingEntry e = random_job(random, ++next);
      machine.units[e.job.value] = e.units;
      queue.insert(e);
    }
  });

  WaitingList misleading;
  for (std::uint32_t id = 1; id <= pending; ++id) {
    const bool is_wide = id % 2 == 0;
    misleading.insert({{0, id}, JobId{id}, is_wide ? 63u : 48u, Duration::seconds(is_wide ? 1 : 1'000'000)});
  }
  const double worst = ns_each(20, [&](std::int64_t) {
    g_sink += misleading.first_fit({60, Duration::seconds(10), 0}) != nullptr;
  });
  std::printf("%9u %8.0f %8.0f %8.0f %8.0f %8.0f %10.0f\n", pending, insert, churn - insert, search, pass, place,
              worst);
  std::fflush(stdout);
}

}  // namespace

int run_bench() {
  std::printf("%9s %8s %8s %8s %8s %8s %10s\n", "pending", "insert", "erase", "search", "pass", "place", "worst");
  for (const std::uint32_t pending : {1'000u, 10'000u, 100'000u, 1'000'000u}) measure(pending);
  return g_sink == 0;
}

}  // namespace virga

int main() { return virga::run_bench(); }
