// IdSet against std::set, by random operations.
#include "base/id_set.hpp"

#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"

namespace virga {

TEST_CASE("id set: 200,000 random operations agree with std::set") {
  Prng random(1);
  IdSet<JobId> set;
  std::set<JobId> right;
  for (int i = 0; i < 200'000; ++i) {
    const JobId id{static_cast<std::uint32_t>(random.below(8) == 0 ? random.below(1U << 31) : random.below(2'000))};
    if (random.below(2) == 0) {
      CHECK(set.insert(id) == right.insert(id).second);
    } else {
      CHECK(set.erase(id) == right.erase(id));
    }
    CHECK(set.contains(id) == right.contains(id));
    CHECK(set.size() == right.size());
    if (i % 1'000 == 0) {
      CHECK(std::vector<JobId>(set.begin(), set.end()) == std::vector<JobId>(right.begin(), right.end()));
      set.clear();
      right.clear();
      CHECK((set.empty() && set.begin() == set.end()));
    }
  }
}

TEST_CASE("id set: the ends of words and pages") {
  IdSet<VmId> set;
  const std::vector<VmId> ids = {{0}, {63}, {64}, {511}, {512}, {~std::uint64_t{0}}};
  for (VmId id : ids) CHECK(set.insert(id));
  CHECK(std::vector<VmId>(set.begin(), set.end()) == ids);
  for (VmId id : ids) CHECK(set.erase(id) == 1);
  CHECK(set.begin() == set.end());
}

}  // namespace virga
