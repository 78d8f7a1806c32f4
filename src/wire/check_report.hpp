// What an examination found, check by check, in the order in which they were made.
//
//   report.add({"token", Verdict::failed, "invalid_client: …", "write the secret's value, not its id, into …"});
//
// Virga's own programs pass it on as JSON.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/enum_names.hpp"

namespace virga {

enum class Verdict : std::uint8_t {
  ok,
  warning,  ///< it works, or may; something will be in the way
  failed,
  skipped,  ///< it needs something that failed
};
template <>
struct EnumNames<Verdict> {
  static constexpr std::string_view names[] = {"ok", "warning", "failed", "skipped"};
};

struct Check {
  std::string what;
  Verdict verdict = Verdict::ok;
  std::string text;    ///< what was found: one line
  std::string remedy;  ///< what to do about it; empty with ok

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("what", s.what);
    v("verdict", s.verdict);
    v("text", s.text);
    v("remedy", s.remedy);
  }
};

struct CheckReport {
  std::vector<Check> checks;

  void add(Check check) { checks.push_back(std::move(check)); }
  bool has_failed() const {
    return std::any_of(checks.begin(), checks.end(), [](const Check& c) { return c.verdict == Verdict::failed; });
  }

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("checks", s.checks);
  }
};

}  // namespace virga
