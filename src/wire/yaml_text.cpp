// See the header. The text becomes lines with their indentation; "- " at the beginning of a line counts as indentation
// of what follows it, which so becomes a line of its own.
#include "wire/yaml_text.hpp"

#include <fmt/format.h>

#include <optional>

#include "wire/text_lines.hpp"

namespace virga {
namespace {

constexpr std::size_t k_depth_max = 40;

struct Line {
  std::uint32_t number = 0;
  std::size_t indent = 0;
  bool is_item = false;  ///< "-": the content, if any, is the next line
  std::string_view content = {};
};

/// Where a comment starts: at a # outside of quotes, at the beginning or behind a blank.
std::string_view without_comment(std::string_view line) {
  char quote = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (quote != 0) {
      if (line[i] == quote) quote = 0;
    } else if (line[i] == '"' || line[i] == '\'') {
      quote = line[i];
    } else if (line[i] == '#' && (i == 0 || line[i - 1] == ' ')) {
      return line.substr(0, i);
    }
  }
  return line;
}

/// The end of a key: a colon at the end or before a blank, outside of quotes.
std::size_t colon_of(std::string_view content) {
  char quote = 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (quote != 0) {
      if (content[i] == quote) quote = 0;
    } else if ((content[i] == '"' || content[i] == '\'') && i == 0) {
      quote = content[i];
    } else if (content[i] == ':' && (i + 1 == content.size() || content[i + 1] == ' ')) {
      return i;
    }
  }
  return std::string_view::npos;
}

class Parser {
 public:
  explicit Parser(const std::string& file_name) : mistakes_(file_name) {}

  Result<YamlNode> parse(std::string_view text) {
    for (TextLines lines(text); lines.next() && !mistakes_.any();) split(lines.number(), lines.line());
    YamlNode root;
    if (!lines_.empty() && !mistakes_.any()) root = node(lines_.front().indent, 0);
    if (!mistakes_.any() && at_ < lines_.size()) wrong(lines_[at_].number, "this line is indented less than the first");
    if (mistakes_.any()) return mistakes_.error();
    return root;
  }

 private:
  void wrong(std::uint32_t line, std::string_view message) {
    if (!mistakes_.any()) mistakes_.add(line, message);
  }

  void split(std::uint32_t number, std::string_view line) {
    std::string_view content = without_comment(line);
    if (trimmed_blanks(content).empty() || content == "---") return;
    const auto indent = content.find_first_not_of(' ');
    if (content[indent] == '\t') return wrong(number, "a tab at the beginning; YAML is indented with blanks");
    std::size_t at = indent;
    while (content[at] == '-' && (at + 1 == content.size() || content[at + 1] == ' ')) {
      lines_.push_back({number, at, true});
      at = content.find_first_not_of(' ', at + 1);
      if (at == std::string_view::npos) return;
    }
    lines_.push_back({number, at, false, trimmed_blanks(content.substr(at))});
  }

  /// What begins at the line at_, all of whose lines are indented by `indent`.
  YamlNode node(std::size_t indent, std::size_t depth) {
    const Line& first = lines_[at_];
    if (depth > k_depth_max) {
      wrong(first.number, "too many levels of indentation");
      return {};
    }
    if (first.is_item) return sequence(indent, depth);
    if (colon_of(first.content) != std::string_view::npos) return mapping(indent, depth);
    ++at_;
    return word(first.number, first.content);
  }

  YamlNode sequence(std::size_t indent, std::size_t depth) {
    YamlNode out{.kind = YamlNode::Kind::sequence, .line = lines_[at_].number};
    while (at_ < lines_.size() && lines_[at_].indent == indent && lines_[at_].is_item && !mistakes_.any()) {
      const std::uint32_t number = lines_[at_++].number;
      out.items.push_back(below(indent, number, depth));
    }
    check_end(indent);
    return out;
  }

