// The index of waiting jobs against a sorted vector that is walked.
#include "brain/sched/waiting_list.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "support/random.hpp"

namespace virga::test {

namespace {

/// The obvious implementation.
struct NaiveList {
  std::vector<WaitingEntry> entries;

  auto at(const OrderKey& key) {
    return std::lower_bound(entries.begin(), entries.end(), key,
                            [](const WaitingEntry& e, const OrderKey& k) { return e.key < k; });
  }
  void insert(const WaitingEntry& entry) { entries.insert(at(entry.key), entry); }
  bool erase(const OrderKey& key) {
    const auto found = at(key);
    if (found == entries.end() || found->key != key) return false;
    entries.erase(found);
    return true;
  }
  std::optional<OrderKey> next_fit(std::optional<OrderKey> after, const Gap& gap) const {
    for (const WaitingEntry& e : entries) {
      if ((!after || e.key > *after) && e.units <= gap.free_units &&
          (e.estimate <= gap.ends_within || e.units <= gap.extra_units)) {
        return e.key;
      }
    }
    return std::nullopt;
  }
};

std::optional<OrderKey> key_of(const WaitingEntry* entry) { return entry ? std::optional(entry->key) : std::nullopt; }

/// Sizes and lengths as in real queues, and ones made to mislead the summaries: wide is short, narrow is long.
WaitingEntry random_entry(Random& random, std::uint64_t sequence, int kind) {
  WaitingEntry e{{random.between(-3, 3), sequence}, JobId{static_cast<std::uint32_t>(sequence)}, 1, Duration{}};
  if (kind == 0) {
    e.units = static_cast<std::uint32_t>(random.between(1, 100));
    e.estimate = Duration::seconds(random.between(1, 100000));
  } else if (kind == 1) {
    e.key.rank = 0;  // in order of submission: leaves are filled one after the other
    e.units = std::uint32_t{1} << random.between(0, 20);
    e.estimate = Duration{random.between(1, 40'000'000)};  // of the size of the summaries' steps
  } else {
    const bool wide = random.one_in(2);
    e.units = static_cast<std::uint32_t>(wide ? random.between(60, 63) : random.between(48, 50));
    e.estimate = Duration::seconds(wide ? random.between(1, 10) : random.between(1'000'000, 90'000'000));
  }
  return e;
}

Gap random_gap(Random& random, int kind) {
  Gap gap;
  gap.free_units = kind == 1 ? random.between(0, 1 << 20) >> random.between(0, 20) : random.between(0, 70);
  gap.ends_within = kind == 1 ? Duration{random.between(-1, 20'000'000) >> random.between(0, 12)}
                              : Duration::seconds(random.between(0, 200000) >> random.between(0, 17));
  gap.extra_units = random.one_in(2) ? 0 : random.between(0, gap.free_units) >> random.between(0, 6);
  return gap;
}

void compare(const WaitingList& list, NaiveList& naive, Random& random, int kind) {
  REQUIRE(list.size() == naive.entries.size());
  CHECK(key_of(list.first()) == (naive.entries.empty() ? std::nullopt : std::optional(naive.entries.front().key)));
  const Gap gap = random_gap(random, kind);
  CHECK(key_of(list.first_fit(gap)) == naive.next_fit(std::nullopt, gap));
  const OrderKey key{random.between(-3, 3), static_cast<std::uint64_t>(random.between(0, 4000))};
  CHECK(key_of(list.next_fit(key, gap)) == naive.next_fit(key, gap));
  CHECK(key_of(list.next(key)) == naive.next_fit(key, {1 << 30, Duration::infinite(), 0}));
  const auto at = naive.at(key);
  const bool is_there = at != naive.entries.end() && at->key == key;
  CHECK((list.find(key) != nullptr) == is_there);
  WaitingList::Ahead ahead;
  for (auto e = naive.entries.begin(); e != at; ++e) ahead = {ahead.jobs + 1, ahead.units + e->units};
  CHECK(list.ahead_of(key).jobs == ahead.jobs);
  CHECK(list.ahead_of(key).units == ahead.units);
}

}  // namespace

TEST_CASE("the waiting list answers as a walk over a sorted vector does") {
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const int kind = static_cast<int>(seed % 3);
    WaitingList list;
    NaiveList naive;
    std::uint64_t sequence = 0;
    for (int round = 0; round < 4; ++round) {
      // The list grows to a few thousand jobs and shrinks to none or few.
      const std::int64_t growth = random.between(50, 1200);
      for (std::int64_t i = 0; i < growth; ++i) {
        const WaitingEntry entry = random_entry(random, ++sequence, kind);
        list.insert(entry);
        naive.insert(entry);
        if (random.one_in(40)) compare(list, naive, random, kind);
      }
      const auto keep = static_cast<std::size_t>(random.between(0, 40));
      const bool from_front = random.one_in(2);
      while (naive.entries.size() > keep) {
        const auto last = static_cast<std::int64_t>(naive.entries.size()) - 1;
        const OrderKey key = naive.entries[static_cast<std::size_t>(from_front ? 0 : random.between(0, last))].key;
        REQUIRE(list.erase(key));
        REQUIRE_FALSE(list.erase(key));
        naive.erase(key);
        if (random.one_in(20)) compare(list, naive, random, kind);
      }
    }
    std::int64_t units = 0;
    for (const WaitingEntry& e : naive.entries) units += e.units;
    CHECK(list.units() == units);
  }
}

TEST_CASE("a class of sizes never promises less than it holds") {
  std::uint32_t before = 0;
  for (std::int64_t units = 1; units <= 1 << 16; ++units) {
    const std::uint32_t size_class = WaitingColumns::class_of(units);
    REQUIRE(size_class >= before);
    REQUIRE(size_class < WaitingColumns::k_classes);
    before = size_class;
  }
  CHECK(WaitingColumns::class_of(0xffffffffLL) == WaitingColumns::k_classes - 1);
  CHECK(WaitingColumns::class_of(8) != WaitingColumns::class_of(7));
  CHECK(WaitingColumns::class_of(12) != WaitingColumns::class_of(11));
  // What is longer than the summaries can say is "so long or longer"; a negative gap holds nothing.
  CHECK(WaitingColumns::coarse(Duration::infinite()) == WaitingColumns::coarse(Duration::seconds(1'000'000'000)));
  CHECK(WaitingColumns::coarse(Duration::seconds(-5)) < WaitingColumns::coarse(Duration{0}));
}

TEST_CASE("no job fits into nothing") {
  WaitingList list;
  CHECK(list.first() == nullptr);
  CHECK(list.first_fit({8, Duration::seconds(9), 8}) == nullptr);
  CHECK(list.ahead_of({5, 5}).jobs == 0);
  list.insert({{0, 1}, JobId{1}, 1, Duration::seconds(1)});
  CHECK(list.first_fit({0, Duration::infinite(), 0}) == nullptr);
  CHECK(list.first_fit({1, Duration::seconds(1), 0}) != nullptr);
  CHECK(list.first_fit({1, Duration{999'999'999}, 0}) == nullptr);
  CHECK(list.first_fit({1, Duration{}, 1}) != nullptr);
}

}  // namespace virga::test
