// TimeIndex against a sorted set, by random operations.
#include "brain/sched/time_index.hpp"

#include <doctest/doctest.h>

#include <set>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"

namespace virga {

TEST_CASE("time index: 50,000 random operations agree with std::set") {
  Prng random(1);
  TimeIndex<JobId> index;
  std::set<std::pair<Time, JobId>> right;
  for (int i = 0; i < 50'000; ++i) {
    const Time when{static_cast<std::int64_t>(random.below(300))};
    const JobId id{static_cast<std::uint32_t>(random.below(50))};
    if (random.below(2) == 0) {
      if (right.emplace(when, id).second) index.insert(when, id);
    } else {
      CHECK(index.erase(when, id) == (right.erase({when, id}) == 1));
    }
    CHECK(index.size() == right.size());
    CHECK(index.first() == (right.empty() ? Time::never() : right.begin()->first));
    if (!right.empty()) CHECK(index.first_id() == right.begin()->second);
    if (i % 100 != 0) continue;
    std::vector<JobId> due;
    for (const auto& [at, who] : right) {
      if (at <= when) due.push_back(who);
    }
    CHECK(index.due(when) == due);
  }
}

}  // namespace virga
