// Which instance becomes which node.
#include "clouds/azure/leaf_match.hpp"

#include <doctest/doctest.h>

using virga::azure::match_leaves;
using Indices = std::vector<std::size_t>;

TEST_CASE("leaf match: without a word of Azure's, instances come in their order") {
  CHECK(match_leaves({0, 1, 0}, {"", "", "", ""}, {}) == Indices{0, 1, 2});
  CHECK(match_leaves({}, {"", ""}, {}).empty());
}

TEST_CASE("leaf match: nodes join those of their leaf, and take nothing that others need") {
  CHECK(match_leaves({0, 0, 1}, {"x", "y", "y"}, {{1, "x"}}) == Indices{1, 2, 0});
  CHECK(match_leaves({0, 1, 1}, {"y", "y", "x"}, {}) == Indices{2, 0, 1});
  CHECK(match_leaves({0, 0, 0}, {"x", "y", "y", "z", "z", "z"}, {}) == Indices{3, 4, 5});
}

TEST_CASE("leaf match: where no leaf has enough, as few as possible serve") {
  CHECK(match_leaves({0, 0, 0, 0}, {"x", "y", "y", "z"}, {}) == Indices{1, 2, 0, 3});
  CHECK(match_leaves({0, 0, 0}, {"x", "y", "y"}, {{0, "x"}}) == Indices{0, 1, 2});
  CHECK(match_leaves({0}, {"y"}, {{0, "gone"}}) == Indices{0});
}
