// Named places where a test may kill the controller: VIRGA_CRASH_AT="append:3" kills it (SIGKILL, to itself) just
// before its third journal commit; "appended" just after one, "command" before and "commanded" after a command.
// Off unless the variable is set; script/crash-test walks through all of them.
#pragma once

namespace virga {

enum class CrashPoint { append, appended, command, commanded };

void crash_point(CrashPoint point);

}  // namespace virga
