// Slurm's text forms of times, memory and signals, both ways.
//
//   parse_time_limit("1-02:30")        // 1 day 2 hours 30 minutes
//   short_duration_text(d)             // 1-02:30:00, 1:05     as squeue prints times
//   long_duration_text(d)              // 1-02:30:00, 00:01:05 as sacct and scontrol do
//   parse_memory("4G")                 // bytes; a bare number is megabytes
//   memory_text(bytes)                 // 4G, 2000M
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace virga {

/// "30", "30:15", "1:30:15", "2-4", "2-4:30", "2-4:30:15", "UNLIMITED", "INFINITE", "-1"; 0 means no limit, too.
Result<Duration> parse_time_limit(std::string_view text);

std::string short_duration_text(Duration d);
std::string long_duration_text(Duration d);
/// "00:01.250" below an hour, as sacct prints processor time.
std::string cpu_time_text(Duration d);
/// A time limit in squeue's form; `unlimited` is Slurm's word there (UNLIMITED, infinite).
std::string time_limit_text(Duration limit, std::string_view unlimited, bool long_form = false);

/// "2026-01-31T12:00:00" in the machine's time zone; `unset` for a time that is not known.
std::string local_time_text(Time time, std::string_view unset = "Unknown");
/// "now", "now-1hour", "today", "midnight", "2026-01-31", "01/31/26", "13:30", "2026-01-31T12:00[:00]".
Result<Time> parse_local_time(std::string_view text, Time now);

/// "2000", "2000M", "4G", "512K", "1T" (also with a B behind it), in bytes.
Result<std::uint64_t> parse_memory(std::string_view text);
/// The largest unit that shows at most a half: 4G, 2.50G, 2000M. Never smaller than `smallest` ('K' or 'M').
std::string memory_text(std::uint64_t bytes, char smallest = 'M');

/// "USR1", "SIGUSR1", "10".
Result<std::uint32_t> parse_signal(std::string_view text);
/// "USR1"; "" for a number that has no name.
std::string_view signal_name(std::uint32_t signal);

/// A decimal number without sign, and nothing else.
Result<std::uint32_t> parse_count(std::string_view text);

/// "a,b,,c" is {"a","b","c"}.
std::vector<std::string> split_list(std::string_view text, char separator = ',');

}  // namespace virga
