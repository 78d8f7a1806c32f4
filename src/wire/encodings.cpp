#include "wire/encodings.hpp"

#include <cstdint>

namespace virga {
namespace {

constexpr std::string_view k_letters_and_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

std::string in_base64(std::string_view bytes, std::string_view last_two) {
  const auto digit = [&](std::uint32_t value) {
    return value < 62 ? k_letters_and_digits[value] : last_two[value - 62];
  };
  std::string text;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xff'ffff;
    for (count += 8; count >= 6; count -= 6) text += digit(bits >> (count - 6) & 63);
  }
  if (count > 0) text += digit(bits << (6 - count) & 63);
  return text;
}

/// -1 for what is none.
int base64_digit(char c) {
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  const std::size_t at = k_letters_and_digits.find(c);
  return at != std::string_view::npos ? static_cast<int>(at) : -1;
}

/// -1 for what is none.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text = in_base64(bytes, "+/");
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string to_base64_url(std::string_view bytes) { return in_base64(bytes, "-_"); }

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

std::string percent_encoded(std::string_view text) {
  static constexpr std::string_view k_digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (k_letters_and_digits.find(c) != std::string_view::npos ||
        std::string_view("-._~").find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += k_digits[byte >> 4];
    out += k_digits[byte & 15];
  }
  return out;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      int high = hex_digit(text[i + 1]);
      int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

}  // namespace virga
