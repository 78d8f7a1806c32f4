// The host cloud: virtual nodes on this machine. A VM is a process tree that does not depend on virgad: it lives on
// when virgad dies, and the next virgad finds it by its record in Home::vm(id).
//
//   auto cloud = make_host_cloud({home, "/usr/lib/virga/virga-node", "virga"}, sink);
//
// How much a node is apart from the machine depends on the tier (tier.hpp). The work is done by `virga-node vm …`
// (node_main.hpp); this class starts it, keeps the books, and watches.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ports/cloud.hpp"
#include "ports/event_sink.hpp"
#include "wire/home.hpp"

namespace virga {

struct HostCloudOptions {
  Home home;
  std::string node_program;  ///< path of virga-node
  std::string cluster_name;
  /// The address of a node, where somebody else gives them out; "" or without it the cloud chooses. Nodes of one fabric
  /// need addresses of one /16.
  std::function<std::string(const WantedVm&)> address_of = {};
  /// Nodes on the fabric and this machine reach each other, as an engine with a controller of its own needs it. In the
  /// root tier alone.
  bool machine_on_fabric = false;
  /// This machine's address there, in the /16 of the nodes; empty: host_address_on_fabric().
  std::string machine_address = {};
  /// In the root tier; elsewhere all nodes are on one bridge, which has 1,023 ports.
  std::uint32_t nodes_per_bridge = 900;  ///< the rest of the ports is for the machine and the other bridges
  /// With it, nodes on the fabric reach a metadata service: each fabric's listening socket is handed over once, before
  /// its first node boots, from any thread. It belongs to the callee; connections come from the nodes' addresses.
  std::function<void(int listener)> serve_metadata = {};
};

/// The address that this machine has for nodes on the fabric unless another one is wanted.
std::string host_address_on_fabric(const Home& home);

/// Makes the calling process a child subreaper, so that it hears of the end of nodes whose launcher is gone.
/// Call it while there is one thread. `sink` must outlive the cloud.
std::unique_ptr<Cloud> make_host_cloud(HostCloudOptions options, EventSink& sink);

}  // namespace virga
