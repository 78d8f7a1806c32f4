#include "cli/step_distribution.hpp"

#include <algorithm>
#include <initializer_list>
#include <vector>

#include "wire/slurm_text.hpp"
#include "wire/words.hpp"

namespace virga {
namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view known) { return same_word(word, known); });
}

std::string lower_case(std::string_view text) {
  std::string out;
  for (const char c : text) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

auto wrong() { return fail(Code::invalid, "Invalid --distribution specification"); }

Result<Distribution> plane_of(std::string_view size) {
  const Result<std::uint32_t> count = parse_count(size);
  if (!count || *count == 0) {
    return fail(Code::invalid, "Invalid plane size or size not specified\nInvalid --distribution specification");
  }
  return Distribution{TaskDistribution::plane, *count, "plane"};
}

/// "cyclic:block:*": of nodes, of sockets, of cores. What a "*" leaves open is what Slurm takes then.
Result<Distribution> levels_of(std::string_view text) {
  Distribution out;
  const std::vector<std::string> levels = split_list(text, ':');
  if (levels.empty() || levels.size() > 3) return wrong();
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::string& level = levels[i];
    if (!is_one_of(level, {"block", "cyclic", "*"}) && (i == 0 || !same_word(level, "fcyclic"))) return wrong();
    if (i == 0 && same_word(level, "cyclic")) out.kind = TaskDistribution::cyclic;
    const std::string shown = level != "*" ? lower_case(level) : i == 0 ? "block" : "cyclic";
    out.text += (i == 0 ? "" : ":") + shown;
  }
  return out;
}

}  // namespace

Result<Distribution> parse_distribution(std::string_view text, std::string_view plane_size) {
  if (text.empty()) return Distribution{};
  const std::size_t equal = text.find('=');
  if (same_word(text.substr(0, equal), "plane")) {
    return plane_of(equal == text.npos ? plane_size : text.substr(equal + 1));
  }
  if (same_word(text, "arbitrary")) return Distribution{TaskDistribution::arbitrary, 0, "arbitrary"};
  Distribution out;
  std::string packing;
  for (const std::string& part : split_list(text)) {
    if (is_one_of(part, {"pack", "nopack"})) {
      packing = "," + lower_case(part);
      continue;
    }
    if (!out.text.empty()) return wrong();
    Result<Distribution> levels = levels_of(part);
    if (!levels) return levels;
    out = std::move(*levels);
  }
  if (out.text.empty()) out.text = "block";
  out.text += packing;
  return out;
}

}  // namespace virga
