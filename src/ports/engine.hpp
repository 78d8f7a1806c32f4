// Engine: who runs processes on machines. Adapters: engines/local, engines/slurm; the simulator has its own.
//
//   script = engine.user_data(vm, pool);   // handed to the cloud
//   engine.attach(vm, "nd");         // → VmReady once the agent on it answers, or VmUnhealthy
//   engine.start(command, payload);  // → JobStarted or JobLaunchFailed; later JobEnded
//
// Contract (ports/contract/engine_contract.hpp checks every adapter against it):
//  * start() of an incarnation that already runs or has ended starts nothing: it answers as the first time
//    (JobStarted, then JobEnded if it has ended). So a command may be given again after a crash.
//  * JobEnded comes after the last process of the job on every living node is gone, exactly once per start().
//  * Usage and steps that an engine learns only later come as JobAccounted, at least once, and hold no JobEnded back.
//  * end() of a job that does not run answers JobEnded at once.
//  * What a node hears of its own end (the cloud takes it back, or restarts it) is VmEvicting, once per controller; it
//    ends nothing by itself.
//  * A node whose health checks fail is told with VmUnhealthy, and takes no launch until they pass. A start on it that
//    cannot be carried out for that is JobLaunchFailed, not the job's fault, and comes after VmUnhealthy. (Held by
//    tests/unit/engines_local/health_agent_test.cpp, not by the shared suite.)
//  * The job's processes do not depend on this process: they go on when it dies.
//  * Calls return at once; the answers come through the EventSink, from any thread.
//  * Where several controllers share a journal, lead() comes first, with a term that no earlier leader had. From then
//  on
//    whoever runs jobs takes no command of a lower term, if it can tell: a late command has no effect.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/command.hpp"

namespace virga {

/// A job incarnation that an agent knows, running or ended.
struct KnownJob {
  JobId job;
  std::uint32_t incarnation = 0;
  VmId vm;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual void lead(std::uint64_t term) { static_cast<void>(term); }

  /// The node's bootstrap; the pool says how it is to be checked.
  virtual std::string user_data(const WantedVm& vm, const Pool& pool) = 0;
  /// A VM that the cloud has granted, and the pool it is of.
  virtual void attach(VmId vm, const std::string& pool) = 0;
  virtual void detach(VmId vm) = 0;

  virtual void start(const StartJob& command, LaunchPayload payload) = 0;
  virtual void signal(const SignalJob& command) = 0;
  virtual void end(const EndJob& command) = 0;
  virtual void forget(const ForgetJob& command) = 0;
};

}  // namespace virga
