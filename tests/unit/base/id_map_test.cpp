// IdMap against std::map, by random operations.
#include "base/id_map.hpp"

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/prng.hpp"

namespace virga {

namespace {

/// Too large to lie in a page.
struct Large : std::string {
  Large() = default;
  Large(const std::string& text) : std::string(text) {}
  char room[64] = {};
};

template <class Map>
std::vector<std::pair<std::uint32_t, std::string>> listed(const Map& map) {
  std::vector<std::pair<std::uint32_t, std::string>> all;
  for (const auto& [id, text] : map) all.emplace_back(id.value, text);
  return all;
}

}  // namespace

TEST_CASE_TEMPLATE("id map: 200,000 random operations agree with std::map", Value, std::string, Large) {
  Prng random(1);
  IdMap<JobId, Value> map;
  std::map<std::uint32_t, std::string> right;
  for (int i = 0; i < 200'000; ++i) {
    const auto id = static_cast<std::uint32_t>(random.below(4) == 0 ? random.below(1U << 31) : random.below(2'000));
    const std::string text = std::to_string(i);
    switch (random.below(6)) {
      case 0:
        CHECK(map.emplace({id}, text).second == right.emplace(id, text).second);
        break;
      case 1:
        map.insert_or_assign({id}, text);
        right.insert_or_assign(id, text);
        break;
      case 2:
        CHECK(map.erase(JobId{id}) == right.erase(id));
        break;
      case 3: {
        auto at = map.lower_bound({id});
        auto right_at = right.lower_bound(id);
        CHECK((at == map.end()) == (right_at == right.end()));
        if (at == map.end()) break;
        CHECK(at->first.value == right_at->first);
        at = map.erase(at);
        right_at = right.erase(right_at);
        CHECK((at == map.end()) == (right_at == right.end()));
        break;
      }
      default: {
        const auto at = map.find({id});
        const auto right_at = right.find(id);
        CHECK((at == map.end()) == (right_at == right.end()));
        if (at != map.end()) CHECK(at->second == right_at->second);
      }
    }
    CHECK(map.size() == right.size());
    if (i % 20'000 == 0) {
      CHECK(listed(map) == std::vector<std::pair<std::uint32_t, std::string>>(right.begin(), right.end()));
      const IdMap<JobId, Value> copy = map;
      CHECK(listed(copy) == listed(map));
    }
  }
}

TEST_CASE("id map: elements stay where they are, and a moved map keeps them") {
  IdMap<JobId, std::string> map;
  std::string* const first = &map[JobId{7}];
  for (std::uint32_t id = 1; id < 5'000; ++id) map[JobId{id}] = "x";
  CHECK(&map.at(JobId{7}) == first);
  const IdMap<JobId, std::string> moved = std::move(map);
  CHECK(&moved.at(JobId{7}) == first);
  CHECK_FALSE(moved.contains(JobId{5'000}));
  CHECK(moved.begin()->first == JobId{1});
}

}  // namespace virga
