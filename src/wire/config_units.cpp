// See the header. All arithmetic is on integers and checked for overflow, since the text comes from outside.
#include "wire/config_units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <optional>
#include <vector>

namespace virga {
namespace {

/// Takes a run of digits off the front; nothing if there is none or it does not fit.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0 || end == text.data() || text.front() == '-') return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

bool add_scaled(std::int64_t& sum, std::int64_t value, std::int64_t factor) {
  std::int64_t product = 0;
  return !__builtin_mul_overflow(value, factor, &product) && !__builtin_add_overflow(sum, product, &sum);
}

constexpr std::int64_t k_second = 1'000'000'000;

struct Unit {
  std::string_view name;
  std::int64_t ns;
};
constexpr Unit k_units[] = {
    {"d", 86400 * k_second}, {"h", 3600 * k_second}, {"m", 60 * k_second}, {"s", k_second}, {"ms", 1'000'000}};

/// 1h30m: each unit once, the larger first.
std::optional<Duration> duration_of_units(std::string_view text) {
  std::int64_t sum = 0;
  std::size_t next_unit = 0;
  while (!text.empty()) {
    const auto value = take_number(text);
    if (!value) return std::nullopt;
    const auto letters = std::min(text.find_first_of("0123456789"), text.size());
    const auto name = text.substr(0, letters);
    text.remove_prefix(letters);
    while (next_unit < std::size(k_units) && k_units[next_unit].name != name) ++next_unit;
    if (next_unit == std::size(k_units) || !add_scaled(sum, *value, k_units[next_unit].ns)) return std::nullopt;
    ++next_unit;
  }
  return Duration::nanoseconds(sum);
}

/// Slurm's D-HH[:MM[:SS]] and HH:MM:SS. Its MM:SS and MM are left out: they read as hours to most people.
std::optional<Duration> duration_of_clock(std::string_view text) {
  std::int64_t sum = 0;
  const bool has_days = text.find('-') != std::string_view::npos;
  if (has_days) {
    const auto days = take_number(text);
    if (!days || text.empty() || text.front() != '-' || !add_scaled(sum, *days, 86400 * k_second)) return std::nullopt;
    text.remove_prefix(1);
  }
  std::int64_t factor = 3600 * k_second;
  std::size_t parts = 0;
  while (true) {
    const auto value = take_number(text);
    if (!value || ++parts > 3 || !add_scaled(sum, *value, factor)) return std::nullopt;
    factor /= 60;
    if (text.empty()) break;
    if (text.front() != ':') return std::nullopt;
    text.remove_prefix(1);
  }
  if (!has_days && parts != 3) return std::nullopt;
  return Duration::nanoseconds(sum);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  if (text == "infinite" || text == "UNLIMITED" || text == "unlimited") return Duration::infinite();
  if (is_number(text)) {
    return fail(Code::invalid, fmt::format("\"{}\" has no unit; write \"{}s\" or \"{}m\"", text, text, text));
  }
  std::optional<Duration> duration;
  if (!text.empty()) {
    duration = text.find_first_of("-:") == std::string_view::npos ? duration_of_units(text) : duration_of_clock(text);
  }
  if (!duration || duration->is_infinite()) {
    return fail(Code::invalid, fmt::format("\"{}\" is no time; write one such as \"90s\", \"1h30m\", \"2d\", "
                                           "\"1-12:00:00\" (days-hours:minutes:seconds) or \"infinite\"",
                                           text));
  }
  return *duration;
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const std::string_view whole = text;
  const auto number = take_number(text);
  constexpr std::string_view k_names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  const auto* unit = std::find(std::begin(k_names), std::end(k_names), text);
  if (number && unit != std::end(k_names)) {
    std::int64_t bytes = 0;
    if (add_scaled(bytes, *number, std::int64_t{1} << (10 * (unit - std::begin(k_names))))) {
      return static_cast<std::uint64_t>(bytes);
    }
  }
  // "4G", "4GB", "4gib": the binary unit with the same letter is nearly always meant, but not for us to decide.
  const char letter = text.empty() ? 'G' : static_cast<char>(text.front() & ~0x20);
  if (number && *number < 1'000'000 && (letter == 'K' || letter == 'M' || letter == 'G' || letter == 'T')) {
    return fail(Code::invalid,
                fmt::format("\"{}\" is no size in a binary unit; write \"{}{}iB\"", whole, *number, letter));
  }
  return fail(Code::invalid, fmt::format("\"{}\" is no size; write one such as \"512MiB\" or \"4GiB\"", whole));
}

Result<Money> parse_money(std::string_view text) {
  const std::string_view whole = text;
  auto wrong = [&] { return fail(Code::invalid, fmt::format("\"{}\" is no price; write one such as 98.32", whole)); };
  std::int64_t micro_usd = 0;
  const auto dollars = take_number(text);
  if (!dollars || !add_scaled(micro_usd, *dollars, 1'000'000)) return wrong();
  if (text.empty()) return Money{micro_usd};
  if (text.front() != '.' || text.size() < 2 || text.size() > 7 || !is_number(text.substr(1))) return wrong();
  std::int64_t factor = 100'000;
  for (const char digit : text.substr(1)) {
    if (!add_scaled(micro_usd, digit - '0', factor)) return wrong();
    factor /= 10;
  }
  return Money{micro_usd};
}

std::string_view closest_word(std::string_view word, std::span<const std::string_view> words) {
  constexpr std::size_t k_longest_word = 64;
  if (word.size() > k_longest_word) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const auto candidate : words) {
    // Levenshtein's distance, one row at a time: row[j] is that of the prefixes so far.
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0]++;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t substituted = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace virga
