// Jobs on Virga's nodes that did not come through Virga (core/foreign.hpp): such a node takes no new job, and is kept
// until they are over.
#pragma once

#include <string>

#include "brain/effects.hpp"

namespace virga {

/// The engine's word that such jobs are on a node, or that none is any more. Jobs of ours that were not launched there
/// yet go elsewhere; those that run go on. Only VMs that are ready are meant: another one cannot have jobs.
void on_foreign_jobs(Effects& fx, const NodeUpdated& e);
/// Whether one of the job's nodes has such jobs.
bool has_occupied_node(const State& state, const Job& job);
/// How many nodes have some.
std::size_t count_occupied(const State& state);
/// "; nd1 has job 50000017 of ada, which came past Virga", of the partition's nodes; nothing where there are none.
std::string foreign_note(const State& state, const Partition& partition);

}  // namespace virga
