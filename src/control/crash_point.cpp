#include "control/crash_point.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace virga {

namespace {

struct Wanted {
  std::string_view point;
  long countdown = 0;  ///< 0: never
};

Wanted wanted_from_environment() {
  const char* text = std::getenv("VIRGA_CRASH_AT");
  if (text == nullptr) return {};
  std::string_view all = text;
  std::size_t colon = all.find(':');
  if (colon == std::string_view::npos) return {};
  return {all.substr(0, colon), std::strtol(text + colon + 1, nullptr, 10)};
}

std::string_view name_of(CrashPoint point) {
  switch (point) {
    case CrashPoint::append:
      return "append";
    case CrashPoint::appended:
      return "appended";
    case CrashPoint::command:
      return "command";
    case CrashPoint::commanded:
      return "commanded";
  }
  return "";
}

}  // namespace

void crash_point(CrashPoint point) {
  static Wanted wanted = wanted_from_environment();  // only ever used from the control thread
  if (wanted.countdown == 0 || name_of(point) != wanted.point) return;
  if (--wanted.countdown == 0) kill(getpid(), SIGKILL);
}

}  // namespace virga
