#include "brain/place/features.hpp"

#include <algorithm>

namespace virga {

namespace {

constexpr std::uint32_t k_depth_max = 16;

bool is_name_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':' || c == '=' || c == '/';
}

/// Reads an expression once; `has(name, count)` says whether a feature is there on so many nodes.
template <class Has>
class Reader {
 public:
  Reader(std::string_view text, Has has) : rest_(text), has_(has) {}

  /// Nothing: it cannot be read.
  std::optional<bool> whole() {
    const std::optional<bool> value = row('\0', 0);
    return rest_.empty() ? value : std::nullopt;
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::optional<bool> row(char end, std::uint32_t depth) {
    if (depth > k_depth_max) return std::nullopt;
    std::optional<bool> value = term(depth);
    while (value && !rest_.empty() && rest_.front() != end) {
      const bool is_or = rest_.front() == '|';
      if (!take('|') && !take('&') && !take(',')) return std::nullopt;
      if (rest_.empty()) break;  // Slurm takes an operator at the end
      const std::optional<bool> next = term(depth);
      if (!next) return std::nullopt;
      value = is_or ? *value || *next : *value && *next;
    }
    return value;
  }

  std::optional<bool> term(std::uint32_t depth) {
    for (const auto& [open, close] : {std::pair{'(', ')'}, std::pair{'[', ']'}}) {
      if (!take(open)) continue;
      const std::optional<bool> inside = row(close, depth + 1);
      if (!take(close)) return std::nullopt;
      return inside;
    }
    std::size_t length = 0;
    while (length < rest_.size() && is_name_letter(rest_[length])) ++length;
    if (length == 0) return std::nullopt;
    const std::string_view name = rest_.substr(0, length);
    rest_.remove_prefix(length);
    std::uint32_t count = 1;
    if (take('*')) {
      count = 0;
      bool any = false;
      for (; !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; rest_.remove_prefix(1)) {
        any = true;
        count = std::min<std::uint32_t>(count * 10 + static_cast<std::uint32_t>(rest_.front() - '0'), 10'000'000);
      }
      if (!any) return std::nullopt;
    }
    return has_(name, count);
  }

  std::string_view rest_;
  Has has_;
};

bool is_among(const std::vector<std::string>& features, std::string_view name) {
  return std::find(features.begin(), features.end(), name) != features.end();
}

}  // namespace

std::optional<std::string> feature_mistake(std::string_view text, const std::vector<std::string>& known) {
  if (text.empty()) return std::nullopt;
  std::string unknown;
  const auto has = [&](std::string_view name, std::uint32_t) {
    if (!is_among(known, name) && unknown.empty()) unknown = name;
    return true;
  };
  if (!Reader(text, has).whole()) return "\"" + std::string(text) + "\" cannot be read; write a&b, a|b, (a|b)&c or a*4";
  if (!unknown.empty()) return "no node has the feature " + unknown;
  return std::nullopt;
}

bool features_hold(std::string_view text, const std::vector<std::string>& features, std::uint32_t nodes) {
  if (text.empty()) return true;
  const auto has = [&](std::string_view name, std::uint32_t count) {
    return count <= nodes && is_among(features, name);
  };
  return Reader(text, has).whole().value_or(false);
}

}  // namespace virga
