// The slurm engine: jobs run on real Slurm, driven by its commands. Nothing of Slurm is linked.
//
//   auto engine = make_slurm_engine({.cluster = {home, "virga", node_program, "10.77.250.1"}, .bin_dir = bin}, sink);
//   engine->attach(vm);        // → VmReady once Slurm has the node as idle
//
// It raises a cluster of its own (cluster.hpp), whose nodes are Virga's VMs: their bootstrap starts a slurmd that joins
// by itself. A job enters bound to its nodes, in rank order (batch_script.hpp); inside it srun, squeue and all else are
// Slurm's own. SLURM_JOB_ID there is Slurm's number; Virga's is VIRGA_JOB_ID.
//
// What happens in Slurm is pushed by a hook of slurmctld, and swept now and then in case a message is lost
// (reconciler.hpp). All commands run on the engine's own thread, so a slurmctld that does not answer blocks nobody.
//
// Resource usage and the steps of jobs are told after their end, where Slurm keeps accounts (accounts.hpp). Several
// clusters as one engine: clusters.hpp.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "engines/slurm/adoption.hpp"
#include "engines/slurm/cluster.hpp"
#include "ports/engine.hpp"
#include "ports/event_sink.hpp"

namespace virga {

struct SlurmEngineOptions {
  slurm::ClusterOptions cluster;
  std::string bin_dir;  ///< where Virga's commands lie; last in the PATH of jobs
  std::chrono::milliseconds sweep{15'000};
  std::function<void(const std::string&)> say = [](const std::string&) {};  ///< from the engine's thread
  bool is_one_of_several = false;  ///< it says which of them an unknown job is in (clusters.hpp)
  /// Takes jobs that wait in Slurm into Virga's queue; empty: jobs that come past Virga are left alone. Jobs of a
  /// cluster that is raised then wait there (ClusterOptions::direct_jobs_wait).
  slurm::Adopt adopt = {};
};

Result<std::unique_ptr<Engine>> make_slurm_engine(SlurmEngineOptions options, EventSink& sink);

}  // namespace virga
