// Words as shells and people write them.
//
//   shell_quoted("it's")            // 'it'\''s'
//   same_word("Drain", "DRAIN")     // true
#pragma once

#include <strings.h>

#include <string>
#include <string_view>

namespace virga {

/// As one word of a POSIX shell, whatever is in it.
inline std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

/// ASCII letters are compared without case.
inline bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace virga
