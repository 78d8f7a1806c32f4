#include "clouds/azure/crash_switch.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace virga::azure {
namespace {

struct Wanted {
  bool before = false;
  std::uint64_t number = 0;  ///< 0: never
};

Wanted wanted_from_environment() {
  const char* const text = std::getenv("VIRGA_FAULT_ARM");
  const std::string_view all = text == nullptr ? "" : text;
  const std::size_t colon = all.find(':');
  if (colon == std::string_view::npos) return {};
  return {all.substr(0, colon) == "before", std::strtoull(text + colon + 1, nullptr, 10)};
}

const Wanted& wanted() {
  static const Wanted value = wanted_from_environment();
  return value;
}

}  // namespace

std::uint64_t begin_call() {
  static std::atomic<std::uint64_t> calls{0};
  const std::uint64_t number = ++calls;
  if (wanted().before && number == wanted().number) kill(getpid(), SIGKILL);
  return number;
}

void end_call(std::uint64_t number) {
  if (!wanted().before && number == wanted().number) kill(getpid(), SIGKILL);
}

}  // namespace virga::azure
