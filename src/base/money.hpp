// Integer money: millionths of a US dollar. A price is money per hour.
//
//   Money hour = Money::usd(98, 320'000);             // 98.32 USD
//   Money cost = price_for(hour, Duration::minutes(2));
#pragma once

#include <compare>
#include <cstdint>

#include "base/time.hpp"

namespace virga {

struct Money {
  std::int64_t micro_usd = 0;

  static constexpr Money usd(std::int64_t dollars, std::int64_t millionths = 0) {
    return {dollars * 1'000'000 + millionths};
  }

  friend constexpr auto operator<=>(const Money&, const Money&) = default;
  friend constexpr Money operator+(Money a, Money b) { return {a.micro_usd + b.micro_usd}; }
  constexpr Money& operator+=(Money b) {
    micro_usd += b.micro_usd;
    return *this;
  }
};

/// What `d` of something costs at `per_hour`, rounded down to a millionth of a dollar.
/// The product needs more than 64 bits once a price of 100 USD meets a day.
constexpr Money price_for(Money per_hour, Duration d) {
  __extension__ using Wide = __int128;
  constexpr Wide k_ns_per_hour = Wide{3600} * 1'000'000'000;
  return {static_cast<std::int64_t>(Wide{per_hour.micro_usd} * d.ns / k_ns_per_hour)};
}

}  // namespace virga
