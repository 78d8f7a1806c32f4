// Priorities: the formula, and a queue whose order is at every moment that of the formula.
#include "brain/policy/priority.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace virga {
namespace {

const Time k_start = Time::from_seconds(1'700'000'000);

PriorityWeights weights() {
  return {
      .age = 1'000, .fair_share = 10'000, .size = 100, .qos = 500, .partition = 50, .max_age = Duration::seconds(100)};
}

std::vector<JobId> walk(const PriorityOrder& order, Time now) {
  std::vector<JobId> jobs;
  for (PriorityOrder::Cursor at = order.begin(now); at; at.next()) jobs.push_back(at.job());
  return jobs;
}

}  // namespace

TEST_CASE("priority: each factor times its weight, less nice") {
  PriorityFactors f{.eligible = k_start,
                    .nice = 7,
                    .fair_share_ppm = 500'000,
                    .size_ppm = 250'000,
                    .qos_ppm = 1'000'000,
                    .partition_ppm = 100'000};
  CHECK(priority_at(weights(), f, k_start) == 5'000 + 25 + 500 + 5 - 7);
  CHECK(priority_at(weights(), f, k_start + Duration::seconds(10)) == 5'523 + 100);
  CHECK(priority_at(weights(), f, k_start + Duration::seconds(100)) == 5'523 + 1'000);
  CHECK(priority_at(weights(), f, k_start + Duration::seconds(100'000)) == 5'523 + 1'000);
  CHECK(priority_at(weights(), f, k_start - Duration::seconds(50)) == 5'523);
  CHECK(priority_at(weights(), {.eligible = k_start, .nice = 1}, k_start) == -1);
  CHECK(share_ppm(1, 4) == 250'000);
  CHECK(share_ppm(5, 4) == 1'000'000);
  CHECK(share_ppm(0, 0) == 0);
}

TEST_CASE("priority: equal jobs are served in the order of their ids, and one leaves cleanly") {
  PriorityOrder order(weights());
  for (std::uint32_t id : {3U, 1U, 2U}) order.insert({id}, {.eligible = k_start});
  CHECK(walk(order, k_start) == std::vector<JobId>{{1}, {2}, {3}});
  order.erase({2});
  order.erase({2});
  CHECK(walk(order, k_start) == std::vector<JobId>{{1}, {3}});
  CHECK(order.jobs_ahead({3}, k_start) == 1);
  order.insert({3}, {.eligible = k_start, .nice = -5});
  CHECK(walk(order, k_start) == std::vector<JobId>{{3}, {1}});
  CHECK(order.size() == 2);
  CHECK(order.next_full_age() == k_start + Duration::seconds(100));
  order.advance(k_start + Duration::seconds(100));
  CHECK(order.next_full_age().is_never());
  CHECK(walk(order, k_start + Duration::seconds(100)) == std::vector<JobId>{{3}, {1}});
}

TEST_CASE("priority: a job whose age is full is overtaken, and overtakes, when the formula says so") {
  PriorityOrder order(weights());
  order.insert({1}, {.eligible = k_start});                                                    // full at 100 s
  order.insert({2}, {.eligible = k_start + Duration::seconds(50), .partition_ppm = 200'000});  // 10 points more
  order.advance(k_start + Duration::seconds(100));
  CHECK(walk(order, k_start + Duration::seconds(100)) == std::vector<JobId>{{1}, {2}});  // 1000 against 510
  CHECK(walk(order, k_start + Duration::seconds(149)) == std::vector<JobId>{{1}, {2}});  // 1000 against 1000: the id
  order.advance(k_start + Duration::seconds(150));
  CHECK(walk(order, k_start + Duration::seconds(150)) == std::vector<JobId>{{2}, {1}});
}

TEST_CASE("priority: random queues are in the formula's order at every moment") {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    PriorityWeights w = weights();
    w.max_age = Duration::seconds(1 + random() % 300);
    PriorityOrder order(w);
    std::map<JobId, PriorityFactors> jobs;
    Time now = k_start;
    for (int step = 0; step < 60; ++step) {
      now = now + Duration::seconds(random() % 20);
      order.advance(now);
      const JobId id{1 + static_cast<std::uint32_t>(random() % 40)};
      switch (random() % 4) {
        case 0:
          order.erase(id);
          jobs.erase(id);
          break;
        case 1:
          order.refresh([&](JobId job) { return (job.value * 7'919U + seed) % 1'000'001U; });
          for (auto& [job, f] : jobs) f.fair_share_ppm = (job.value * 7'919U + seed) % 1'000'001U;
          break;
        default:
          jobs[id] = {.eligible = now - Duration::seconds(random() % 400),
                      .nice = static_cast<std::int32_t>(random() % 100) - 50,
                      .fair_share_ppm = static_cast<std::uint32_t>(random() % 5 * 100'000),
                      .qos_ppm = static_cast<std::uint32_t>(random() % 2 * 1'000'000)};
          order.insert(id, jobs[id]);
      }
      // The exact value: micropoints times max_age.
      __extension__ using Int = __int128;
      std::vector<std::pair<Int, JobId>> right;
      for (const auto& [job, f] : jobs) {
        const Duration age = std::min(now - f.eligible, w.max_age);
        right.emplace_back(-(Int{static_micropoints(w, f)} * w.max_age.ns + Int{w.age} * 1'000'000 * age.ns), job);
      }
      std::sort(right.begin(), right.end());
      std::vector<JobId> expected;
      for (const auto& [value, job] : right) expected.push_back(job);
      CHECK(walk(order, now) == expected);
    }
  }
}

}  // namespace virga
