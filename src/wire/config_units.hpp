// Times, sizes and prices as people write them in virga.toml; messages say what would be right.
//
//   parse_duration("1h30m");  parse_duration("2-00:00:00");  parse_duration("infinite");
//   parse_bytes("64GiB");     parse_money("98.32");
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/money.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace virga {

/// Numbers with a unit, largest first (d h m s ms), Slurm's D-HH[:MM[:SS]] and HH:MM:SS, or infinite. A bare number is
/// refused: nobody can know whether it means minutes (Slurm) or seconds (nearly everybody else).
Result<Duration> parse_duration(std::string_view text);

/// A whole number with a binary unit: KiB MiB GiB TiB, or B. Decimal units are refused rather than guessed.
Result<std::uint64_t> parse_bytes(std::string_view text);

/// US dollars with at most six decimals, exactly.
Result<Money> parse_money(std::string_view text);

/// The word of the list that `word` was probably meant to be; empty when none is near.
std::string_view closest_word(std::string_view word, std::span<const std::string_view> words);

}  // namespace virga
