#include "cli/step_programs.hpp"

#include <fmt/format.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>

#include "cli/messages.hpp"
#include "wire/slurm_text.hpp"

namespace virga {
namespace {

using Programs = std::vector<std::vector<std::string>>;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Lines of the file, those that end in a backslash with the next one.
std::vector<std::string> joined_lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    std::string line;
    for (bool more = true; more;) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      std::string_view piece = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      more = piece.ends_with('\\') && !text.empty();
      if (more) piece.remove_suffix(1);
      line += piece;
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

/// Takes the first word off a line.
std::string_view take_word(std::string_view& line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  std::size_t end = 0;
  while (end < line.size() && !is_blank(line[end])) ++end;
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  return word;
}

/// One of "3", "1-4". Numbers are C's int, as in Slurm.
Result<std::pair<int, int>> parse_range(const std::string& text) {
  if (!is_digit(text.front()) && text.front() != '-') {
    return fail(Code::invalid, "Invalid task range specification (" + text + ")");
  }
  char* end = nullptr;
  const auto first = static_cast<int>(std::strtol(text.c_str(), &end, 10));
  int last = first;
  if (*end == '-') {
    last = static_cast<int>(std::strtol(end + 1, &end, 10));
    if (*end != '\0') return fail(Code::invalid, "Invalid task range specification");
  } else if (*end != '\0') {
    return fail(Code::invalid, "Invalid task range specification (" + text + ")");
  }
  return std::pair(first, last);
}

Status check_range(int first, int last, std::uint32_t tasks) {
  if (first < 0) return fail(Code::invalid, fmt::format("Invalid task id, {} < 0", first));
  if (last < first) return fail(Code::invalid, fmt::format("Invalid task range, {}-{}", first, last));
  if (static_cast<std::uint32_t>(last) >= tasks) {
    return fail(Code::invalid, fmt::format("Invalid task id, {} >= ntasks", last));
  }
  return {};
}

/// The task numbers of a line, in the order that %o counts in.
Result<std::vector<std::uint32_t>> parse_ranks(const std::string& text, const std::vector<bool>& known) {
  std::vector<std::uint32_t> ranks;
  std::vector<bool> seen = known;
  if (text.starts_with(',') || text.ends_with(',') || text.find(",,") != text.npos) {
    print_error("srun", "Invalid task range specification (" + text + ") ignored.");
  }
  for (const std::string& part : split_list(text)) {
    if (part.empty()) continue;
    const Result<std::pair<int, int>> range = parse_range(part);
    if (!range) return unexpected(range.error());
    if (Status ok = check_range(range->first, range->second, static_cast<std::uint32_t>(known.size())); !ok) {
      return unexpected(ok.error());
    }
    for (int rank = range->first; rank <= range->second; ++rank) {
      const auto number = static_cast<std::uint32_t>(rank);
      if (seen[number]) return fail(Code::invalid, fmt::format("Duplicate record for task {}", rank));
      seen[number] = true;
      ranks.push_back(number);
    }
  }
  return ranks;
}

/// The words of a command, with %t and %o filled in; none where a quote does not end.
std::vector<std::string> words_of(std::string_view text, std::uint32_t task, std::uint32_t offset) {
  std::vector<std::string> words;
  std::optional<std::string> word;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!quoted && is_blank(c)) {
      if (word) words.push_back(std::move(*word));
      word.reset();
      continue;
    }
    if (!word) word.emplace();
    if (c == '\'') {
      quoted = !quoted;
    } else if (c == '\\' && !quoted) {
      if (++i < text.size()) *word += text[i];
    } else if (c == '%' && !quoted) {
      const char letter = ++i < text.size() ? text[i] : '%';
      if (letter == 't') *word += std::to_string(task);
      if (letter == 'o') *word += std::to_string(offset);
    } else {
      *word += c;
    }
  }
  if (quoted) return {};
  if (word) words.push_back(std::move(*word));
  return words;
}

}  // namespace

Result<Programs> parse_step_programs(std::string_view text, const std::string& name, std::uint32_t tasks,
                                     const std::vector<std::string>& more) {
  Programs programs(tasks);
  std::vector<bool> known(tasks, false);
  bool others_told = false;
  std::size_t number = 0;
  for (const std::string& whole : joined_lines(text)) {
    ++number;
    std::string_view line = whole;
    const std::string ranks_text(take_word(line));
    if (ranks_text.empty() || ranks_text.starts_with('#')) continue;
    const auto wrong = [&](const std::string& why) {
      const std::string where = fmt::format("Line {} of configuration file {} invalid", number, name);
      return fail(Code::invalid, why.empty() ? where : why + "\n" + where);
    };
    if (others_told) return wrong("Task range specification with asterisk must be last");
    std::vector<std::uint32_t> ranks;
    others_told = ranks_text == "*";
    if (others_told) {
      for (std::uint32_t task = 0; task < tasks; ++task) {
        if (!known[task]) ranks.push_back(task);
      }
    } else {
      Result<std::vector<std::uint32_t>> some = parse_ranks(ranks_text, known);
      if (!some) return wrong(some.error().message);
      ranks = std::move(*some);
    }
    if (line.empty()) return wrong("");
    for (std::uint32_t i = 0; i < ranks.size(); ++i) {
      known[ranks[i]] = true;
      // Of all others Slurm tells the number itself.
      std::vector<std::string> words = words_of(line, ranks[i], others_told ? ranks[i] : i);
      if (!words.empty()) words.insert(words.end(), more.begin(), more.end());
      programs[ranks[i]] = std::move(words);
    }
  }
  for (std::uint32_t task = 0; task < tasks; ++task) {
    if (known[task]) continue;
    return fail(Code::invalid, fmt::format("Configuration file {} invalid, no record for task id {}", name, task));
  }
  return programs;
}

Result<Programs> read_step_programs(const std::string& path, std::uint32_t tasks,
                                    const std::vector<std::string>& more) {
  std::ifstream file(path);
  if (!file) return fail(Code::invalid, "Could not open multi_prog config file " + path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  return parse_step_programs(text, path, tasks, more);
}

}  // namespace virga
