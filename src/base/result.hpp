// Errors are values: every call that can fail for an expected reason returns Result<T>.
//
//   Result<Config> config = parse_config(text);
//   if (!config) return unexpected(config.error());
//
// A broken invariant is no Error: it ends the program (see base/assert.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace virga {

/// Closed list; wire/error_codes.hpp maps each to an HTTP status, a Slurm error number and an exit code.
enum class Code : std::uint8_t {
  invalid,      ///< the request is wrong and stays wrong: exit 2
  not_found,    ///< no such job, node, partition …
  denied,       ///< the caller may not do this
  conflict,     ///< right request, wrong moment (job already ended, daemon already running)
  refused,      ///< can never be had (more nodes than exist)
  unavailable,  ///< the other side is not there: no daemon, agent gone
  timeout,      ///< it did not happen in time
  exhausted,    ///< disk full, too many open files, queue limit
  corrupt,      ///< stored data is damaged
  internal,     ///< the operating system or a library failed in a way we did not foresee
};

struct Error {
  Code code = Code::internal;
  std::string message;     ///< one line: what is wrong, where, and what would be right
  bool retryable = false;  ///< the same call may succeed later
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Code code, std::string message, bool retryable = false) {
  return tl::unexpected<Error>(Error{code, std::move(message), retryable});
}
inline tl::unexpected<Error> unexpected(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace virga
