// One table of a TOML text, read key by key; whatever is wrong goes into a list with its place in the file.
//
//   Result<toml::table> table = parse_toml(text, "virga.toml");
//   Mistakes mistakes("virga.toml");
//   TomlSection section(*table, "pool.nd", mistakes);
//   section.number("max_nodes", pool.max_nodes, {1, 254});   // absent: pool.max_nodes stays as it is
//   section.finish();                                        // keys that nobody asked for are mistakes
//
// Only the .cpp files of readers include this: toml++ is a large header.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace virga {

/// toml++ 3.3 takes some wrong texts ("[[=") for broken assertions of its own. Text from outside must never end the
/// program, so its assertions are turned into this exception, which stays inside the reader.
struct TomlAssertion : std::logic_error {
  using std::logic_error::logic_error;
};
[[noreturn]] void toml_assertion_failed(const char* condition);

}  // namespace virga

#undef NDEBUG  // with it the assertions would be promises to the optimiser instead
#define TOML_ASSERT(condition) ((condition) ? void(0) : ::virga::toml_assertion_failed(#condition))
#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

#include "base/enum_names.hpp"
#include "base/money.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace virga {

/// The text as a table. Code::invalid in one line, with the place, where it is no TOML or longer than 1 MiB.
Result<toml::table> parse_toml(std::string_view text, const std::string& file_name);

/// Text from outside as it may stand in a one-line message: no control characters, not endless.
std::string shown(std::string_view text);

class Mistakes {
 public:
  explicit Mistakes(std::string file_name) : file_name_(std::move(file_name)) {}

  void add(const toml::source_region& where, std::string_view message);
  bool any() const { return !lines_.empty(); }
  /// In the order of the file, one a line.
  std::string text() const;

 private:
  struct Line {
    std::uint32_t line;
    std::uint32_t column;
    std::string text;
  };
  std::string file_name_;
  std::vector<Line> lines_;
};

/// Inclusive bounds.
struct NumberRange {
  std::int64_t least;
  std::int64_t most;
};
struct DurationRange {
  Duration least;
  Duration most;
  bool may_be_infinite = false;
};

class TomlSection {
 public:
  TomlSection(const toml::table& table, std::string path, Mistakes& mistakes)
      : table_(table), path_(std::move(path)), mistakes_(mistakes) {}

  // Each returns whether the key is there and good; else `value` is left alone.
  bool text(std::string_view key, std::string& value);
  /// Paths, addresses and ids: up to 1,024 characters instead of 80.
  bool long_text(std::string_view key, std::string& value);
  bool flag(std::string_view key, bool& value);
  bool number(std::string_view key, std::uint32_t& value, NumberRange range);
  /// A number with a fraction, such as 2.5, kept as thousandths; the range is in thousandths, too.
  bool permille(std::string_view key, std::uint32_t& value, NumberRange range);
  bool duration(std::string_view key, Duration& value, const DurationRange& range);
  bool bytes(std::string_view key, std::uint64_t& value);
  bool price(std::string_view key, Money& value);
  /// A sum of money instead of a price per hour.
  bool money(std::string_view key, Money& value);
  /// "2026-01-31T12:00:00Z", in quotes or as TOML's own date with an offset.
  bool time(std::string_view key, Time& value);
  /// One of an enum's names.
  template <NamedEnum E>
  bool word(std::string_view key, E& value) {
    std::string name;
    if (!text(key, name)) return false;
    if (const auto known = enum_from_name<E>(name)) {
      value = *known;
      return true;
    }
    std::string all;
    for (const std::string_view n : EnumNames<E>::names) all.append(all.empty() ? "\"" : ", \"").append(n).append("\"");
    wrong(key, "no \"" + name + "\" here; write one of " + all);
    return false;
  }
  bool texts(std::string_view key, std::vector<std::string>& value);

  /// The table below `key`; nullptr if it is absent or something else, which is told.
  const toml::table* table(std::string_view key);

  bool has(std::string_view key) const { return table_.contains(key); }

  /// A mistake about the value of `key`, or about the whole table if the key is absent.
  void wrong(std::string_view key, std::string_view message);
  void finish();

  const std::string& path() const { return path_; }

 private:
  const toml::node* find(std::string_view key);
  bool text_of(std::string_view key, std::string& value, std::size_t longest);
  void wrong_type(std::string_view key, const toml::node& node, std::string_view right);
  bool dollars(std::string_view key, Money& value, std::int64_t most_usd, std::string_view what);

  const toml::table& table_;
  std::string path_;
  Mistakes& mistakes_;
  std::vector<std::string_view> keys_;
};

/// The sub-tables of a table in the order of the file, which is the order that users see.
struct NamedTable {
  std::string name;
  const toml::table* table;
};
std::vector<NamedTable> named_tables(const toml::table& parent, const std::string& path, Mistakes& mistakes);

}  // namespace virga
