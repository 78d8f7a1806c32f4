// The machine's time, made safe: it starts at the wall clock (or at `not_before`, if the wall clock was set back behind
// the journal's last event) and then follows CLOCK_BOOTTIME, so it never jumps, whatever is done to the wall clock.
#pragma once

#include <memory>

#include "ports/clock.hpp"

namespace virga {

std::unique_ptr<Clock> make_system_clock(Time not_before);

}  // namespace virga
