// Our terminal while a step's task 0 has one of its own: every key goes there as it is (raw mode), ^C included.
//
//   TerminalMode raw(0);              // and back to what it was at the end of its life, or of the process
//   window_of(0);                     // rows and columns
#pragma once

#include <optional>

#include "wire/step_protocol.hpp"

namespace virga {

/// Nothing where `fd` is no terminal.
std::optional<WindowSize> window_of(int fd);

/// One at a time.
class TerminalMode {
 public:
  explicit TerminalMode(int fd);
  ~TerminalMode();
  TerminalMode(const TerminalMode&) = delete;
  TerminalMode& operator=(const TerminalMode&) = delete;
};

}  // namespace virga
