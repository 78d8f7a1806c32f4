// The ports to the world: the clouds and the engine that virgad acts through. All it knows of adapters is in hands.cpp.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "control/cloud_router.hpp"
#include "control/controller.hpp"
#include "ports/engine.hpp"
#include "programs/settings.hpp"
#include "wire/home.hpp"

namespace virga {

class SlurmClusters;

/// What nodes have to mount, as the configuration that holds says; asked by the engine from its own thread.
class StorageList {
 public:
  void set(std::vector<Storage> storage) {
    const std::lock_guard lock(mutex_);
    storage_ = std::move(storage);
  }
  std::vector<Storage> get() const {
    const std::lock_guard lock(mutex_);
    return storage_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Storage> storage_;
};

/// Made once this controller may act; what it finds on the machine is as old as it is.
struct Hands {
  static Result<std::unique_ptr<Hands>> open(Controller& controller, const Home& home, const Settings& settings);

  explicit Hands(EventSink& sink) : clouds(sink) {}

  /// Before and after the configuration is changed: of pools that are new, where their nodes go.
  Status check_pools(const EngineSettings& wanted) const;
  void take_pools(const EngineSettings& wanted);
  /// In which of several clusters of Slurm the nodes of the pool are; "" where there is one, or none. Of any thread.
  std::string cluster_of(const std::string& pool) const;

  CloudRouter clouds;
  StorageList storage;
  std::unique_ptr<Engine> engine;
  SlurmClusters* slurm = nullptr;  ///< the engine, if it is that
  EngineSettings started_with;
};

}  // namespace virga
