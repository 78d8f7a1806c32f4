#include "wire/slurm_yaml.hpp"

#include <cstdlib>

namespace virga {
namespace {

class YamlWriter {
 public:
  YamlWriter(std::string_view json, bool empty_is_null) : json_(json), empty_is_null_(empty_is_null) {}

  std::string write() {
    out_ = "%YAML 1.1\n---";
    value(0);
    out_ += "...\n";
    return std::move(out_);
  }

 private:
  char peek() {
    while (at_ < json_.size() && (json_[at_] == ' ' || json_[at_] == '\n' || json_[at_] == '\t')) ++at_;
    return at_ < json_.size() ? json_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }

  /// A text without its quotes and backslashes. Beyond ASCII our writers write UTF-8, and \u for control characters.
  std::string text() {
    std::string word;
    take('"');
    while (at_ < json_.size() && json_[at_] != '"') {
      char c = json_[at_++];
      if (c == '\\') {
        c = json_[at_++];
        if (c == 'n') c = '\n';
        if (c == 't') c = '\t';
        if (c == 'r') c = '\r';
        if (c == 'u') {
          c = static_cast<char>(std::strtoul(std::string(json_.substr(at_, 4)).c_str(), nullptr, 16));
          at_ += 4;
        }
      }
      word += c;
    }
    take('"');
    return word;
  }

  static bool has_control(std::string_view word) {
    for (const char c : word) {
      if (static_cast<unsigned char>(c) < 0x20) return true;
    }
    return false;
  }
  static bool is_plain(std::string_view word) {
    constexpr std::string_view k_indicators = ",[]{}#&*!|>'\"%@`";
    if (word.front() == ' ' || word.back() == ' ' || word.back() == ':') return false;
    if (k_indicators.find(word.front()) != word.npos) return false;
    const bool may_begin = word.size() > 1 && word[1] != ' ';
    if ((word.front() == '-' || word.front() == '?' || word.front() == ':') && !may_begin) return false;
    return word.find(": ") == word.npos && word.find(" #") == word.npos;
  }

  void put_text(const std::string& word) {
    out_ += "!!str";
    if (word.empty()) return;
    out_ += ' ';
    if (has_control(word)) {
      put_double_quoted(word);
    } else if (is_plain(word)) {
      out_ += word;
    } else {
      out_ += '\'';
      for (const char c : word) out_.append(c == '\'' ? 2 : 1, c);
      out_ += '\'';
    }
  }
  void put_double_quoted(std::string_view word) {
    constexpr std::string_view k_hex = "0123456789ABCDEF";
    out_ += '"';
    for (const char c : word) {
      const auto code = static_cast<unsigned char>(c);
      if (c == '\n') {
        out_ += "\\n";
      } else if (c == '\t') {
        out_ += "\\t";
      } else if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += c;
      } else if (code < 0x20) {
        out_ += "\\x";
        out_ += k_hex[code >> 4U];
        out_ += k_hex[code & 15U];
      } else {
        out_ += c;
      }
    }
    out_ += '"';
  }

  void number_or_word() {
    const std::size_t from = at_;
    while (at_ < json_.size() && std::string_view(",]} \n\t").find(json_[at_]) == std::string_view::npos) ++at_;
    const std::string_view word = json_.substr(from, at_ - from);
    if (word == "null") {
      out_ += "!!null null";
    } else if (word == "true" || word == "false") {
      out_.append("!!bool ").append(word);
    } else {
      out_.append(word.find_first_of(".eE") == word.npos ? "!!int " : "!!float ").append(word);
    }
  }

  /// After a key, a dash or the beginning of the document; ends with the line's end.
  void value(std::size_t indent) {
    out_ += ' ';
    if (take('{')) {
      out_ += "!!map";
      if (take('}')) {
        out_ += " {}\n";
        return;
      }
      out_ += '\n';
      do {
        out_.append(indent, ' ');
        peek();
        put_text(text());
        take(':');
        out_ += ':';
        value(indent + 2);
      } while (take(','));
      take('}');
    } else if (take('[')) {
      out_ += "!!seq";
      if (take(']')) {
        out_ += " []\n";
        return;
      }
      out_ += '\n';
      const std::size_t dash = indent < 2 ? 0 : indent - 2;  // as deep as its key
      do {
        out_.append(dash, ' ');
        out_ += '-';
        value(dash + 2);
      } while (take(','));
      take(']');
    } else {
      if (peek() == '"') {
        const std::string word = text();
        word.empty() && empty_is_null_ ? void(out_ += "!!null null") : put_text(word);
      } else {
        number_or_word();
      }
      out_ += '\n';
    }
  }

  std::string_view json_;
  bool empty_is_null_;
  std::size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string slurm_yaml(std::string_view json, bool empty_is_null) { return YamlWriter(json, empty_is_null).write(); }

}  // namespace virga
