#include "cli/verbs/verb.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "wire/error_codes.hpp"

namespace virga {

int complain(const Error& error) {
  fmt::print(stderr, "virga: {}\n", error.message);
  return exit_code(error.code);
}

std::string seconds_text(Duration d) {
  if (d.is_infinite()) return "unlimited";
  const std::int64_t ms = d.ns / 1'000'000;
  if (ms < 100'000) return fmt::format("{}.{:03} s", ms / 1000, ms % 1000);
  const std::int64_t s = ms / 1000;
  if (s < 3600) return fmt::format("{} min {} s", s / 60, s % 60);
  return fmt::format("{} h {} min", s / 3600, s % 3600 / 60);
}

std::string usd_text(Money money) {
  const std::int64_t cents = (money.micro_usd + 5'000) / 10'000;
  return fmt::format("{}.{:02} USD", cents / 100, cents % 100);
}

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }

}  // namespace virga
