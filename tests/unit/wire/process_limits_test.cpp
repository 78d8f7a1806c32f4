// Limits that travel with a submission.
#include "wire/process_limits.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

namespace virga {

TEST_CASE("process limits: variables are taken out of the environment, and what they ask for is told") {
  std::vector<std::string> environment = {
      "A=1", "SLURM_RLIMIT_NOFILE=64", "SLURM_RLIMIT_CORE=unlimited", "SLURM_RLIMIT_NOFILES=7", "SLURM_RLIMIT_AS=many",
      "B=2"};
  const std::vector<LimitWish> wishes = take_limits(environment);
  CHECK(environment == std::vector<std::string>{"A=1", "B=2"});
  REQUIRE(wishes.size() == 2);
  CHECK(wishes[0].resource == RLIMIT_NOFILE);
  CHECK(wishes[0].soft == 64);
  CHECK(wishes[1].resource == RLIMIT_CORE);
  CHECK(wishes[1].soft == RLIM_INFINITY);
}

TEST_CASE("process limits: soft ones are set, never above the hard ones") {
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_CORE, &before) == 0);
  const LimitWish low{RLIMIT_CORE, 0};
  apply_limits({&low, 1});
  rlimit now{};
  REQUIRE(getrlimit(RLIMIT_CORE, &now) == 0);
  CHECK(now.rlim_cur == 0);
  CHECK(now.rlim_max == before.rlim_max);
  const LimitWish high{RLIMIT_CORE, RLIM_INFINITY};
  apply_limits({&high, 1});
  REQUIRE(getrlimit(RLIMIT_CORE, &now) == 0);
  CHECK(now.rlim_cur == before.rlim_max);
  REQUIRE(setrlimit(RLIMIT_CORE, &before) == 0);
}

}  // namespace virga
