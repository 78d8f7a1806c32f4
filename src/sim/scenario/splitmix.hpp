// Pseudo-random numbers of the scenarios: splitmix64 (Steele, Lea, Flood 2014), the same on every machine.
//
//   SplitMix64 random(seed);
//   random.below(6);               // 0 ... 5, unbiased
//   random.percent(40);            // true in 40 of 100 cases
#pragma once

#include <cstdint>

#include "base/assert.hpp"

namespace virga {

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }

  /// Draws again where the last, incomplete round of remainders would favour small numbers.
  std::uint64_t below(std::uint64_t n) {
    VIRGA_ASSERT(n > 0, "there is no number below zero");
    const std::uint64_t least = (0 - n) % n;
    std::uint64_t value = next();
    while (value < least) value = next();
    return value % n;
  }

  bool percent(std::uint64_t share) { return below(100) < share; }

 private:
  std::uint64_t state_;
};

}  // namespace virga
