// The network between the nodes of an instance: a bridge in a network namespace of its own, or several of them, since
// the kernel gives a bridge 1,023 ports. The others hang on the first one, so that there is one way between any two.
//
// A small process holds the namespace (in the user tier also the user namespace that every node joins); nothing is
// pinned in the file system, and nothing is made in the machine's own network namespace but the one port that
// connect_machine() makes, so that when the process dies the kernel removes all of it. The process is known by the lock
// that it holds on <home>/vms/fabric.lock.
//
//   auto pid = ensure_fabric(home, node_program, tier);      // in virgad
//   connect_to_fabric(*pid, port);                           // in a node's launcher: now in the node's own namespace
//   stop_fabric(home);                                       // when the last node is gone
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "clouds/host/tier.hpp"
#include "wire/home.hpp"

namespace virga::host {

inline std::string fabric_lock_path(const Home& home) { return home.vms() + "/fabric.lock"; }

/// The running fabric, or a new one. In the user tier a fabric is needed for nodes without own network, too.
Result<pid_t> ensure_fabric(const Home& home, const std::string& node_program, Tier tier);
void stop_fabric(const Home& home);
/// The fabric process itself: `virga-node vm fabric HOME TIER`. Writes "ok" or "failed CODE MESSAGE" to standard
/// output.
int run_fabric(const Home& home, Tier tier);

/// Moves the caller into the fabric's user namespace, with all capabilities there.
Status join_fabric_users(pid_t fabric);

/// The fabric has so many bridges afterwards. Again: nothing changes. More than one in the root tier alone.
Status ensure_bridges(pid_t fabric, std::uint32_t count);

struct FabricPort {
  std::string port;  ///< the bridge's end, unique in the fabric
  std::string address;
  bool metadata = false;     ///< with a way to the metadata service (metadata.hpp)
  std::uint32_t bridge = 0;  ///< on which of them; it is there
};
/// Moves the caller into a new network namespace that has lo and eth0.
Status connect_to_fabric(pid_t fabric, const FabricPort& port);

/// Gives this machine a port on the fabric, so that its programs and the nodes reach each other. Again: nothing
/// changes. In the root tier alone. An empty address stands for machine_address().
Status connect_machine(const Home& home, pid_t fabric, const std::string& address);
/// The kernel has one table of neighbours for all network namespaces, with room for 1,024 unless it is told otherwise:
/// from some 500 nodes on they would not reach each other. Raises the limit where it is too low for so many nodes, and
/// leaves it so, as others may rely on it meanwhile. Needs the root tier; elsewhere nothing happens.
void make_room_for_neighbours(std::size_t nodes);
/// The machine's own address there, where the cloud chooses it: no node's number is so high.
std::string machine_address(const Home& home);

/// "10.<subnet_of(home)>.<b>.<c>".
std::string fabric_address(const Home& home, std::uint32_t index);

}  // namespace virga::host
