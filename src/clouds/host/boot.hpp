// The boot of one node: a short-lived launcher that leaves the node's init behind.
//
// Steps, each of which can fail with a reason: record, cgroup, network, namespaces, hostname, mounts, hosts, user_data.
// The init takes all of them (it is the one that enters the namespaces) and then waits. Only when its identity is in
// the VM's record does the launcher let it go on to run the user data: so user data runs once, and a launcher that dies
// at any moment leaves either nothing or a node that can be found.
//
// $VIRGA_FAULT_BOOT="NODE:STEP" makes that step fail, "NODE:STEP:hang" makes it hang (for tests).
#pragma once

#include <string>

#include "base/result.hpp"
#include "clouds/host/vm_file.hpp"

namespace virga::host {

/// Tells the host cloud how far the boot has come.
class BootReporter {
 public:
  BootReporter(int fd, std::string node) : fd_(fd), node_(std::move(node)) {}
  void set_node(std::string name) { node_ = std::move(name); }
  /// Fails where the fault switch says so.
  Status step(const std::string& name);
  void failed(const Error& error);
  void ok();
  void close();

 private:
  void say(const std::string& line);
  int fd_;
  std::string node_;
};

int run_boot(const Home& home, VmId vm, std::uint64_t attempt);

}  // namespace virga::host
