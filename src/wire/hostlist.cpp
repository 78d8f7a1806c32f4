// Expanding and folding of node names; see hostlist.hpp for the rules.
#include "wire/hostlist.hpp"

#include <cstdint>
#include <optional>

namespace virga {
namespace {

constexpr std::size_t k_digits_max = 18;  // fits 64 bits

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_separator(char c) { return c == ',' || c == ' ' || c == '\t' || c == '\n'; }

std::optional<std::uint64_t> number(std::string_view digits) {
  if (digits.empty() || digits.size() > k_digits_max) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : digits) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::string padded(std::uint64_t value, std::size_t width) {
  std::string text = std::to_string(value);
  return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

tl::unexpected<Error> bad(std::string_view text, std::string_view why) {
  return fail(Code::invalid, "bad node list '" + std::string(text.substr(0, 200)) + "': " + std::string(why) +
                                 " (right would be, for example, n[1-3,7])");
}

/// The inside of one pair of brackets, for example "08-10,12".
Result<std::vector<std::string>> expand_ranges(std::string_view inside, std::string_view whole, std::size_t names_max) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= inside.size();) {
    std::size_t comma = std::min(inside.find(',', at), inside.size());
    std::string_view range = inside.substr(at, comma - at);
    at = comma + 1;
    std::size_t dash = range.find('-');
    std::string_view low_text = range.substr(0, dash);
    std::string_view high_text = dash == std::string_view::npos ? low_text : range.substr(dash + 1);
    auto low = number(low_text);
    auto high = number(high_text);
    if (!low || !high) return bad(whole, "'" + std::string(range) + "' is neither a number nor a range");
    if (*high < *low) return bad(whole, "the range '" + std::string(range) + "' runs backwards");
    if (*high - *low >= names_max || out.size() + (*high - *low) >= names_max) {
      return bad(whole, "more than " + std::to_string(names_max) + " names");
    }
    for (std::uint64_t v = *low; v <= *high; ++v) out.push_back(padded(v, low_text.size()));
  }
  return out;
}

/// One entry between commas: literal parts and brackets in any order.
Status expand_entry(std::string_view entry, std::string_view whole, std::size_t names_max,
                    std::vector<std::string>& out) {
  std::vector<std::string> names = {""};
  while (!entry.empty()) {
    std::size_t open = entry.find('[');
    std::string_view literal = entry.substr(0, open);
    if (literal.find(']') != std::string_view::npos) return bad(whole, "']' without '['");
    for (std::string& name : names) name += literal;
    if (open == std::string_view::npos) break;
    std::size_t close = entry.find(']', open);
    if (close == std::string_view::npos) return bad(whole, "'[' without ']'");
    auto parts = expand_ranges(entry.substr(open + 1, close - open - 1), whole, names_max);
    if (!parts) return unexpected(parts.error());
    if (names.size() * parts->size() > names_max)
      return bad(whole, "more than " + std::to_string(names_max) + " names");
    std::vector<std::string> product;
    product.reserve(names.size() * parts->size());
    for (const std::string& name : names) {
      for (const std::string& part : *parts) product.push_back(name + part);
    }
    names = std::move(product);
    entry.remove_prefix(close + 1);
  }
  if (out.size() + names.size() > names_max) return bad(whole, "more than " + std::to_string(names_max) + " names");
  for (std::string& name : names) out.push_back(std::move(name));
  return {};
}

/// A name split before its last number: "nd-07" is "nd-" and "07".
struct SplitName {
  std::string_view prefix;
  std::string_view digits;
};
SplitName split(std::string_view name) {
  std::size_t start = name.size();
  while (start > 0 && is_digit(name[start - 1]) && name.size() - start < k_digits_max) --start;
  return {name.substr(0, start), name.substr(start)};
}

}  // namespace

Result<std::vector<std::string>> expand_hostlist(std::string_view text, std::size_t names_max) {
  std::vector<std::string> out;
  std::size_t at = 0;
  while (at < text.size()) {
    if (is_separator(text[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    bool inside = false;
    for (; end < text.size() && (inside || !is_separator(text[end])); ++end) {
      if (text[end] == '[') {
        if (inside) return bad(text, "'[' inside '['");
        inside = true;
      } else if (text[end] == ']') {
        inside = false;
      }
    }
    if (Status ok = expand_entry(text.substr(at, end - at), text, names_max, out); !ok) return unexpected(ok.error());
    at = end;
  }
  return out;
}

std::string compress_hostlist(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size();) {
    SplitName first = split(names[i]);
    if (!out.empty()) out += ',';
    std::size_t end = i + 1;
    while (!first.digits.empty() && end < names.size()) {
      SplitName next = split(names[end]);
      if (next.prefix != first.prefix || next.digits.empty()) break;
      ++end;
    }
    if (end == i + 1) {
      out += names[i++];
      continue;
    }
    out += first.prefix;
    out += '[';
    for (std::size_t k = i; k < end;) {
      std::string_view low = split(names[k]).digits;
      std::uint64_t value = *number(low);
      std::size_t last = k;
      while (last + 1 < end && split(names[last + 1]).digits == padded(value + (last + 1 - k), low.size())) ++last;
      if (k != i) out += ',';
      out += low;
      if (last != k) {
        out += '-';
        out += split(names[last]).digits;
      }
      k = last + 1;
    }
    out += ']';
    i = end;
  }
  return out;
}

}  // namespace virga
