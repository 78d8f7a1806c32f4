// Requests from outside: whether they may be granted, and what granting them does.
#pragma once

#include <optional>

#include "brain/effects.hpp"

namespace virga {

/// Why a request would be refused now: nothing if it would be granted, or if the event is a fact. And what a granted
/// submission comes to: the spec with the configuration's defaults filled in.
struct Admission {
  std::optional<Error> refused;
  Shared<JobSpec> spec;
};
Admission admit(const State& state, const EventBody& body);

// Each expects that it is not refused. The returned number is what the asker gets.
std::uint64_t on_job_submitted(Effects& fx, const JobSubmitted& e, const Shared<JobSpec>& spec);
std::uint64_t on_job_acted(Effects& fx, const JobActed& e);
std::uint64_t on_node_updated(Effects& fx, const NodeUpdated& e);
std::uint64_t on_partition_updated(Effects& fx, const PartitionUpdated& e);
std::uint64_t on_step_started(Effects& fx, const StepStarted& e);
std::uint64_t on_step_ended(Effects& fx, const StepEnded& e);
std::uint64_t on_checkpoint_done(Effects& fx, const CheckpointDone& e);
std::uint64_t on_shutdown_requested(Effects& fx, const ShutdownRequested& e);
std::uint64_t on_config_changed(Effects& fx, const ConfigChanged& e);
std::uint64_t on_controller_started(Effects& fx, const ControllerStarted& e);

/// The jobs of a request: a whole array, one of its tasks (`task`, or k_no_array_task), or the one job.
std::vector<JobId> jobs_meant(const State& state, JobId job, std::uint32_t task);
/// Why the actor may not change this job at all; nothing if he may.
std::optional<Error> job_refusal(const State& state, JobId id, const Actor& actor);
/// A submission's specification with the configuration's defaults filled in.
Shared<JobSpec> with_defaults(const State& state, const JobSubmitted& e);
/// Why such a job is not taken, as far as that does not depend on how many others there are.
std::optional<Error> specification_refusal(const State& state, const JobSubmitted& e, const JobSpec& spec);

}  // namespace virga
