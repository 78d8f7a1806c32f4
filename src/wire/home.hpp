// The folder of one Virga instance, and the names of what lies in it. Every program finds the others by these names.
//
//   Home home{"/var/lib/virga"};
//   home.api_socket();   // /var/lib/virga/run/api.sock
//
// $VIRGA_HOME names it; without it, it is $XDG_STATE_HOME/virga (~/.local/state/virga). home_from_environment() is the
// only place that knows this rule.
#pragma once

#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace virga {

struct Home {
  std::string path;  ///< absolute, no slash at its end

  std::string run() const { return path + "/run"; }  ///< sockets, pid file; empty when down
  std::string api_socket() const { return run() + "/api.sock"; }
  std::string pid_file() const { return run() + "/virgad.pid"; }
  std::string agents() const { return run() + "/agents"; }
  /// Where the agent of a VM listens.
  std::string agent_socket(VmId vm) const { return agents() + "/" + std::to_string(vm.value) + ".sock"; }
  std::string journal() const { return path + "/journal.db"; }
  std::string config() const { return path + "/virga.toml"; }
  std::string log() const { return path + "/virgad.log"; }
  std::string vms() const { return path + "/vms"; }  ///< the host cloud's own state
  std::string vm(VmId vm) const { return vms() + "/" + std::to_string(vm.value); }
  std::string spool() const { return path + "/spool"; }  ///< scripts of running jobs
  std::string board() const { return path + "/board"; }  ///< wire/node_board.hpp
  std::string slurm() const { return path + "/slurm"; }  ///< engines/slurm/cluster.hpp
  std::string checkpoints() const { return path + "/checkpoints"; }
};

/// Names the instance's home; refuses one that is relative, or too long for the 107 bytes of a socket's path.
Result<Home> home_from_environment();

}  // namespace virga
