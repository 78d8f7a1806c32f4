#include "cli/terminal_mode.hpp"

#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <cstdlib>

namespace virga {
namespace {

int changed_fd = -1;
termios mode_before;

/// Also called by exit(). We may be in the background by now, and are not to be stopped for this.
void restore() {
  if (changed_fd < 0) return;
  sigset_t stop;
  sigset_t before;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTTOU);
  sigprocmask(SIG_BLOCK, &stop, &before);
  tcsetattr(changed_fd, TCSADRAIN, &mode_before);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  changed_fd = -1;
}

}  // namespace

std::optional<WindowSize> window_of(int fd) {
  winsize size{};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return std::nullopt;
  return WindowSize{size.ws_row, size.ws_col};
}

TerminalMode::TerminalMode(int fd) {
  if (tcgetattr(fd, &mode_before) != 0) return;
  static const bool registered = std::atexit(restore) == 0;
  (void)registered;
  changed_fd = fd;
  termios raw = mode_before;
  cfmakeraw(&raw);
  tcsetattr(fd, TCSANOW, &raw);
}

TerminalMode::~TerminalMode() { restore(); }

}  // namespace virga
