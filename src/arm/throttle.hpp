// The documented token buckets: those of the ARM front end per principal, and those of the compute and network
// providers per resource and per subscription and region.
//
//   Throttle throttle;
//   Verdict verdict = throttle.take({.method = "PUT", .target = &target, .exists = false, .region = "eastus",
//                                    .principal = "app"}, now);
//   if (!verdict.allowed) return throttled_answer(verdict, speed);     // 429, Retry-After, the policy's name
//
// Sources: "Understand how Azure Resource Manager throttles requests" (regional scheme of 2024) and "Throttling limits
// for virtual machines and scale sets", both of Microsoft's documentation. The refill of the front end's read and
// delete buckets is not published there; it is assumed. A call that is refused takes no token.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "arm/message.hpp"
#include "arm/target.hpp"
#include "base/time.hpp"

namespace virga::arm {

struct BucketSize {
  std::uint32_t per_minute;
  std::uint32_t capacity;
};

/// Full at the start; a token comes back every minute/per_minute.
class Bucket {
 public:
  /// How long until a token is there; zero if one is.
  Duration wait(BucketSize size, Time now) const;
  void take(BucketSize size, Time now);
  std::uint32_t left(BucketSize size, Time now) const;
  bool is_full(Time now) const { return full_at_ <= now; }

 private:
  Time full_at_;
};

struct ThrottledCall {
  std::string_view method;
  const Target* target = nullptr;
  bool is_list = false;  ///< a GET of a collection
  bool exists = false;   ///< the resource is there already: a PUT updates
  std::string region;
  std::string principal;
};

struct Verdict {
  bool allowed = true;
  Duration wait;       ///< until the call would be allowed
  std::string policy;  ///< that refused it, such as "UpdateVMScaleSetResource"
  bool by_front_end = false;
  std::uint32_t limit = 0;      ///< of that policy: tokens when full
  std::vector<Header> headers;  ///< x-ms-ratelimit-remaining-…, for an answer that was allowed
};

class Throttle {
 public:
  Verdict take(const ThrottledCall& call, Time now);

 private:
  std::map<std::string, Bucket> buckets_;
  std::size_t sweep_at_ = 10'000;
};

/// `speed`: seconds of the stand-in in one second of the client.
Answer throttled_answer(const Verdict& verdict, std::uint32_t speed);

}  // namespace virga::arm
