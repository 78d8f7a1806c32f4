// VMs whose health checks failed: they take no new job, and once their jobs are gone they are kept in quarantine for a
// time, so that the cloud does not lend the same machine again at once. And what VMs were of no use to anybody.
#pragma once

#include "brain/effects.hpp"

namespace virga {

/// Jobs that were not launched yet get other nodes, spare ones first; those that run go on.
void on_vm_unhealthy(Effects& fx, const VmUnhealthy& e);
/// An operator says that the VM is good: it takes jobs again. Its time in quarantine is forgotten.
void end_quarantine(State& state, Vm& vm);
/// Whether one of the job's nodes is known to be sick.
bool has_sick_node(const State& state, const Job& job);

/// From when on the VM was of no use: all of its time, once it is given back and was bought for a job or never came
/// up, if no job ever ran on it; else its last quarantine. Unset: at no time.
Time wasted_since(const State& state, const Vm& vm);

}  // namespace virga
