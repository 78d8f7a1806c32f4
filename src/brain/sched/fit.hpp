// Whether a pool could ever hold a job, whatever else runs.
//
//   if (auto why = misfit_of(config, pool, spec)) …"pool nd has at most 8 nodes"…
//   review_waiting_jobs(fx);      // after a change of the configuration, or when the supercomputer is taken down
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "brain/effects.hpp"
#include "brain/place/node_wish.hpp"

namespace virga {

/// What one node of this pool must have free for the job.
Resources demand_per_node(const JobSpec& spec, const Pool& pool);
/// The part of `amount` that stands for the job's part of a node: of its CPUs or its GPUs, whichever is more.
std::uint64_t part_of_node(std::uint64_t amount, const JobSpec& spec, const Pool& pool);
/// The single nodes of this pool that the job must or may not have. Names of other pools' nodes are left out.
NodeWish node_wish_of(const JobSpec& spec, const Pool& pool);
/// What is wrong with the features and nodes that a submission names, whatever the pools are like now.
std::optional<Error> placement_mistake(const State& state, const JobSpec& spec);
/// Why this pool can never hold the job.
std::optional<std::string> misfit_of(const Config& config, const Pool& pool, const JobSpec& spec);
/// The same for the training that it names in its comment: the model does not fit the GPUs.
std::optional<std::string> training_misfit_of(const State& state, const Pool& pool, const JobSpec& spec);
/// Neither of the two keeps the job from the pool.
bool can_hold(const State& state, const Pool& pool, const JobSpec& spec);
/// What to tell the submitter of it: what could not be checked, and a time limit that is too short for the tokens that
/// it names. Of the pool of its partition that is done first.
std::vector<std::string> training_warnings(const State& state, const JobSpec& spec);
/// Why no pool of the job's partition can ever hold it, drained nodes aside; nothing if one can.
std::optional<Error> never_fits(const State& state, const JobSpec& spec);

/// Which waiting jobs can still be served, and why others cannot.
void review_waiting_jobs(Effects& fx);
/// The same for one job that is in no index now.
void review_waiting_job(const State& state, Job& job);

}  // namespace virga
