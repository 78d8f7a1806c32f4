// One table for what an error means outside: HTTP status, Slurm's error number, exit code.
//
//   return exit_code(error.code);
//   std::string body = problem_text(error);                  // application/problem+json
//   Error error = error_from_problem(404, body);             // and back, in a client
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/enum_names.hpp"
#include "base/result.hpp"

namespace virga {

template <>
struct EnumNames<Code> {
  static constexpr std::string_view names[] = {"invalid",     "not_found", "denied",    "conflict", "refused",
                                               "unavailable", "timeout",   "exhausted", "corrupt",  "internal"};
};

int http_status(Code code);
/// 0 ok, 1 failure, 2 wrong usage; the others tell scripts apart what they may want to react to.
int exit_code(Code code);
/// As slurm_errno.h of Slurm 22.05 has it. Some messages tell more than the code does: an unknown job is 2017.
int slurm_error_number(const Error& error);

/// The reason phrase of an HTTP status.
std::string_view http_reason(int status);

/// `status` overrides that of the code where HTTP has a more precise one (401, 405, 410, 413, 431).
std::string problem_text(const Error& error, int status = 0);
/// Also of an answer that is no problem document, such as a proxy's.
Error error_from_problem(int status, std::string_view body);

}  // namespace virga
