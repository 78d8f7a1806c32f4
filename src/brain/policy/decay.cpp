#include "brain/policy/decay.hpp"

#include <algorithm>
#include <array>

namespace virga {

namespace {

constexpr int k_unit_bits = 32;  ///< fraction bits of a weight: usage of one second is not lost at the origin

/// The whole square root, bit by bit from the top.
constexpr Wide square_root(Wide n) {
  Wide root = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const Wide tried = root | Wide{1} << bit;
    if (tried * tried <= n) root = tried;
  }
  return root;
}

/// 2^(1/2), 2^(1/4), 2^(1/8) … in units of 2^-62: each is the square root of the one before.
constexpr std::array<std::uint64_t, 32> k_roots_of_two = [] {
  std::array<std::uint64_t, 32> roots{};
  Wide power = Wide{2} << 62;
  for (std::uint64_t& root : roots) {
    power = square_root(power << 62);
    root = static_cast<std::uint64_t>(power);
  }
  return roots;
}();

/// (at - origin) / half_life in units of 2^-32. Neither may be infinite.
std::uint64_t half_lives_q32(Duration elapsed, Duration half_life) {
  return static_cast<std::uint64_t>((Wide{static_cast<std::uint64_t>(elapsed.ns)} << 32) /
                                    static_cast<std::uint64_t>(half_life.ns));
}

}  // namespace

std::uint64_t exp2_q32(std::uint32_t fraction) {
  Wide product = Wide{1} << 62;
  for (std::size_t i = 0; i < k_roots_of_two.size(); ++i) {
    if ((fraction >> (31 - i) & 1) != 0) product = product * k_roots_of_two[i] >> 62;
  }
  return static_cast<std::uint64_t>(product >> 30);
}

void UsageLedger::add(const std::string& tenant, const std::string& user, std::uint64_t usage, Time at,
                      Duration half_life) {
  usage = std::min(usage, k_usage_max);
  if (!origin.is_set()) origin = at;
  std::uint64_t doublings = 0;
  if (!half_life.is_infinite() && at > origin) doublings = half_lives_q32(at - origin, half_life);
  if (doublings >> 32 >= k_doublings_max) {
    const std::uint64_t whole = doublings >> 32;
    for (auto& [name, users] : weights) {
      for (auto& [who, weight] : users) weight = Weight::of(whole < 128 ? weight.value() >> whole : Wide{0});
    }
    origin = origin + Duration{half_life.ns * static_cast<std::int64_t>(whole)};
    doublings &= 0xffffffffU;
  }
  // At most 2^44 usage times 2^33 times 2^15: sums of a million such stay far below 2^128.
  const Wide added = (Wide{usage} * exp2_q32(static_cast<std::uint32_t>(doublings))) << (doublings >> 32);
  Weight& weight = weights[tenant][user];
  weight = Weight::of(weight.value() + added);
}

std::uint64_t UsageLedger::decayed(const std::string& tenant, const std::string& user, Time at,
                                   Duration half_life) const {
  const auto users = weights.find(tenant);
  if (users == weights.end()) return 0;
  const auto found = users->second.find(user);
  if (found == users->second.end()) return 0;
  Wide value = found->second.value();
  if (half_life.is_infinite() || at <= origin) return static_cast<std::uint64_t>(value >> k_unit_bits);
  const std::uint64_t halvings = half_lives_q32(at - origin, half_life);
  if (halvings >> 32 >= 128) return 0;
  value >>= halvings >> 32;
  return static_cast<std::uint64_t>(value / exp2_q32(static_cast<std::uint32_t>(halvings)));
}

}  // namespace virga
