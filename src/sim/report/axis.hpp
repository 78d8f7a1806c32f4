// Ticks that people like, and figures as people write them.
//
//   linear_ticks(1800, 5)          // 0, 500, 1,000, 1,500
//   time_ticks(30 * 86400, 10)     // day 0, day 5, ...: labels count from the start of the run
//   duration_text(5400)            // "1.5 h"
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/money.hpp"

namespace virga {

struct Tick {
  double at = 0;
  std::string label;
};

/// From 0 to at most `most`, in steps of 1, 2 or 5 times a power of ten; about `count` of them.
std::vector<Tick> linear_ticks(double most, int count);
/// The same between two values.
std::vector<Tick> range_ticks(double least, double most, int count);
/// Seconds from the start, in steps of whole minutes, hours or days.
std::vector<Tick> time_ticks(double span_s, int count);
/// 1 s, 10 s, 1 min, … up to `most_s`, for a logarithmic axis.
std::vector<Tick> log_time_ticks(double most_s);

/// 1234567 as "1,234,567".
std::string grouped(double value);
/// "35 s", "12 min", "3.4 h", "5.2 d"
std::string duration_text(double seconds);
/// "day 3, 04:30" after the start of the run
std::string moment_text(double seconds);
/// "$12.34", "$1,234", "$1.23 M"
std::string money_text(Money money);
/// "68.9 %"
std::string percent_text(double share);
/// "1 job", "2 jobs"; "1 GPU", "2 GPUs"
std::string counted(double count, std::string_view noun);

}  // namespace virga
