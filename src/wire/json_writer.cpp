// Writing JSON text (the first half of json_codec.hpp), and the text form of times.
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>

#include "wire/json_codec.hpp"

namespace virga {
namespace {

constexpr std::int64_t k_ns_per_second = 1'000'000'000;

void append_padded(std::string& out, std::int64_t value, int width) {
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, width - (end - digits))), '0');
  out.append(digits, end);
}

/// `value` / 10^places as a decimal number without needless zeros.
std::string decimal(std::int64_t value, int places, std::uint64_t scale) {
  std::string out;
  std::uint64_t size = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  if (value < 0) out += '-';
  out += std::to_string(size / scale);
  std::string fraction = std::to_string(size % scale);
  if (fraction == "0") return out;
  out += '.';
  out.append(static_cast<std::size_t>(places) - fraction.size(), '0');
  out.append(fraction, 0, fraction.find_last_not_of('0') + 1);
  return out;
}

/// Length of the UTF-8 character at the start of `s` (RFC 3629: shortest form, no surrogates), 0 if there is none.
std::size_t utf8_length(std::string_view s) {
  auto byte = [&](std::size_t i) { return static_cast<unsigned char>(s[i]); };
  auto tail = [&](std::size_t i) { return i < s.size() && (byte(i) & 0xC0) == 0x80; };
  unsigned char first = byte(0);
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (first == 0xE0 && byte(1) < 0xA0) return 0;
    if (first == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (first == 0xF0 && byte(1) < 0x90) return 0;
    if (first == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

void append_hex_escape(std::string& out, unsigned code) {
  static constexpr char k_digits[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += k_digits[(code >> shift) & 15];
}

void append_escape(std::string& out, char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\t':
      out += "\\t";
      break;
    case '\r':
      out += "\\r";
      break;
    default:
      append_hex_escape(out, static_cast<unsigned char>(c));
  }
}

/// Exactly `width` digits at `at`, which moves past them.
bool take_number(std::string_view text, std::size_t& at, std::size_t width, int& value) {
  if (at + width > text.size()) return false;
  const char* begin = text.data() + at;
  for (std::size_t i = 0; i < width; ++i) {
    if (begin[i] < '0' || begin[i] > '9') return false;
  }
  std::from_chars(begin, begin + width, value);
  at += width;
  return true;
}

bool take_char(std::string_view text, std::size_t& at, char c) { return at < text.size() && text[at++] == c; }

/// ".123" as nanoseconds; more than nine digits are refused.
bool take_fraction(std::string_view text, std::size_t& at, std::int64_t& ns) {
  ns = 0;
  if (at >= text.size() || text[at] != '.') return true;
  ++at;
  std::int64_t unit = k_ns_per_second;
  while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
    unit /= 10;
    if (unit == 0) return false;
    ns += (text[at++] - '0') * unit;
  }
  return unit < k_ns_per_second;
}

}  // namespace

std::string iso8601(Time time) {
  if (!time.is_set()) return "";
  if (time.is_never()) return "never";
  namespace chrono = std::chrono;
  std::int64_t seconds = time.ns / k_ns_per_second;
  std::int64_t ns = time.ns % k_ns_per_second;
  if (ns < 0) {
    --seconds;
    ns += k_ns_per_second;
  }
  chrono::sys_seconds point{chrono::seconds{seconds}};
  auto day = chrono::floor<chrono::days>(point);
  chrono::year_month_day date{day};
  std::int64_t of_day = (point - day).count();
  std::string out;
  out.reserve(30);
  append_padded(out, int{date.year()}, 4);
  out += '-';
  append_padded(out, unsigned{date.month()}, 2);
  out += '-';
  append_padded(out, unsigned{date.day()}, 2);
  out += 'T';
  append_padded(out, of_day / 3600, 2);
  out += ':';
  append_padded(out, of_day / 60 % 60, 2);
  out += ':';
  append_padded(out, of_day % 60, 2);
  if (ns != 0) {
    out += '.';
    append_padded(out, ns, 9);
  }
  out += 'Z';
  return out;
}

Result<Time> time_from_iso8601(std::string_view text) {
  if (text.empty()) return Time{};
  if (text == "never") return Time::never();
  namespace chrono = std::chrono;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::int64_t ns = 0;
  std::size_t at = 0;
  bool fits = take_number(text, at, 4, year) && take_char(text, at, '-') && take_number(text, at, 2, month) &&
              take_char(text, at, '-') && take_number(text, at, 2, day) && take_char(text, at, 'T') &&
              take_number(text, at, 2, hour) && take_char(text, at, ':') && take_number(text, at, 2, minute) &&
              take_char(text, at, ':') && take_number(text, at, 2, second) && take_fraction(text, at, ns) &&
              take_char(text, at, 'Z') && at == text.size();
  chrono::year_month_day date{chrono::year{year}, chrono::month{static_cast<unsigned>(month)},
                              chrono::day{static_cast<unsigned>(day)}};
  // Outside 1678 … 2261 nanoseconds do not fit into 64 bits.
  if (!fits || !date.ok() || hour > 23 || minute > 59 || second > 59 || year < 1678 || year > 2261) {
    return fail(Code::invalid,
                "'" + std::string(text) + "' is no time; write it in UTC as 2026-01-31T12:00:00Z, or 'never'");
  }
  std::int64_t days = chrono::sys_days{date}.time_since_epoch().count();
  std::int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second;
  return Time{seconds * k_ns_per_second + ns};
}

void JsonWriter::comma() {
  if (need_comma_) text_ += ',';
}

void JsonWriter::open(char bracket) {
  comma();
  text_ += bracket;
  need_comma_ = false;
}

void JsonWriter::close(char bracket) {
  text_ += bracket;
  need_comma_ = true;
}

void JsonWriter::key(std::string_view name) {
  comma();
  quoted(name);
  text_ += ':';
  need_comma_ = false;
}

void JsonWriter::raw(std::string_view text) {
  comma();
  text_ += text;
  need_comma_ = true;
}

void JsonWriter::put(std::string_view text) {
  comma();
  quoted(text);
  need_comma_ = true;
}

void JsonWriter::put(Time time) { put(iso8601(time)); }

void JsonWriter::put(Duration duration) {
  if (duration.is_infinite()) {
    put("infinite");
  } else {
    raw(decimal(duration.ns, 9, k_ns_per_second));
  }
}

void JsonWriter::put(Money money) { raw(decimal(money.micro_usd, 6, 1'000'000)); }

void JsonWriter::put_real(double value) {
  if (!std::isfinite(value)) return put_null();
  char digits[32];
  raw({digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits)});
}

void JsonWriter::put_signed(std::int64_t value) {
  char digits[24];
  raw({digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits)});
}

void JsonWriter::put_unsigned(std::uint64_t value) {
  char digits[24];
  raw({digits, static_cast<std::size_t>(std::to_chars(digits, digits + sizeof digits, value).ptr - digits)});
}

void JsonWriter::quoted(std::string_view text) {
  text_ += '"';
  std::size_t plain = 0;  // text[plain, i) is copied as it is
  std::size_t i = 0;
  while (i < text.size()) {
    auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    std::size_t length = c < 0x80 ? 0 : utf8_length(text.substr(i));
    if (length != 0) {
      i += length;
      continue;
    }
    text_.append(text, plain, i - plain);
    if (c < 0x80) {
      append_escape(text_, text[i]);
    } else {
      append_hex_escape(text_, 0xDC00u + c);
    }
    plain = ++i;
  }
  text_.append(text, plain, i - plain);
  text_ += '"';
}

}  // namespace virga
