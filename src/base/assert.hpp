// Assertions stay on in every build. They are for broken invariants only; bad input is an Error.
//
//   VIRGA_ASSERT(free.cpus <= total.cpus, "node holds less than nothing");
//
// A broken one ends the program, unless assertion_handler is set: a simulator's handler throws, so that it can tell
// which seed broke what. It is for programs of one thread; the daemon leaves it alone.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace virga {

using AssertionHandler = void (*)(const char* what, const char* why, const char* file, int line);
/// Called before the program is ended; does not return if it throws.
inline AssertionHandler assertion_handler = nullptr;

namespace detail {

[[noreturn]] inline void assertion_failed(const char* what, const char* why, const char* file, int line) {
  if (assertion_handler != nullptr) assertion_handler(what, why, file, line);
  std::fprintf(stderr, "virga: broken invariant: %s (%s) at %s:%d\n", why, what, file, line);
  std::abort();
}

}  // namespace detail
}  // namespace virga

#define VIRGA_ASSERT(condition, why) \
  ((condition) ? void(0) : ::virga::detail::assertion_failed(#condition, why, __FILE__, __LINE__))
