// Usage that counts half after a half-life, in integers only.
//
//   UsageLedger ledger;
//   ledger.add("physics", "ada", node_seconds, job.ended, half_life);
//   for (const auto& [tenant, users] : ledger.weights) …          // to be compared with each other, not read alone
//
// All usage decays by the same factor, so shares of it do not change while nobody uses anything. The ledger therefore
// never touches old entries: new usage is added times 2^((at - origin) / half_life), which is the same up to a factor
// common to all. Once that factor would exceed 2^k_doublings_max, all entries are halved that often, and the origin
// moves on. add() is O(log n), with one O(n) pass in k_doublings_max half-lives.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/time.hpp"

namespace virga {

__extension__ using Wide = unsigned __int128;

/// 2^(fraction / 2^32) in units of 2^-32, rounded down; the relative error is below 2^-30.
std::uint64_t exp2_q32(std::uint32_t fraction);

/// An unsigned 128-bit number in two halves, which is how the journal knows integers.
struct Weight {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  Wide value() const { return Wide{high} << 64 | low; }
  static Weight of(Wide value) { return {static_cast<std::uint64_t>(value >> 64), static_cast<std::uint64_t>(value)}; }

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("high", s.high);
    v("low", s.low);
  }
};

struct UsageLedger {
  static constexpr std::uint32_t k_doublings_max = 16;
  static constexpr std::uint64_t k_usage_max = 1ULL << 44;  ///< of one add(); more counts as this

  Time origin;
  std::map<std::string, std::map<std::string, Weight>> weights;  ///< by tenant ("" without tenants) and user

  /// `usage` in node-seconds or any other unit that is always the same. It counts as used at the moment `at`; what is
  /// charged in pieces no longer than a hundredth of the half-life is at most 0.4 % away from a continuous charge.
  void add(const std::string& tenant, const std::string& user, std::uint64_t usage, Time at, Duration half_life);
  /// What the entry is worth at `at`, in the units of add(), rounded down.
  std::uint64_t decayed(const std::string& tenant, const std::string& user, Time at, Duration half_life) const;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("origin", s.origin);
    v("weights", s.weights);
  }
};

}  // namespace virga
