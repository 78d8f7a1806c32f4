// Clock: the only source of "now" outside the adapters.
//
// now() never goes backwards inside one process, whatever happens to the machine's wall clock, and never starts before
// `not_before` (the journal's last event).
#pragma once

#include "base/time.hpp"

namespace virga {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() = 0;
};

}  // namespace virga
