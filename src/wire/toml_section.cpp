// See the header. Every message has the same shape: what stands there; what would be right.
#include "wire/toml_section.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "wire/config_units.hpp"
#include "wire/json_codec.hpp"

namespace virga {
namespace {

std::string_view type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "true or false";
    default:
      return "a date or a time of day";
  }
}

/// The value as the user wrote it, if it is short enough to be worth repeating.
std::string value_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return fmt::format("\"{}\"", shown(text->get()));
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  return {};
}

/// The library does not say where its assertion broke: the first line that alone breaks it is the one.
std::uint32_t line_that_fails(std::string_view text) {
  std::uint32_t line = 1;
  while (!text.empty()) {
    const auto size = std::min(text.find('\n'), text.size());
    try {
      (void)toml::parse(text.substr(0, size));
    } catch (const toml::parse_error&) {  // most lines mean nothing on their own
    } catch (const TomlAssertion&) {
      return line;
    }
    text.remove_prefix(std::min(size + 1, text.size()));
    ++line;
  }
  return 1;
}

}  // namespace

void toml_assertion_failed(const char* condition) { throw TomlAssertion(condition); }

Result<toml::table> parse_toml(std::string_view text, const std::string& file_name) {
  constexpr std::size_t k_most_bytes = 1 << 20;
  if (text.size() > k_most_bytes) {
    return fail(Code::invalid, fmt::format("{}:1:1: {} bytes long; a configuration has at most {}", file_name,
                                           text.size(), k_most_bytes));
  }
  Mistakes mistakes(file_name);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    mistakes.add(error.source(), fmt::format("no TOML: {}; see toml.io for its rules", shown(error.description())));
  } catch (const TomlAssertion&) {
    const auto line = line_that_fails(text);
    mistakes.add({{line, 1}, {line, 1}, nullptr},
                 "no TOML: a header or key starts with a character that it must not; "
                 "see toml.io for its rules");
  }
  return fail(Code::invalid, mistakes.text());
}

std::string shown(std::string_view text) {
  constexpr std::size_t k_longest = 80;
  std::string result(text.substr(0, k_longest));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.size() > k_longest) result += "...";
  return result;
}

void Mistakes::add(const toml::source_region& where, std::string_view message) {
  constexpr std::size_t k_most_mistakes = 100;
  if (lines_.size() >= k_most_mistakes) return;
  const auto line = std::max<std::uint32_t>(where.begin.line, 1);
  const auto column = std::max<std::uint32_t>(where.begin.column, 1);
  lines_.push_back({line, column, fmt::format("{}:{}:{}: {}", file_name_, line, column, message)});
}

std::string Mistakes::text() const {
  auto sorted = lines_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Line& a, const Line& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  std::string result;
  for (const auto& line : sorted) {
    if (!result.empty()) result += '\n';
    result += line.text;
  }
  return result;
}

const toml::node* TomlSection::find(std::string_view key) {
  keys_.push_back(key);
  return table_.get(key);
}

void TomlSection::wrong(std::string_view key, std::string_view message) {
  const auto* node = table_.get(key);
  mistakes_.add(node != nullptr ? node->source() : table_.source(),
                path_.empty() ? fmt::format("{}: {}", key, message) : fmt::format("{}.{}: {}", path_, key, message));
}

void TomlSection::wrong_type(std::string_view key, const toml::node& node, std::string_view right) {
  const auto value = value_text(node);
  wrong(key, fmt::format("{}{}is {}; write {}", value, value.empty() ? "" : " ", type_name(node), right));
}

bool TomlSection::text(std::string_view key, std::string& value) { return text_of(key, value, 80); }

bool TomlSection::long_text(std::string_view key, std::string& value) { return text_of(key, value, 1024); }

bool TomlSection::text_of(std::string_view key, std::string& value, std::size_t longest) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  const auto* text = node->as_string();
  if (text == nullptr) {
    wrong_type(key, *node, "a text in quotes");
    return false;
  }
  const std::string& found = text->get();
  const bool controls =
      std::any_of(found.begin(), found.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (controls || found.size() > longest) {
    wrong(key, fmt::format("too long, or holds control characters; write at most {} printable ones", longest));
    return false;
  }
  value = text->get();
  return true;
}

