// For tests: VIRGA_FAULT_ARM="before:7" kills this program (SIGKILL, to itself) just before it makes its seventh call
// of Azure's management API, "after:7" when the answer has come and nobody has looked at it. Off unless the variable is
// set; requests for tokens do not count. tests/fault/azure_crash_points.py walks through all calls of a gang's life.
#pragma once

#include <cstdint>

namespace virga::azure {

/// The number of the call that begins now, from 1. From any thread.
std::uint64_t begin_call();
/// The answer to that call is there.
void end_call(std::uint64_t number);

}  // namespace virga::azure
