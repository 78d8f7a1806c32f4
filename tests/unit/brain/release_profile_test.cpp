// Shadow times against a walk over the running jobs, and the profile of promises against counting.
#include "brain/sched/release_profile.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "brain/sched/availability_profile.hpp"
#include "support/random.hpp"

namespace virga::test {

namespace {

Shadow naive_shadow(std::vector<ReleaseEntry> running, const ReleaseProfile::Wish& wish) {
  std::sort(running.begin(), running.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  auto free_at = [&](Time t) {
    std::int64_t free = wish.free_units;
    for (const ReleaseEntry& e : running) free += e.key.end <= t ? e.units : 0;
    return free;
  };
  if (wish.free_units >= wish.need) return {wish.now, free_at(wish.now) - wish.need};
  for (const ReleaseEntry& e : running) {
    const Time at = std::max(e.key.end, wish.now);
    if (free_at(at) >= wish.need) return {at, free_at(at) - wish.need};
  }
  return {};
}

}  // namespace

TEST_CASE("the shadow time is the one that a walk over the running jobs finds") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    ReleaseProfile profile;
    std::vector<ReleaseEntry> running;
    const std::int64_t size = random.between(1, 700);
    for (std::uint32_t id = 1; id <= 1500; ++id) {
      if (static_cast<std::int64_t>(running.size()) >= random.between(1, size)) {
        const auto i = static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(running.size()) - 1));
        REQUIRE(profile.erase(running[i].key));
        REQUIRE_FALSE(profile.erase(running[i].key));
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
      }
      running.push_back(
          {{Time::from_seconds(random.between(1, 300)), JobId{id}}, static_cast<std::uint32_t>(random.between(1, 50))});
      profile.insert(running.back());
      if (!random.one_in(40)) continue;
      const ReleaseProfile::Wish wish{random.between(0, 60), random.between(1, 60) * random.between(1, 200),
                                      Time::from_seconds(random.between(0, 320))};
      CHECK(profile.shadow(wish) == naive_shadow(running, wish));
    }
    CHECK(profile.size() == running.size());
  }
}

TEST_CASE("units that are added and removed under one key are those of one entry") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    ReleaseProfile profile;
    std::map<Time, std::uint32_t> right;
    for (int i = 0; i < 4'000; ++i) {
      const Time when = Time::from_seconds(random.between(1, 500));
      const auto units = static_cast<std::uint32_t>(random.between(1, 40));
      auto known = right.find(when);
      if (known != right.end() && random.one_in(2)) {
        const std::uint32_t fewer = std::min(units, known->second);
        profile.remove({when, {}}, fewer);
        if ((known->second -= fewer) == 0) right.erase(known);
      } else {
        profile.add({when, {}}, units);
        right[when] += units;
      }
      CHECK(profile.size() == right.size());
      std::int64_t until = 0;
      for (const auto& [at, there] : right) until += at <= when ? there : 0;
      if (i % 10 == 0) CHECK(profile.units_until(when) == until);
    }
  }
}

TEST_CASE("a job that ran past its estimate ends now") {
  ReleaseProfile profile;
  profile.insert({{Time::from_seconds(100), JobId{1}}, 4});
  profile.insert({{Time::from_seconds(110), JobId{2}}, 4});
  profile.insert({{Time::from_seconds(200), JobId{3}}, 4});
  const Time now = Time::from_seconds(150);
  CHECK(profile.shadow({0, 3, now}) == Shadow{now, 5});
  CHECK(profile.shadow({0, 9, now}) == Shadow{Time::from_seconds(200), 3});
  CHECK(profile.shadow({0, 13, now}).at.is_never());
}

TEST_CASE("the availability profile finds what counting second by second finds") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    constexpr std::int64_t k_end = 120;
    AvailabilityProfile profile(20);
    std::vector<std::int64_t> free(k_end + 100, 20);
    auto at = [](std::int64_t s) { return Time::from_seconds(s); };
    std::vector<std::array<std::int64_t, 3>> taken;
    std::int64_t now = 0;
    for (int i = 0; i < 60; ++i) {
      if (!taken.empty() && random.one_in(4)) {
        const auto [from, until, units] = taken.back();
        taken.pop_back();
        profile.give_back({at(std::max(now, from)), at(std::max(now, until))}, units);
        for (std::int64_t s = std::max(now, from); s < until; ++s) free[static_cast<std::size_t>(s)] += units;
        continue;
      }
      if (random.one_in(5)) profile.forget_before(at(now += random.between(0, 2)));
      const std::int64_t units = random.between(1, 20);
      const std::int64_t lasts = random.between(1, 30);
      std::int64_t start = now;
      auto fits = [&] {
        return std::all_of(free.begin() + start, free.begin() + std::min<std::int64_t>(start + lasts, k_end + 100),
                           [&](std::int64_t f) { return f >= units; });
      };
      while (!fits()) ++start;
      CHECK(profile.earliest_fit(at(now), {units, Duration::seconds(lasts)}) == at(start));
      if (start + lasts > k_end) continue;
      profile.take({at(start), at(start + lasts)}, units);
      for (std::int64_t s = start; s < start + lasts; ++s) free[static_cast<std::size_t>(s)] -= units;
      taken.push_back({start, start + lasts, units});
      const std::int64_t probe = random.between(now, k_end);
      CHECK(profile.free_at(at(probe)) == free[static_cast<std::size_t>(probe)]);
    }
  }
}

}  // namespace virga::test
