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
#include "engines/slurm/slurm_engine.hpp"
#include "ports/contract/engine_contract.hpp"

namespace virga::slurm_test {

class World {
 public:
  World();
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Needs root and Slurm; without them it says so, and the test is skipped.
  static bool usable();

  const Home& home() const { return home_; }
  std::string work(const std::string& name = "") const {
    return home_.path + "/work" + (name.empty() ? "" : "/" + name);
  }

  std::unique_ptr<Engine> engine(EventSink& sink);
  JobNode boot();
  void kill(VmId vm);

  Actor owner() const { return {65534, 65534, "nobody", false}; }
  LaunchPayload script(const std::string& text) const;
  int runs(JobId job) const;

 private:
  Home home_;
  contract::Recorder cloud_sink_;
  std::unique_ptr<Cloud> cloud_;
  Engine* bootstraps_ = nullptr;  ///< whose user data the next node gets
  std::uint64_t next_ = 1;
};

std::string read_file(const std::string& path);

}  // namespace virga::slurm_test
