// Assertions stay on in every build. They are for broken invariants only; bad input is an Error.
//
//   VIRGA_ASSERT(free.cpus <= total.cpus, "node holds less than nothing");
#pragma once

#include <cstdio>
#include <cstdlib>

namespace virga::detail {

[[noreturn]] inline void assertion_failed(const char* what, const char* why, const char* file, int line) {
  std::fprintf(stderr, "virga: broken invariant: %s (%s) at %s:%d\n", why, what, file, line);
  std::abort();
}

}  // namespace virga::detail

#define VIRGA_ASSERT(condition, why) \
  ((condition) ? void(0) : ::virga::detail::assertion_failed(#condition, why, __FILE__, __LINE__))
