// What the policy says about a job before it is one: defaults that it fills in, and why it is refused.
//
//   add_policy_defaults(config, actor, spec);                     // QOS of the partition, tenant of the user
//   if (auto error = policy_refusal(state, spec, actor)) refuse(*error);
//
// A job is refused when it names what does not exist, what is not its user's, or what can never be had; anything that
// time alone can heal makes it wait instead.
#pragma once

#include <optional>

#include "base/result.hpp"
#include "brain/state.hpp"

namespace virga {

/// `spec` must name its partition by now.
void add_policy_defaults(const Config& config, const Actor& actor, JobSpec& spec);
/// `spec` is with all defaults.
std::optional<Error> policy_refusal(const State& state, const JobSpec& spec, const Actor& actor);

/// How many jobs a submission makes.
std::uint32_t jobs_of(const JobSpec& spec);

}  // namespace virga
