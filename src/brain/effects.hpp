// What every decision of the brain works on: the state it changes and the outbox it fills. Handlers are plain
// functions of these two, so a test can give them a state and look at what came out.
#pragma once

#include <utility>
#include <variant>
#include <vector>

#include "brain/state.hpp"
#include "core/command.hpp"

namespace virga {

struct Effects {
  State& state;
  std::vector<Command>& outbox;

  template <class C>
  void emit(C command) {
    outbox.emplace_back(std::in_place_type<C>, std::move(command));
  }
};

}  // namespace virga
