// A Slurm cluster with nodes of the host cloud, all real, in a home of the test's own. Ended without a trace.
//
//   World world;
//   if (!world.usable()) return;                 // says why
//   JobNode node = world.boot();
//   auto engine = world.engine(sink);
//
// The test's own program is virga-node, too (world.cpp).
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "clouds/host/host_cloud.hpp"
#include "engines/slurm/clusters.hpp"
#include "ports/contract/engine_contract.hpp"

namespace virga::slurm_test {

std::string read_file(const std::string& path);

class World {
 public:
  /// `site_conf`: slurm.conf of a cluster that exists.
  explicit World(std::string site_conf = "");
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Needs root and Slurm; without them it says so, and the test is skipped.
  static bool usable();

  const Home& home() const { return home_; }
  std::string work(const std::string& name = "") const {
    return home_.path + "/work" + (name.empty() ? "" : "/" + name);
  }

  std::unique_ptr<Engine> engine(EventSink& sink, std::chrono::milliseconds sweep = std::chrono::seconds(15),
                                 const std::string& cluster = "testing");
  /// Beside the cluster of engine() a second one, "west", which exists if `conf` says where.
  std::unique_ptr<SlurmClusters> clusters(EventSink& sink, ClusterOfPool pools, const std::string& conf = "");
  /// Of engines that are made from now on: takes jobs that wait in Slurm, which do not begin there then.
  slurm::Adopt adopt;
  bool accounting = false;  ///< of engines that are made from now on
  /// `name`: of one that was there before; empty: a new one.
  JobNode boot(const std::string& name = "", std::uint32_t gpus = 0, const std::string& pool = "nd");
  void kill(VmId vm);

  Job job(std::uint32_t id, std::vector<JobNode> nodes) const;
  /// Slurm's own command, and what it prints.
  std::string slurm(const std::vector<std::string>& argv) const;
  pid_t controller(const std::string& cluster = "") const;  ///< slurmctld
  std::string output(std::uint32_t id) const { return read_file(work("slurm-" + std::to_string(id) + ".out")); }

  Actor owner() const { return {65534, 65534, "nobody", false}; }
  LaunchPayload script(const std::string& text) const;
  int runs(JobId job) const;

 private:
  SlurmEngineOptions options(std::chrono::milliseconds sweep, const std::string& cluster);

  Home home_;
  std::string site_conf_;
  contract::Recorder cloud_sink_;
  std::unique_ptr<Cloud> cloud_;
  Engine* bootstraps_ = nullptr;  ///< whose user data the next node gets
  std::uint64_t next_ = 1;
};

/// A world with one node that is ready. What is in it goes in the right order.
struct Session {
  explicit Session(std::chrono::milliseconds sweep = std::chrono::seconds(15)) : engine(world.engine(sink, sweep)) {
    engine_contract::wait_ready(sink, *engine, {node});
  }
  World world;
  engine_contract::RecordingSink sink;
  std::unique_ptr<Engine> engine;
  JobNode node = world.boot();
};

}  // namespace virga::slurm_test
