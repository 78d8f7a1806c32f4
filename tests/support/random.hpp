// Random numbers of tests: the same on every machine for the same seed.
//
//   Random random(seed);
//   random.between(1, 6);
#pragma once

#include <cstdint>

#include "base/prng.hpp"

namespace virga::test {

struct Random : Prng {
  using Prng::Prng;
  bool one_in(std::uint64_t n) { return chance(1, n); }
};

}  // namespace virga::test
