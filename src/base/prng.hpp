// Our own pseudo-random numbers: the same seed gives the same numbers on every machine and compiler.
//
//   Prng random(42);
//   random.below(6);                                // 0 … 5, each equally likely
//   random.between(1, 6);                           // 1 … 6
//   random.chance(1, 100);                          // true once in a hundred
//   random.exponential(Duration::seconds(90));      // 90 s on average, mostly less, sometimes much more
//   random.shuffle(nodes);
//   Prng cloud = random.split();                    // a stream of its own: drawing from one does not move the other
//
// xoshiro256** 1.0 seeded by splitmix64 (Blackman and Vigna, https://prng.di.unimi.it); below() is Lemire's method with
// rejection (https://arxiv.org/abs/1805.10941), so it has no bias. The logarithm is a fixed-point table of 257 entries
// with linear interpolation: its error is below 4e-6. Every call takes constant time. It protects against nobody.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "base/time.hpp"

namespace virga {

namespace detail {

__extension__ using Wide = unsigned __int128;

/// log2(1 + i/256) in units of 2^-32, by repeated squaring.
constexpr std::array<std::uint64_t, 257> make_log2_table() {
  std::array<std::uint64_t, 257> table{};
  for (std::uint64_t i = 0; i < 256; ++i) {
    std::uint64_t y = (256 + i) << 54;  // 1 ≤ y < 2, in units of 2^-62
    std::uint64_t log = 0;
    for (int bit = 31; bit >= 0; --bit) {
      y = static_cast<std::uint64_t>((Wide{y} * y) >> 62);
      if (y < (std::uint64_t{1} << 63)) continue;
      y >>= 1;
      log |= std::uint64_t{1} << bit;
    }
    table[i] = log;
  }
  table[256] = std::uint64_t{1} << 32;
  return table;
}
inline constexpr std::array<std::uint64_t, 257> k_log2_table = make_log2_table();

/// −ln(u / 2^64) in units of 2^-32; `u` is not zero.
constexpr std::uint64_t minus_ln(std::uint64_t u) {
  constexpr std::uint64_t k_ln2 = 2'977'044'472;  // ln 2 in units of 2^-32
  const auto zeros = static_cast<std::uint64_t>(std::countl_zero(u));
  const std::uint64_t mantissa = u << zeros << 1;  // what follows the leading one
  const std::uint64_t index = mantissa >> 56;
  const std::uint64_t between = (mantissa >> 24) & 0xffff'ffff;
  const std::uint64_t low = k_log2_table[index];
  const std::uint64_t log2 = low + (((k_log2_table[index + 1] - low) * between) >> 32);
  const std::uint64_t minus_log2 = ((zeros + 1) << 32) - log2;
  return static_cast<std::uint64_t>((Wide{minus_log2} * k_ln2) >> 32);
}

}  // namespace detail

class Prng {
 public:
  constexpr explicit Prng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {  // splitmix64
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
      word = z ^ (z >> 31);
    }
  }

  constexpr std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// 0 … n-1. There is no number below zero: `n` is at least 1.
  constexpr std::uint64_t below(std::uint64_t n) {
    VIRGA_ASSERT(n > 0, "a number below n needs n > 0");
    detail::Wide product = detail::Wide{next()} * n;
    if (static_cast<std::uint64_t>(product) < n) {
      const std::uint64_t threshold = (0 - n) % n;
      while (static_cast<std::uint64_t>(product) < threshold) product = detail::Wide{next()} * n;
    }
    return static_cast<std::uint64_t>(product >> 64);
  }

  /// a … b, both included; less than 2^63 apart.
  constexpr std::int64_t between(std::int64_t a, std::int64_t b) {
    return a + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(b - a) + 1));
  }
  constexpr Duration between(Duration a, Duration b) { return {between(a.ns, b.ns)}; }

  constexpr bool chance(std::uint64_t numerator, std::uint64_t denominator) { return below(denominator) < numerator; }

  /// Exponentially distributed with this mean; never more than 45 times the mean.
  constexpr Duration exponential(Duration mean) {
    std::uint64_t u = next();
    if (u == 0) u = 1;
    return {static_cast<std::int64_t>((detail::Wide{static_cast<std::uint64_t>(mean.ns)} * detail::minus_ln(u)) >> 32)};
  }

  template <class T>
  constexpr void shuffle(std::vector<T>& items) {
    for (std::size_t n = items.size(); n > 1; --n) std::swap(items[n - 1], items[below(n)]);
  }

  constexpr Prng split() { return Prng(next()); }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace virga