  YamlNode mapping(std::size_t indent, std::size_t depth) {
    YamlNode out{.kind = YamlNode::Kind::mapping, .line = lines_[at_].number};
    while (at_ < lines_.size() && lines_[at_].indent == indent && !lines_[at_].is_item && !mistakes_.any()) {
      const Line line = lines_[at_++];
      const auto colon = colon_of(line.content);
      if (colon == std::string_view::npos) {
        wrong(line.number,
              fmt::format("\"{}\" has no colon; a member is written as name: value", as_shown(line.content)));
        break;
      }
      std::string name = word(line.number, trimmed_blanks(line.content.substr(0, colon))).text;
      if (out.find(name) != nullptr) wrong(line.number, fmt::format("\"{}\" is there twice; keep one", as_shown(name)));
      const auto value = trimmed_blanks(line.content.substr(colon + 1));
      out.members.emplace_back(std::move(name),
                               value.empty() ? member_below(indent, line.number, depth) : word(line.number, value));
    }
    check_end(indent);
    return out;
  }

  void check_end(std::size_t indent) {
    if (at_ < lines_.size() && lines_[at_].indent > indent) {
      wrong(lines_[at_].number, "this line is indented more than those it belongs to");
    }
  }

  YamlNode below(std::size_t indent, std::uint32_t number, std::size_t depth) {
    if (at_ < lines_.size() && lines_[at_].indent > indent) return node(lines_[at_].indent, depth + 1);
    return {.line = number};
  }

  /// The items of a member's sequence may stand right below its name.
  YamlNode member_below(std::size_t indent, std::uint32_t number, std::size_t depth) {
    if (at_ < lines_.size() && lines_[at_].indent == indent && lines_[at_].is_item) return sequence(indent, depth + 1);
    return below(indent, number, depth);
  }

  YamlNode word(std::uint32_t number, std::string_view text) {
    YamlNode out{.kind = YamlNode::Kind::word, .line = number};
    if (text.starts_with('[') && text.ends_with(']')) return flow(number, text.substr(1, text.size() - 2));
    if (text.starts_with('"') || text.starts_with('\'')) {
      if (text.size() < 2 || text.back() != text.front() || text.find('\\') != std::string_view::npos) {
        wrong(number, fmt::format("{} is no word in quotes that can be read here", as_shown(text)));
      } else {
        out.text = text.substr(1, text.size() - 2);
      }
      return out;
    }
    if (!text.empty() && std::string_view("{}[]&*!|>%@`").find(text.front()) != std::string_view::npos) {
      wrong(number,
            fmt::format("\"{}\": only plain words, quoted ones and [lists of them] can be read here", as_shown(text)));
    }
    out.text = text;
    return out;
  }

  /// a, "b", n[1-3]: commas inside of brackets do not count.
  YamlNode flow(std::uint32_t number, std::string_view text) {
    YamlNode out{.kind = YamlNode::Kind::sequence, .line = number};
    std::size_t begin = 0;
    int depth = 0;
    char quote = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
      const char c = i < text.size() ? text[i] : ',';
      if (quote != 0 && i < text.size()) {
        if (c == quote) quote = 0;
        continue;
      }
      if (c == '"' || c == '\'') quote = c;
      depth += (c == '[' ? 1 : 0) - (c == ']' ? 1 : 0);
      if (c != ',' || (depth > 0 && i < text.size())) continue;
      const auto item = trimmed_blanks(text.substr(begin, i - begin));
      if (!item.empty()) out.items.push_back(word(number, item));
      begin = i + 1;
    }
    return out;
  }

  TextMistakes mistakes_;
  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

}  // namespace

const YamlNode* YamlNode::find(std::string_view name) const {
  for (const auto& [key, value] : members) {
    if (key == name) return &value;
  }
  return nullptr;
}

Result<YamlNode> parse_yaml(std::string_view text, const std::string& file_name) {
  return Parser(file_name).parse(text);
}

}  // namespace virga
