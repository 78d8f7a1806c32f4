// What every decision of the brain works on: the state it changes and the outbox it fills. Handlers are plain
// functions of these two, so a test can give them a state and look at what came out.
#pragma once

#include <utility>
#include <vector>

#include "brain/state.hpp"
#include "core/command.hpp"

namespace virga {

struct Effects {
  State& state;
  std::vector<Command>& outbox;

  void emit(Command command) { outbox.push_back(std::move(command)); }
};

}  // namespace virga