bool TomlSection::flag(std::string_view key, bool& value) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  if (!node->is_boolean()) {
    wrong_type(key, *node, "true or false");
    return false;
  }
  value = node->as_boolean()->get();
  return true;
}

bool TomlSection::number(std::string_view key, std::uint32_t& value, NumberRange range) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  const auto right = fmt::format("a whole number from {} to {}", range.least, range.most);
  if (!node->is_integer()) {
    wrong_type(key, *node, right);
    return false;
  }
  const auto number = node->as_integer()->get();
  if (number < range.least || number > range.most) {
    wrong(key, fmt::format("{} is out of range; write {}", number, right));
    return false;
  }
  value = static_cast<std::uint32_t>(number);
  return true;
}

bool TomlSection::duration(std::string_view key, Duration& value, const DurationRange& range) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  if (node->is_integer()) {
    const auto number = node->as_integer()->get();
    wrong(key, fmt::format("{} has no unit; write \"{}s\" or \"{}m\"", number, std::abs(number), std::abs(number)));
    return false;
  }
  const auto* text = node->as_string();
  if (text == nullptr) {
    wrong_type(key, *node, "a time in quotes, such as \"5m\"");
    return false;
  }
  const auto duration = parse_duration(shown(text->get()));
  if (!duration) {
    wrong(key, duration.error().message);
    return false;
  }
  const bool in_range =
      duration->is_infinite() ? range.may_be_infinite : *duration >= range.least && *duration <= range.most;
  if (!in_range) {
    const auto seconds = [](Duration d) { return d.whole_seconds(); };
    wrong(key, fmt::format("\"{}\" is out of range; write a time from \"{}s\" to \"{}s\"{}", shown(text->get()),
                           seconds(range.least), seconds(range.most), range.may_be_infinite ? " or \"infinite\"" : ""));
    return false;
  }
  value = *duration;
  return true;
}

bool TomlSection::bytes(std::string_view key, std::uint64_t& value) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  const auto* text = node->as_string();
  if (text == nullptr) {
    wrong_type(key, *node, "a size with its unit in quotes, such as \"4GiB\"");
    return false;
  }
  const auto bytes = parse_bytes(shown(text->get()));
  if (!bytes) {
    wrong(key, bytes.error().message);
    return false;
  }
  constexpr std::uint64_t k_least = std::uint64_t{1} << 20;
  constexpr std::uint64_t k_most = std::uint64_t{1} << 50;
  if (*bytes < k_least || *bytes > k_most) {
    wrong(key, fmt::format("\"{}\" is out of range; write a size from \"1MiB\" to \"1024TiB\"", shown(text->get())));
    return false;
  }
  value = *bytes;
  return true;
}

bool TomlSection::dollars(std::string_view key, Money& value, std::int64_t most_usd, std::string_view what) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  const auto number = node->value<double>();
  if (!number || node->is_boolean()) {
    wrong_type(key, *node, fmt::format("a number of {}, such as 98.32", what));
    return false;
  }
  if (!std::isfinite(*number) || *number < 0 || *number > static_cast<double>(most_usd)) {
    wrong(key, fmt::format("{} is out of range; write {}, from 0 to {}", *number, what, most_usd));
    return false;
  }
  value = Money{static_cast<std::int64_t>(std::llround(*number * 1e6))};
  return true;
}

bool TomlSection::permille(std::string_view key, std::uint32_t& value, NumberRange range) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  const auto number = node->value<double>();
  if (!number || node->is_boolean()) {
    wrong_type(key, *node, "a number, such as 2.5");
    return false;
  }
  const double least = static_cast<double>(range.least) / 1000;
  const double most = static_cast<double>(range.most) / 1000;
  if (!std::isfinite(*number) || *number < least || *number > most) {
    wrong(key, fmt::format("{} is out of range; write {} to {}", *number, least, most));
    return false;
  }
  value = static_cast<std::uint32_t>(std::llround(*number * 1000));
  return true;
}

