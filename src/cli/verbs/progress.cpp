#include "cli/verbs/progress.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <vector>

namespace virga {

namespace {

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
  return words;
}

bool parse_number(std::string_view text, std::uint64_t& value) {
  auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && rest == text.data() + text.size();
}

}  // namespace

std::optional<Progress> parse_progress(std::string_view line) {
  const std::vector<std::string_view> words = words_of(line);
  if (words.size() < 2 || words[0] != "step") return std::nullopt;
  const std::size_t slash = words[1].find('/');
  Progress p;
  if (slash == std::string_view::npos || !parse_number(words[1].substr(0, slash), p.step) ||
      !parse_number(words[1].substr(slash + 1), p.steps) || p.steps == 0 || p.step > p.steps) {
    return std::nullopt;
  }
  for (std::size_t i = 2; i + 1 < words.size(); i += 2) {
    if (words[i] == "loss") p.loss = words[i + 1];
    if (words[i] == "tokens/s") p.tokens_per_second = words[i + 1];
  }
  return p;
}

std::string progress_bar(const Progress& now, const Progress& first, Duration elapsed, std::uint32_t width) {
  static constexpr std::array<std::string_view, 8> k_eighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const std::uint64_t eighths = now.step * width * 8 / now.steps;
  std::string bar;
  for (std::uint64_t i = 0; i < eighths / 8; ++i) bar += "█";
  bar += k_eighths[eighths % 8];
  const std::uint64_t cells = eighths / 8 + (eighths % 8 != 0 ? 1 : 0);
  bar.append(width - cells, ' ');
  std::string text = fmt::format("[{}] {}/{}", bar, now.step, now.steps);
  if (!now.loss.empty()) text += fmt::format("  loss {}", now.loss);
  if (!now.tokens_per_second.empty()) text += fmt::format("  {} tokens/s", now.tokens_per_second);
  if (now.step > first.step) {
    const auto done = static_cast<std::int64_t>(now.step - first.step);
    const auto left = static_cast<std::int64_t>(now.steps - now.step);
    text += fmt::format("  {} s left", elapsed.ns / done * left / 1'000'000'000);
  }
  return text;
}

}  // namespace virga
