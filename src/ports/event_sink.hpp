// Where the ports put what happened. Control's queue implements it; tests record.
#pragma once

#include "core/event.hpp"

namespace virga {

class EventSink {
 public:
  virtual ~EventSink() = default;
  /// May be called from any thread; never blocks for long and never calls back into the caller.
  virtual void post(EventBody fact) = 0;
};

}  // namespace virga
