// A group that every machine has, and one that none has.
#include "wire/group_name.hpp"

#include <doctest/doctest.h>

namespace virga {

TEST_CASE("group names: those of this machine, and numbers for others") {
  CHECK(group_name(0) == "root");
  CHECK(group_name(4'000'000'123) == "4000000123");
}

}  // namespace virga
