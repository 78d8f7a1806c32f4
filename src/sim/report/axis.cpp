#include "sim/report/axis.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <iterator>

namespace virga {
namespace {

double nice_step(double span, int count) {
  if (span <= 0) return 1;
  const double rough = span / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) return factor * power;
  }
  return 10 * power;
}

std::string tick_label(double value, double step) {
  if (step >= 1) return grouped(value);
  return fmt::format("{:.{}f}", value, static_cast<int>(std::ceil(-std::log10(step))));
}

}  // namespace

std::vector<Tick> range_ticks(double least, double most, int count) {
  const double step = nice_step(most - least, count);
  std::vector<Tick> ticks;
  for (auto i = static_cast<long long>(std::ceil(least / step - 1e-9));
       static_cast<double>(i) * step <= most * 1.000001; ++i) {
    ticks.push_back({static_cast<double>(i) * step, tick_label(static_cast<double>(i) * step, step)});
  }
  return ticks;
}

std::vector<Tick> linear_ticks(double most, int count) { return range_ticks(0, most, count); }

std::vector<Tick> time_ticks(double span_s, int count) {
  constexpr double k_steps[] = {1,     5,     10,    30,     60,     300,    600,     1800,    3600,    7200,   10800,
                                21600, 43200, 86400, 172800, 432000, 864000, 1728000, 2592000, 5184000, 8640000};
  double step = k_steps[std::size(k_steps) - 1];
  for (const double candidate : k_steps) {
    if (span_s / candidate <= count) {
      step = candidate;
      break;
    }
  }
  std::vector<Tick> ticks;
  for (double at = 0; at <= span_s; at += step) {
    const auto day = static_cast<long long>(at / 86400);
    const auto second = static_cast<long long>(at) % 86400;
    std::string label = fmt::format("day {}", day);
    if (step < 60) {
      label = fmt::format("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    } else if (step < 86400 && (second != 0 || span_s <= 86400)) {
      label = fmt::format("{:02}:{:02}", second / 3600, second / 60 % 60);
    }
    ticks.push_back({at, label});
  }
  return ticks;
}

std::vector<Tick> log_time_ticks(double most_s) {
  const Tick all[] = {{1, "1 s"},      {10, "10 s"},   {60, "1 min"},    {600, "10 min"},   {3600, "1 h"},
                      {36000, "10 h"}, {86400, "1 d"}, {864000, "10 d"}, {8640000, "100 d"}};
  std::vector<Tick> ticks;
  for (const auto& tick : all) {
    if (tick.at <= most_s) ticks.push_back(tick);
  }
  return ticks;
}

std::string grouped(double value) {
  const auto whole = std::llround(value);
  auto digits = std::to_string(std::llabs(whole));
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return whole < 0 ? "-" + digits : digits;
}

std::string duration_text(double seconds) {
  if (seconds < 0) return "-" + duration_text(-seconds);
  if (seconds == 0) return "0 s";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  if (seconds < 119.5) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7199) return fmt::format("{:.0f} min", seconds / 60);
  if (seconds < 172799) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} d", seconds / 86400);
}

std::string moment_text(double seconds) {
  const auto whole = static_cast<long long>(seconds);
  return fmt::format("day {}, {:02}:{:02}", whole / 86400, whole / 3600 % 24, whole / 60 % 60);
}

std::string money_text(Money money) {
  const double usd = static_cast<double>(money.micro_usd) / 1e6;
  const double size = std::fabs(usd);
  const char* sign = usd < 0 ? "-" : "";
  if (size >= 999'500) return fmt::format("{}${:.2f} M", sign, size / 1e6);
  if (size >= 1000) return fmt::format("{}${}", sign, grouped(size));
  return fmt::format("{}${:.2f}", sign, size);
}

std::string percent_text(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string counted(double count, std::string_view noun) {
  return fmt::format("{} {}{}", grouped(count), noun, std::llround(count) == 1 ? "" : "s");
}

}  // namespace virga
