// A job whose specification is written anew: Slurm's `scontrol update jobid=…`.
//
//   std::optional<Error> refused = change_refusal(state, event);
//   on_job_changed(fx, event);
//
// The new specification is the whole one. A job that waits is looked at as if it were submitted now, by its owner, but
// keeps its number, its age and its hold. Of one that has begun only its name, comment, nice value, requeueing, array
// limit and time limit may differ; a longer time is an operator's to give.
#pragma once

#include <optional>

#include "base/result.hpp"
#include "brain/effects.hpp"
#include "core/event.hpp"

namespace virga {

std::optional<Error> change_refusal(const State& state, const JobChanged& e);
std::uint64_t on_job_changed(Effects& fx, const JobChanged& e);

}  // namespace virga
