// Integer time. Pure rooms never read a clock: "now" always arrives inside an event.
//
//   Time end = start + Duration::seconds(90);
//
// Time is nanoseconds since 1970-01-01T00:00:00Z, Duration a signed number of nanoseconds.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace virga {

struct Duration {
  std::int64_t ns = 0;

  static constexpr Duration nanoseconds(std::int64_t n) { return {n}; }
  static constexpr Duration milliseconds(std::int64_t n) { return {n * 1'000'000}; }
  static constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000'000}; }
  static constexpr Duration minutes(std::int64_t n) { return seconds(n * 60); }
  /// Slurm's UNLIMITED; larger than any limit a user can write.
  static constexpr Duration infinite() { return {std::numeric_limits<std::int64_t>::max()}; }

  constexpr bool is_infinite() const { return *this == infinite(); }
  constexpr std::int64_t whole_seconds() const { return ns / 1'000'000'000; }

  friend constexpr auto operator<=>(const Duration&, const Duration&) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
  friend constexpr Duration operator*(Duration a, std::int64_t n) { return {a.ns * n}; }
};

struct Time {
  std::int64_t ns = 0;

  static constexpr Time from_seconds(std::int64_t s) { return {s * 1'000'000'000}; }
  /// Later than every event; the deadline of something that has none.
  static constexpr Time never() { return {std::numeric_limits<std::int64_t>::max()}; }

  constexpr bool is_set() const { return ns != 0; }
  constexpr bool is_never() const { return *this == never(); }
  constexpr std::int64_t whole_seconds() const { return ns / 1'000'000'000; }

  friend constexpr auto operator<=>(const Time&, const Time&) = default;
  friend constexpr Time operator+(Time t, Duration d) {
    return d.is_infinite() || t.is_never() ? never() : Time{t.ns + d.ns};
  }
  friend constexpr Time operator-(Time t, Duration d) { return {t.ns - d.ns}; }
  friend constexpr Duration operator-(Time a, Time b) { return {a.ns - b.ns}; }
};

}  // namespace virga
