// Single passes, as in the scheduling papers' figures; whole workloads are in unit/sim.
#include "brain/sched/backfill_pass.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "brain/sched/conservative.hpp"

namespace virga::test {

namespace {

/// A pool that starts what it is told, except the jobs that it has no suitable place for.
struct SmallMachine {
  std::int64_t free = 0;
  Time at = Time::from_seconds(1000);
  ReleaseProfile running{};
  WaitingList* queue = nullptr;
  WaitingList* walk = nullptr;
  JobId refused{};
  std::vector<std::uint32_t> started{};

  Time now() const { return at; }
  std::int64_t free_units() const { return free; }
  Shadow shadow(const WaitingEntry& e) const { return running.shadow({free, e.units, at}); }
  bool start(const WaitingEntry& e) {
    if (e.job == refused) return false;
    free -= e.units;
    running.insert({{at + e.estimate, e.job}, e.units});
    started.push_back(e.job.value);
    if (queue) queue->erase({0, e.job.value});
    if (walk) walk->erase({e.estimate.ns, e.job.value});
    return true;
  }
};

WaitingEntry job(std::uint32_t id, std::uint32_t units, std::int64_t seconds) {
  return {{0, id}, JobId{id}, units, Duration::seconds(seconds)};
}

using Ids = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("a pass starts heads, then what ends by the shadow time, then what the head leaves over") {
  WaitingList queue;
  SmallMachine machine{.free = 5, .queue = &queue};
  machine.running.insert({{Time::from_seconds(1100), JobId{90}}, 5});  // of 10 units
  for (const WaitingEntry& e :
       {job(1, 1, 500), job(2, 7, 50), job(3, 2, 101), job(4, 2, 100), job(5, 2, 500), job(6, 1, 500), job(7, 1, 99)}) {
    queue.insert(e);
  }
  const PassResult done = backfill_pass(queue, &queue, machine);
  // Job 1 is a head. Job 2 waits for 1100, when 9 units are free: 2 extra, which job 3 uses up; job 4 ends in time.
  CHECK(machine.started == Ids{1, 3, 4});
  CHECK(done.heads_started == 1);
  CHECK(done.backfilled == 2);
  CHECK(done.blocked->job == JobId{2});
  CHECK(done.shadow == Shadow{Time::from_seconds(1100), 2});
}

TEST_CASE("shortest first: the walk goes by estimate, heads go by submission") {
  WaitingList queue;
  WaitingList walk;
  SmallMachine machine{.free = 2, .queue = &queue, .walk = &walk};
  machine.running.insert({{Time::from_seconds(1100), JobId{90}}, 8});
  for (WaitingEntry e : {job(1, 10, 10), job(2, 1, 90), job(3, 1, 80), job(4, 1, 70)}) {
    queue.insert(e);
    e.key.rank = e.estimate.ns;
    walk.insert(e);
  }
  backfill_pass(queue, &walk, machine);
  CHECK(machine.started == Ids{4, 3});
}

TEST_CASE("first come, first served: nobody overtakes") {
  WaitingList queue;
  SmallMachine machine{.free = 2, .queue = &queue};
  queue.insert(job(1, 1, 10));
  queue.insert(job(2, 2, 10));
  queue.insert(job(3, 1, 10));
  const PassResult done = backfill_pass(queue, nullptr, machine);
  CHECK(machine.started == Ids{1});
  CHECK(done.blocked->job == JobId{2});
}

TEST_CASE("a job that the machine has no place for is passed over, and is no head twice") {
  WaitingList queue;
  SmallMachine machine{.free = 4, .queue = &queue, .refused = JobId{1}};
  queue.insert(job(1, 2, 10));
  queue.insert(job(2, 2, 10));
  const PassResult done = backfill_pass(queue, &queue, machine);
  CHECK(done.blocked->job == JobId{1});
  CHECK(done.shadow == Shadow{Time::from_seconds(1000), 2});
  CHECK(machine.started == Ids{2});
}

TEST_CASE("conservative: everybody has a reservation, and an early end moves them forward only") {
  const Time now = Time::from_seconds(1000);
  ConservativePlan plan(10);
  SmallMachine machine{.free = 10};
  CHECK(plan.submit(job(1, 8, 100), now) == now);
  CHECK(plan.submit(job(2, 5, 100), now) == Time::from_seconds(1100));
  CHECK(plan.submit(job(3, 2, 100), now) == now);
  CHECK(plan.submit(job(4, 2, 50), now) == Time::from_seconds(1100));
  CHECK(plan.submit(job(5, 11, 50), now).is_never());
  CHECK(plan.pass(machine) == 2);
  CHECK(machine.started == Ids{1, 3});
  CHECK(plan.next_start() == Time::from_seconds(1100));
  machine.at = Time::from_seconds(1040);
  machine.free += 8;
  plan.ended({now, Time::from_seconds(1100)}, 8, machine.at);
  CHECK(plan.pass(machine) == 2);
  CHECK(machine.started == Ids{1, 3, 2, 4});
  CHECK(plan.next_start().is_never());
}

TEST_CASE("conservative: a withdrawn job leaves its place to others") {
  const Time now = Time::from_seconds(1000);
  ConservativePlan plan(10);
  SmallMachine machine{.free = 10};
  plan.submit(job(1, 6, 100), now);
  plan.pass(machine);
  CHECK(plan.submit(job(2, 6, 100), now) == Time::from_seconds(1100));
  CHECK(plan.submit(job(3, 6, 100), now) == Time::from_seconds(1200));
  plan.cancel({0, 2});
  plan.cancel({0, 2});
  plan.pass(machine);
  CHECK(plan.start_of({0, 3}) == Time::from_seconds(1100));
  CHECK(plan.start_of({0, 2}).is_never());
}

}  // namespace virga::test
