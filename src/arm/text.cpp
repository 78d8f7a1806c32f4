#include "arm/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "arm/message.hpp"
#include "wire/encodings.hpp"
#include "wire/json_codec.hpp"
#include "wire/words.hpp"

namespace virga::arm {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view find_header(const std::vector<Header>& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (same_word(header.name, name)) return header.value;
  }
  return {};
}

}  // namespace

std::string_view Request::header(std::string_view name) const { return find_header(headers, name); }
std::string_view Answer::header(std::string_view name) const { return find_header(headers, name); }

Answer refusal(int status, std::string_view code, std::string_view message) {
  JsonWriter w;
  w.begin_object();
  w.key("error");
  w.begin_object();
  w("code", code);
  w("message", message);
  w.end_object();
  w.end_object();
  Answer answer;
  answer.status = status;
  answer.body = w.take();
  return answer;
}

std::string lower_case(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

bool is_utf8(std::string_view text) {
  constexpr std::array<std::uint32_t, 5> k_least = {0, 0, 0x80, 0x800, 0x10000};  // of a sequence of so many bytes
  for (std::size_t i = 0; i < text.size();) {
    const std::uint32_t first = static_cast<unsigned char>(text[i]);
    const std::size_t size = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (size == 0 || i + size > text.size()) return false;
    std::uint32_t point = size == 1 ? first : first & (0x7fu >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const std::uint32_t next = static_cast<unsigned char>(text[i + k]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3fu);
    }
    if (point < k_least[size] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    i += size;
  }
  return true;
}

std::string new_guid(Prng& random) {
  const std::uint64_t high = (random.next() & ~std::uint64_t{0xf000}) | 0x4000;
  const std::uint64_t low = (random.next() >> 2) | std::uint64_t{1} << 63;
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48,
                     low & 0xffff'ffff'ffff);
}

std::string http_date(Time time) {
  static constexpr std::array<std::string_view, 7> k_days = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
  static constexpr std::array<std::string_view, 12> k_months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::string iso = iso8601(Time::from_seconds(time.whole_seconds()));  // 2026-11-24T10:00:30Z
  const auto day = static_cast<std::size_t>(time.whole_seconds() / 86400 % 7);
  const int month = (iso[5] - '0') * 10 + iso[6] - '0';
  return fmt::format("{}, {} {} {} {} GMT", k_days[day], iso.substr(8, 2),
                     k_months[static_cast<std::size_t>(month - 1)], iso.substr(0, 4), iso.substr(11, 8));
}

std::string decoded(std::string_view text, bool plus_is_blank) {
  return percent_decoded(text, plus_is_blank).value_or(std::string(text));
}

std::string dotted_quad(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

std::optional<Network> parse_network(std::string_view text) {
  Network network;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int part = 0; part < 5; ++part) {
    std::uint32_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc{} || number > (part == 4 ? 32u : 255u)) return std::nullopt;
    at = next;
    if (part == 4) {
      network.bits = number;
    } else {
      network.first = network.first << 8 | number;
      if (at == end || *at != (part == 3 ? '/' : '.')) return std::nullopt;
      ++at;
    }
  }
  return at == end ? std::optional(network) : std::nullopt;
}

}  // namespace virga::arm
