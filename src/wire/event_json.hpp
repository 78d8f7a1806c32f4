// Events as the live stream carries them: {"seq","at","type","body"}.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/event.hpp"

namespace virga {

struct StreamedEvent {
  Seq seq;
  Event event;
};

std::string event_json(Seq seq, const Event& event);
Result<StreamedEvent> event_from_json(std::string_view text);

}  // namespace virga
