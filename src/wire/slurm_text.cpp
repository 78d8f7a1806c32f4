#include "wire/slurm_text.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>
#include <vector>

#include "wire/words.hpp"

namespace virga {
namespace {

constexpr std::int64_t k_minute = 60;
constexpr std::int64_t k_hour = 3600;
constexpr std::int64_t k_day = 86400;
/// A year's worth of centuries: larger limits are typing errors, and would leave the range of Duration.
constexpr std::int64_t k_seconds_max = 100LL * 366 * k_day;
/// Beyond the last one, Time's nanoseconds come to their end.
constexpr int k_first_year = 1970;
constexpr int k_last_year = 2200;

bool number(std::string_view text, std::int64_t& value) {
  if (text.empty() || text.size() > 12) return false;
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return false;
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
}

/// The numbers of "1:2:3"; empty if it is anything else.
std::vector<std::int64_t> colon_numbers(std::string_view text) {
  std::vector<std::int64_t> numbers;
  while (true) {
    std::size_t colon = text.find(':');
    std::int64_t value = 0;
    if (!number(text.substr(0, colon), value)) return {};
    numbers.push_back(value);
    if (colon == std::string_view::npos) return numbers;
    text.remove_prefix(colon + 1);
  }
}

Time local_midnight(Time now, int days_later = 0) {
  std::time_t seconds = now.whole_seconds();
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
  parts.tm_mday += days_later;
  parts.tm_isdst = -1;
  return Time::from_seconds(std::mktime(&parts));
}

Result<Time> bad_time(std::string_view text) {
  return fail(Code::invalid, "Invalid time specification (pos=0): " + std::string(text));
}

/// "-1hour", "+30minutes", "-2days" after "now".
Result<Time> shifted(Time now, std::string_view shift, std::string_view whole) {
  if (shift.empty()) return now;
  std::size_t digits = shift.find_first_not_of("0123456789", 1);
  std::int64_t count = 0;
  if ((shift[0] != '+' && shift[0] != '-') ||
      !number(shift.substr(1, digits == shift.npos ? digits : digits - 1), count))
    return bad_time(whole);
  std::string_view unit = digits == shift.npos ? "" : shift.substr(digits);
  if (unit.size() > 1 && (unit.back() == 's' || unit.back() == 'S')) unit.remove_suffix(1);
  std::int64_t size = 0;
  if (unit.empty() || same_word(unit, "second")) size = 1;
  if (same_word(unit, "minute")) size = k_minute;
  if (same_word(unit, "hour")) size = k_hour;
  if (same_word(unit, "day")) size = k_day;
  if (same_word(unit, "week")) size = 7 * k_day;
  if (size == 0 || count > k_seconds_max / size) return bad_time(whole);
  return shift[0] == '+' ? now + Duration::seconds(count * size) : now - Duration::seconds(count * size);
}

struct SignalName {
  std::string_view name;
  std::uint32_t number;
};
constexpr SignalName k_signals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},     {"QUIT", SIGQUIT}, {"ILL", SIGILL},   {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},
    {"BUS", SIGBUS},   {"FPE", SIGFPE},     {"KILL", SIGKILL}, {"USR1", SIGUSR1}, {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},   {"TERM", SIGTERM}, {"CHLD", SIGCHLD}, {"CONT", SIGCONT}, {"STOP", SIGSTOP},
    {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN},   {"TTOU", SIGTTOU}, {"URG", SIGURG},   {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
    {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
};

}  // namespace

Result<Duration> parse_time_limit(std::string_view text) {
  const auto bad = [] { return fail(Code::invalid, "Invalid --time specification"); };
  if (same_word(text, "UNLIMITED") || same_word(text, "INFINITE") || text == "-1") return Duration::infinite();
  std::int64_t seconds = 0;
  std::size_t dash = text.find('-');
  std::vector<std::int64_t> parts = colon_numbers(dash == text.npos ? text : text.substr(dash + 1));
  if (parts.empty() || parts.size() > 3) return bad();
  if (dash != text.npos) {  // days-hours[:minutes[:seconds]]
    std::int64_t days = 0;
    if (!number(text.substr(0, dash), days)) return bad();
    parts.resize(3);
    seconds = days * k_day + parts[0] * k_hour + parts[1] * k_minute + parts[2];
  } else if (parts.size() == 3) {
    seconds = parts[0] * k_hour + parts[1] * k_minute + parts[2];
  } else {  // minutes[:seconds]
    seconds = parts[0] * k_minute + (parts.size() == 2 ? parts[1] : 0);
  }
  if (seconds < 0 || seconds > k_seconds_max) return bad();
  return seconds == 0 ? Duration::infinite() : Duration::seconds(seconds);
}

std::string short_duration_text(Duration d) {
  const std::int64_t s = std::max<std::int64_t>(0, d.whole_seconds());
  if (s >= k_day) return fmt::format("{}-{:02}:{:02}:{:02}", s / k_day, s / k_hour % 24, s / k_minute % 60, s % 60);
  if (s >= k_hour) return fmt::format("{}:{:02}:{:02}", s / k_hour, s / k_minute % 60, s % 60);
  return fmt::format("{}:{:02}", s / k_minute, s % 60);
}

std::string long_duration_text(Duration d) {
  const std::int64_t s = std::max<std::int64_t>(0, d.whole_seconds());
  if (s >= k_day) return fmt::format("{}-{:02}:{:02}:{:02}", s / k_day, s / k_hour % 24, s / k_minute % 60, s % 60);
  return fmt::format("{:02}:{:02}:{:02}", s / k_hour, s / k_minute % 60, s % 60);
}

std::string cpu_time_text(Duration d) {
  const std::int64_t ms = std::max<std::int64_t>(0, d.ns / 1'000'000);
  if (ms == 0) return "00:00:00";
  if (ms >= k_hour * 1000) return long_duration_text(d);
  return fmt::format("{:02}:{:02}.{:03}", ms / 60'000, ms / 1000 % 60, ms % 1000);
}

std::string time_limit_text(Duration limit, std::string_view unlimited, bool long_form) {
  if (limit.is_infinite()) return std::string(unlimited);
  return long_form ? long_duration_text(limit) : short_duration_text(limit);
}

namespace {

/// SLURM_TIME_FORMAT=relative: the nearer, the shorter.
const char* relative_form(std::time_t seconds) {
  const auto day_of = [](std::time_t at) {
    std::tm parts{};
    ::localtime_r(&at, &parts);
    parts.tm_hour = 12;
    parts.tm_min = parts.tm_sec = 0;
    parts.tm_isdst = -1;
    return ::timegm(&parts) / k_day;
  };
  const auto days = day_of(seconds) - day_of(std::time(nullptr));
  if (days == 0) return "%H:%M:%S";
  if (days == -1) return "Ystday %H:%M";
  if (days == 1) return "Tomorr %H:%M";
  if (days > 365 || days < -365) return "%-d %b %Y";
  return days < -1 || days > 6 ? "%-d %b %H:%M" : "%a %H:%M";
}

/// A user's own form of times, as strftime(3) takes it; null for the standard one.
const char* time_form(std::time_t seconds) {
  const char* form = std::getenv("SLURM_TIME_FORMAT");
  if (form == nullptr || *form == '\0') return nullptr;
  const std::string_view word(form);
  if (word == "relative") return relative_form(seconds);
  if (word.find('%') != word.npos) return form;
  static bool told = false;
  if (word != "standard" && !std::exchange(told, true)) {
    std::fprintf(stderr, "%s: error: invalid SLURM_TIME_FORMAT = '%s'\n", program_invocation_short_name, form);
  }
  return nullptr;
}

}  // namespace

std::string local_time_text(Time time, std::string_view unset) {
  if (!time.is_set() || time.is_never()) return std::string(unset);
  std::time_t seconds = time.whole_seconds();
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  if (const char* form = time_form(seconds); form != nullptr) {
    char text[256];
    return {text, std::strftime(text, sizeof text, form, &parts)};
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

Result<Time> parse_local_time(std::string_view text, Time now) {
  if (text.substr(0, 3) == "now") return shifted(now, text.substr(3), text);
  if (text == "today" || text == "midnight") return local_midnight(now);
  if (text == "tomorrow") return local_midnight(now, 1);
  for (const auto& [word, hour] : {std::pair{"noon", 12}, std::pair{"fika", 15}, std::pair{"teatime", 16}}) {
    if (text == word) return local_midnight(now) + Duration::seconds(hour * k_hour);
  }
  std::tm parts{};
  std::time_t seconds = now.whole_seconds();
  ::localtime_r(&seconds, &parts);
  parts.tm_hour = parts.tm_min = parts.tm_sec = 0;
  parts.tm_isdst = -1;
  const std::string copy(text);
  for (const char* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%m/%d/%y-%H:%M:%S", "%m/%d/%y-%H:%M",
                             "%m/%d/%y", "%m%d%y", "%m%d", "%H:%M:%S", "%H:%M"}) {
    std::tm read = parts;
    const char* end = ::strptime(copy.c_str(), format, &read);
    if (end == nullptr || *end != '\0') continue;
    if (read.tm_year + 1900 < k_first_year || read.tm_year + 1900 > k_last_year) break;
    read.tm_isdst = -1;
    return Time::from_seconds(std::mktime(&read));
  }
  return bad_time(text);
}

Result<std::uint64_t> parse_memory(std::string_view text) {
  const auto bad = [&] { return fail(Code::invalid, "'" + std::string(text) + "' is no size: write 2000M, 4G or 1T"); };
  std::string_view rest = text;
  if (rest.size() > 1 && (rest.back() == 'B' || rest.back() == 'b')) rest.remove_suffix(1);
  int shift = 20;
  if (!rest.empty() && (rest.back() < '0' || rest.back() > '9')) {
    constexpr std::string_view k_units = "KMGT";
    std::size_t unit = k_units.find(static_cast<char>(rest.back() & ~0x20));
    if (unit == k_units.npos) return bad();
    shift = 10 * static_cast<int>(unit + 1);
    rest.remove_suffix(1);
  }
  std::int64_t value = 0;
  if (!number(rest, value) || value > (std::int64_t{1} << 62 >> shift)) return bad();
  return static_cast<std::uint64_t>(value) << shift;
}

std::string memory_text(std::uint64_t bytes, char smallest) {
  constexpr std::string_view k_units = "KMGTPE";
  std::size_t unit = smallest == 'K' ? 0 : 1;
  const std::uint64_t least = std::uint64_t{1} << (10 * (unit + 1));  // a part of it counts as one
  const std::uint64_t units = bytes / least + (bytes % least != 0 ? 1 : 0);
  auto value = static_cast<double>(units);
  if (value == 0) return "0";
  while (value >= 1024 && unit + 1 < k_units.size() && static_cast<std::uint64_t>(value) % 512 == 0) {
    value /= 1024;
    ++unit;
  }
  const bool whole = value == static_cast<double>(static_cast<std::uint64_t>(value));
  return whole ? fmt::format("{:.0f}{}", value, k_units[unit]) : fmt::format("{:.2f}{}", value, k_units[unit]);
}

Result<std::uint32_t> parse_signal(std::string_view text) {
  std::int64_t value = 0;
  if (number(text, value) && value >= 1 && value <= 64) return static_cast<std::uint32_t>(value);
  std::string_view name = text;
  if (name.size() > 3 && same_word(name.substr(0, 3), "SIG")) name.remove_prefix(3);
  for (const SignalName& signal : k_signals) {
    if (same_word(signal.name, name)) return signal.number;
  }
  return fail(Code::invalid, "unknown signal: " + std::string(text));
}

std::string_view signal_name(std::uint32_t signal) {
  for (const SignalName& known : k_signals) {
    if (known.number == signal) return known.name;
  }
  return "";
}

Result<std::uint32_t> parse_count(std::string_view text) {
  std::int64_t value = 0;
  if (!number(text, value) || value > 0xFFFFFFFFLL)
    return fail(Code::invalid, "'" + std::string(text) + "' is no number");
  return static_cast<std::uint32_t>(value);
}

std::vector<std::string> split_list(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    std::size_t end = text.find(separator);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

}  // namespace virga
