// Small conversions that the protocols of Azure need: letter case, GUIDs, the dates of HTTP.
//
//   new_guid(random);                                 // "1b4e28ba-2fa1-41d2-883f-0016d3cca427", from the seed alone
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/prng.hpp"
#include "base/time.hpp"

namespace virga::arm {

/// ASCII only; names are compared with wire/words.hpp's same_word.
std::string lower_case(std::string_view text);

/// Well-formed: no cut, overlong or surrogate sequence.
bool is_utf8(std::string_view text);

/// A version 4 GUID.
std::string new_guid(Prng& random);

/// "Tue, 24 Nov 2026 10:00:30 GMT", RFC 1123.
std::string http_date(Time time);

/// Percent-decoded, in queries '+', too; a text with a broken escape stays as it is.
std::string decoded(std::string_view text, bool plus_is_blank);

/// "10.0.0.4".
std::string dotted_quad(std::uint32_t address);
/// "10.0.0.0/16" as first address and number of bits of the network; nothing for what is none.
struct Network {
  std::uint32_t first = 0;
  std::uint32_t bits = 0;

  std::uint64_t size() const { return std::uint64_t{1} << (32 - bits); }
};
std::optional<Network> parse_network(std::string_view text);

}  // namespace virga::arm