bool TomlSection::price(std::string_view key, Money& value) {
  return dollars(key, value, 1'000'000, "US dollars per hour");
}

bool TomlSection::money(std::string_view key, Money& value) {
  return dollars(key, value, 1'000'000'000'000, "US dollars");
}

bool TomlSection::time(std::string_view key, Time& value) {
  constexpr std::string_view k_right = "a time with its zone, such as \"2026-01-31T12:00:00Z\"";
  const auto* node = find(key);
  if (node == nullptr) return false;
  std::string written;
  if (const auto* text = node->as_string()) {
    written = text->get();
  } else if (const auto* date = node->as_date_time(); date != nullptr && date->get().offset) {
    const toml::date_time& d = date->get();
    written = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", d.date.year, d.date.month, d.date.day, d.time.hour,
                          d.time.minute, d.time.second);
    const auto utc = time_from_iso8601(written);
    if (utc) {
      value = *utc - Duration::minutes(d.offset->minutes);
      return true;
    }
  } else {
    wrong_type(key, *node, k_right);
    return false;
  }
  const auto utc = time_from_iso8601(written);
  if (!utc || !utc->is_set() || utc->is_never()) {
    wrong(key, fmt::format("\"{}\" is no time; write {}", shown(written), k_right));
    return false;
  }
  value = *utc;
  return true;
}

bool TomlSection::texts(std::string_view key, std::vector<std::string>& value) {
  const auto* node = find(key);
  if (node == nullptr) return false;
  const auto* list = node->as_array();
  if (list == nullptr) {
    wrong_type(key, *node, fmt::format("a list, such as {} = [\"nd\"]", key));
    return false;
  }
  value.clear();
  for (const auto& element : *list) {
    const auto* text = element.as_string();
    if (text == nullptr) {
      mistakes_.add(element.source(),
                    fmt::format("{}.{}: holds {}; write texts in quotes", path_, key, type_name(element)));
      return false;
    }
    value.push_back(text->get());
  }
  return true;
}

const toml::table* TomlSection::table(std::string_view key) {
  const auto* node = find(key);
  if (node == nullptr) return nullptr;
  if (!node->is_table()) wrong_type(key, *node, fmt::format("a table, which starts with a line [{}]", key));
  return node->as_table();
}

void TomlSection::finish() {
  for (const auto& [key, node] : table_) {
    if (std::find(keys_.begin(), keys_.end(), key.str()) != keys_.end()) continue;
    std::string known;
    for (const auto word : keys_) known += (known.empty() ? "" : ", ") + std::string(word);
    const auto near = closest_word(key.str(), keys_);
    const auto where = path_.empty() ? std::string("at the top of the file") : fmt::format("in [{}]", path_);
    mistakes_.add(key.source(),
                  near.empty()
                      ? fmt::format("unknown key \"{}\" {}; known are {}", shown(key.str()), where, known)
                      : fmt::format("unknown key \"{}\" {}; did you mean \"{}\"?", shown(key.str()), where, near));
  }
}

std::vector<NamedTable> named_tables(const toml::table& parent, const std::string& path, Mistakes& mistakes) {
  std::vector<NamedTable> result;
  for (const auto& [key, node] : parent) {
    if (const auto* table = node.as_table()) {
      result.push_back({std::string(key.str()), table});
    } else {
      mistakes.add(key.source(), fmt::format("\"{0}\" in [{1}] is {2}; a {1} is a table: [{1}.NAME]", shown(key.str()),
                                             path, type_name(node)));
    }
  }
  std::stable_sort(result.begin(), result.end(), [](const NamedTable& a, const NamedTable& b) {
    const auto& left = a.table->source().begin;
    const auto& right = b.table->source().begin;
    return std::tie(left.line, left.column) < std::tie(right.line, right.column);
  });
  return result;
}

}  // namespace virga
