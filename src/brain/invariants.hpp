// The invariants of docs/design.md, section 4, as far as one state shows them. A broken one ends the program.
#pragma once

#include "brain/state.hpp"

namespace virga {

void check_invariants(const State& state);

}  // namespace virga
