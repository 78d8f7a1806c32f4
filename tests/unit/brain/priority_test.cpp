// Priorities: the formula, and a queue whose order is at every moment that of the formula.
#include "brain/policy/priority.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/prng.hpp"

namespace virga {
namespace {

const Time k_start = Time::from_seconds(1'700'000'000);

PriorityWeights weights() {
  return {
      .age = 1'000, .fair_share = 10'000, .size = 100, .qos = 500, .partition = 50, .max_age = Duration::seconds(100)};
}

/// In which order they are served at `now`.
std::vector<std::size_t> order_at(const PriorityWeights& w, const std::vector<PriorityFactors>& jobs, Time now) {
  std::vector<std::pair<std::int64_t, std::size_t>> keys;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const Place place = place_of(w, jobs[i], now);
    keys.emplace_back(place.rank + (place.full_age ? rank_shift(w, now) : 0), i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::size_t> order;
  for (const auto& [key, i] : keys) order.push_back(i);
  return order;
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

TEST_CASE("priority: equal jobs are served in the order of their ids") {
  const std::vector<PriorityFactors> jobs(3, {.eligible = k_start});
  CHECK(order_at(weights(), jobs, k_start) == std::vector<std::size_t>{0, 1, 2});
  CHECK(order_at(weights(), jobs, k_start + Duration::seconds(500)) == std::vector<std::size_t>{0, 1, 2});
}

TEST_CASE("priority: a place stays what it is while the age grows, and once it is full") {
  const PriorityFactors job{.eligible = k_start, .nice = 3};
  const Place first = place_of(weights(), job, k_start);
  CHECK_FALSE(first.full_age);
  CHECK(first.full_at == k_start + Duration::seconds(100));
  CHECK(place_of(weights(), job, k_start + Duration::seconds(99)) == first);
  const Place last = place_of(weights(), job, first.full_at);
  CHECK(last.full_age);
  CHECK(last.full_at.is_never());
  CHECK(place_of(weights(), job, k_start + Duration::seconds(100'000)) == last);
  // At that moment both say the same.
  CHECK(last.rank + rank_shift(weights(), first.full_at) == first.rank);
}

TEST_CASE("priority: a job whose age is full is overtaken when the formula says so") {
  const std::vector<PriorityFactors> jobs{
      {.eligible = k_start},                                                     // full at 100 s
      {.eligible = k_start + Duration::seconds(50), .partition_ppm = 200'000}};  // 10 points more
  const auto order = [&](std::int64_t s) { return order_at(weights(), jobs, k_start + Duration::seconds(s)); };
  CHECK(order(100) == std::vector<std::size_t>{0, 1});  // 1000 against 510
  CHECK(order(149) == std::vector<std::size_t>{0, 1});  // 1000 against 1000: the id
  CHECK(order(150) == std::vector<std::size_t>{1, 0});
}

TEST_CASE("priority: ages without weight, and weights beyond all measure, are still an order") {
  PriorityWeights w{.age = 0, .fair_share = 1, .size = 0, .qos = 0, .partition = 0};
  CHECK(place_of(w, {.eligible = k_start}, k_start).full_age);
  w = {.age = 4'000'000'000, .fair_share = 4'000'000'000, .max_age = Duration::seconds(1)};
  const Place place = place_of(w, {.eligible = k_start}, k_start);
  CHECK(place.rank + rank_shift(w, k_start) >= place.rank);
}

TEST_CASE("priority: random queues are in the formula's order at every moment") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    Prng random(seed);
    PriorityWeights w = weights();
    w.max_age = Duration::seconds(1 + static_cast<std::int64_t>(random.below(300)));
    std::vector<PriorityFactors> jobs;
    for (int i = 0; i < 40; ++i) {
      jobs.push_back({.eligible = k_start - Duration::seconds(static_cast<std::int64_t>(random.below(400))),
                      .nice = static_cast<std::int32_t>(random.below(100)) - 50,
                      .fair_share_ppm = static_cast<std::uint32_t>(random.below(5) * 100'000),
                      .qos_ppm = static_cast<std::uint32_t>(random.below(2) * 1'000'000)});
    }
    const Time now = k_start + Duration::seconds(static_cast<std::int64_t>(random.below(300)));
    const std::vector<std::size_t> order = order_at(w, jobs, now);
    for (std::size_t k = 1; k < order.size(); ++k) {
      // Whole points; places are cut to millionths of one, so a tie may go either way.
      CHECK(priority_at(w, jobs[order[k - 1]], now) >= priority_at(w, jobs[order[k]], now) - 1);
    }
  }
}

}  // namespace virga
