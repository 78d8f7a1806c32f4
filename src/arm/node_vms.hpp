// VMs of the stand-in that really run: each is a virtual node of the host cloud, which executes the VM's custom data
// and finds the metadata service at its usual address.
//
//   auto nodes = NodeVms::open({home, "/usr/lib/virga/virga-node"});
//   StandIn stand_in(scenario, **nodes, now);
//   auto server = ArmServer::open(…, stand_in, clock);
//   (*nodes)->connect(**server);
//   (*server)->run();
//   (*nodes)->release_all();
//
// A node boots as fast as it can; the scenario's boot times are those of simulated VMs. A node whose custom data ends,
// or that is killed, is a VM that was shut down from within: stopped, and billed on.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "arm/backend.hpp"
#include "arm/server.hpp"
#include "ports/cloud.hpp"
#include "ports/event_sink.hpp"
#include "wire/home.hpp"

namespace virga::arm {

struct NodeVmsOptions {
  Home home;                   ///< of the nodes; nobody else's
  std::string node_program;    ///< path of virga-node
  bool private_files = false;  ///< the nodes see nothing of this machine's files, as VMs of a cloud do
  /// Under which the nodes reach this machine, and it reaches them, as across a gateway to the virtual network; it must
  /// lie in their /16, and it takes root. Empty: they have no way to each other.
  std::string machine_address = {};
};

class NodeVms : public VmBackend, private EventSink {
 public:
  /// Removes what a stand-in that was killed has left there. Code::unavailable where nodes cannot be made apart from
  /// the machine (plain tier), and so have no metadata service.
  static Result<std::unique_ptr<NodeVms>> open(const NodeVmsOptions& options);
  ~NodeVms() override;

  /// Replies come on that server's thread, and it answers the nodes' questions to the metadata service. Before the
  /// first start; both must outlive the nodes.
  void connect(ArmServer& server) { server_ = &server; }
  /// Ends all nodes, and waits until nothing is left of them.
  void release_all();

  void start(const VmOrder& order, Reply reply, Time now) override;
  void stop(const std::string& vm_id) override;
  void on_death(Death death) override { death_ = std::move(death); }

 private:
  struct Node {
    std::string vm_id;
    std::string address;
    Reply reply;  ///< while it boots
  };

  explicit NodeVms(const NodeVmsOptions& options);
  void post(EventBody event) override;
  void take(const EventBody& event, Time now);
  void wait_until_released();

  const bool private_files_;
  ArmServer* server_ = nullptr;
  Death death_;
  std::uint64_t last_ = 0;
  std::map<VmId, Node> nodes_;  ///< of the server's thread alone, like the above

  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<VmId> there_;          ///< asked for, and not released yet
  std::unique_ptr<Cloud> cloud_;  // last: its threads use all of the above
};

}  // namespace virga::arm
