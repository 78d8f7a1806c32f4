// The generator's numbers are part of what a seed means: golden values hold them fast.
#include "base/prng.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace virga::test {

TEST_CASE("the same numbers everywhere") {
  // Made with the reference splitmix64.c and xoshiro256starstar.c, seed 42.
  Prng random(42);
  CHECK(random.next() == 0x15780b2e0c2ec716ULL);
  CHECK(random.next() == 0x6104d9866d113a7eULL);
  CHECK(random.next() == 0xae17533239e499a1ULL);
  CHECK(random.next() == 0xecb8ad4703b360a1ULL);
}

TEST_CASE("below() reaches all of its numbers about equally often") {
  Prng random(1);
  std::vector<int> counts(6, 0);
  for (int i = 0; i < 60'000; ++i) ++counts.at(random.below(6));
  for (int count : counts) CHECK(std::abs(count - 10'000) < 500);
  for (int i = 0; i < 1'000; ++i) CHECK(random.below(1) == 0);
  CHECK(random.between(-3, -3) == -3);
}

TEST_CASE("the logarithm is right to a few millionths, and the exponential has its mean") {
  for (std::uint64_t u : {1ULL, 2ULL, 12345ULL, 1ULL << 40, 0x8000000000000000ULL, ~0ULL, 0xc000000000000001ULL}) {
    const double exact = -std::log(static_cast<double>(u) / std::pow(2.0, 64));
    CHECK(std::abs(static_cast<double>(detail::minus_ln(u)) / std::pow(2.0, 32) - exact) < 4e-6);
  }
  Prng random(7);
  const Duration mean = Duration::seconds(90);
  std::int64_t sum = 0;
  int beyond = 0;
  for (int i = 0; i < 100'000; ++i) {
    const Duration d = random.exponential(mean);
    sum += d.ns / 1'000;
    beyond += d > mean;
  }
  CHECK(std::abs(sum / 100'000 - mean.ns / 1'000) < mean.ns / 100'000);
  CHECK(std::abs(beyond - 36'788) < 600);  // 1/e of them
}

TEST_CASE("shuffle() keeps every item, and split streams differ") {
  std::vector<int> items;
  for (int i = 0; i < 100; ++i) items.push_back(i);
  const std::vector<int> before = items;
  Prng random(3);
  random.shuffle(items);
  CHECK(items != before);
  std::sort(items.begin(), items.end());
  CHECK(items == before);
  CHECK(random.split().next() != random.next());
}

}  // namespace virga::test
