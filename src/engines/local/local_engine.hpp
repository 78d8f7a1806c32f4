// The local engine: an agent on every virtual node runs the jobs; this side tells the agents what to do.
//
//   auto engine = make_local_engine({.home = home, .node_program = "/usr/lib/virga/virga-node", …}, sink);
//   engine->attach(vm, pool);             // → VmReady
//
// Agents and supervisors live in the nodes and do not depend on this process. What is known of a job is kept by the
// agents until forget(), so an engine that was killed and made anew learns by asking again: it starts nothing twice.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/storage.hpp"
#include "ports/engine.hpp"
#include "ports/event_sink.hpp"
#include "wire/home.hpp"

namespace virga {

struct LocalEngineOptions {
  Home home;
  std::string node_program;  ///< path of virga-node
  std::string cluster_name;
  /// What nodes without shared files have to mount: asked from the engine's thread, for each such node.
  std::function<std::vector<Storage>()> storage = [] { return std::vector<Storage>(); };
  std::string bin_dir;  ///< where Virga's commands lie; first in the PATH of jobs
};

std::unique_ptr<Engine> make_local_engine(LocalEngineOptions options, EventSink& sink);

}  // namespace virga
