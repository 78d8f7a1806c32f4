#include "brain/training/training_words.hpp"

#include <fmt/format.h>

#include <string_view>

namespace virga {

namespace {

constexpr std::int64_t k_us = 1'000;
constexpr std::int64_t k_ms = 1'000'000;
constexpr std::int64_t k_s = 1'000'000'000;

std::string two_units(std::int64_t count, std::string_view unit, std::int64_t rest, std::string_view smaller) {
  if (rest == 0) return fmt::format("{} {}", count, unit);
  return fmt::format("{} {} {} {}", count, unit, rest, smaller);
}

/// Exactly one decimal, rounded half up, in integers.
std::string decimal(std::uint64_t value, std::uint64_t unit) {
  const std::uint64_t tenths = value / unit * 10 + (value % unit * 10 + unit / 2) / unit;
  return fmt::format("{}.{}", tenths / 10, tenths % 10);
}

}  // namespace

std::string span_text(Duration span) {
  if (span.is_infinite()) return "for ever";
  const auto ns = static_cast<std::uint64_t>(span.ns < 0 ? 0 : span.ns);
  if (span.ns < k_ms) return decimal(ns, k_us) + " us";
  if (span.ns < k_s) return decimal(ns, k_ms) + " ms";
  const std::int64_t seconds = span.whole_seconds();
  if (seconds < 60) return decimal(ns, k_s) + " s";
  if (seconds < 3'600) return two_units(seconds / 60, "min", seconds % 60, "s");
  if (seconds < 86'400) return two_units(seconds / 3'600, "h", seconds % 3'600 / 60, "min");
  return two_units(seconds / 86'400, "d", seconds % 86'400 / 3'600, "h");
}

std::string bytes_text(std::uint64_t bytes) {
  constexpr std::uint64_t k_mib = 1ULL << 20;
  constexpr std::uint64_t k_gib = 1ULL << 30;
  return bytes < k_gib ? decimal(bytes, k_mib) + " MiB" : decimal(bytes, k_gib) + " GiB";
}

std::string words_of(const TrainingPlan& plan) {
  constexpr std::uint64_t k_gib = 1ULL << 30;
  std::string words = fmt::format("a step of {} is predicted to take {} ({}): {} tokens/s, {} of {} GiB of each {}",
                                  plan.model, span_text(plan.step), words_of(plan.layout), plan.tokens_per_second,
                                  decimal(plan.memory_bytes, k_gib), decimal(plan.gpu_bytes, k_gib), plan.gpu);
  if (plan.run.ns > 0) words += "; all tokens that it names: " + span_text(plan.run);
  return words;
}

std::string words_of(const PassedOver& passed_over) {
  return fmt::format("chosen before {}, where the all-reduce of {} is predicted to take {} instead of {}",
                     passed_over.what, bytes_text(passed_over.bytes), span_text(passed_over.other),
                     span_text(passed_over.chosen));
}

}  // namespace virga
