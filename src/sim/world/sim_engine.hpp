// The simulated engine: the adapter of ports/engine.hpp over processes.hpp, as one controller sees it.
//
//   SimEngine engine(queue, processes, seed, delivery, controller);
//
// It keeps nothing that matters: what runs where is known to the agents, and goes on without it.
#pragma once

#include <map>
#include <set>

#include "ports/engine.hpp"
#include "sim/world/courier.hpp"
#include "sim/world/processes.hpp"

namespace virga {

class SimEngine : public Engine {
 public:
  SimEngine(EventQueue& queue, Processes& processes, std::uint64_t seed, const DeliveryFaults& delivery,
            EventSink& sink);
  ~SimEngine() override;

  std::string user_data(const WantedVm& vm, const Pool& pool) override;
  void attach(VmId vm, const std::string& pool) override;
  void detach(VmId vm) override;
  void start(const StartJob& command, LaunchPayload payload) override;
  void signal(const SignalJob& command) override;
  void end(const EndJob& command) override;
  void forget(const ForgetJob& command) override;

 private:
  void tell_ready(VmId vm);
  void tell_sick(std::uint64_t stream, VmId vm);
  void tell_started(JobId job, std::uint32_t incarnation);
  void tell_ended(JobId job, std::uint32_t incarnation, ExitStatus exit);
  void tell_launch_failed(JobId job, std::uint32_t incarnation, bool job_at_fault);
  Duration latency() { return random_.exponential(Duration::milliseconds(40)); }

  Processes& processes_;
  Prng random_;
  Courier courier_;
  std::set<VmId> attached_;
  std::set<Processes::Key> watched_;  ///< their end is still to be told
};

}  // namespace virga
