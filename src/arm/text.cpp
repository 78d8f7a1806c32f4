#include "arm/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "arm/message.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

std::string_view find_header(const std::vector<Header>& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (same_text(header.name, name)) return header.value;
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

bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  std::size_t digits = 0;
  bool padded = false;
  for (const char c : text) {
    if (c == '\n' || c == '\r') continue;
    if (c == '=') {
      padded = true;
      continue;
    }
    const int digit = base64_digit(c);
    if (digit < 0 || padded) return std::nullopt;
    ++digits;
    bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xff'ffff;
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 0xff);
    }
  }
  if (digits % 4 == 1) return std::nullopt;
  return bytes;
}

std::string to_base64_url(std::string_view bytes) {
  constexpr std::string_view k_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xff'ffff;
    for (count += 8; count >= 6; count -= 6) text += k_digits[bits >> (count - 6) & 63];
  }
  if (count > 0) text += k_digits[bits << (6 - count) & 63];
  return text;
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

std::string percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    if (escape) {
      result += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      result += plus_is_blank && text[i] == '+' ? ' ' : text[i];
    }
  }
  return result;
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

}  // namespace virga
