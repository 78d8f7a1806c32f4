// The folder of one Virga instance, and the names of what lies in it. Every program finds the others by these names.
//
//   Home home{"/var/lib/virga"};
//   home.api_socket();   // /var/lib/virga/run/api.sock
//
// A program in HOME/libexec beside HOME/virga.toml (script/slurm-prefix) belongs to that instance, whatever the
// environment says. For others $VIRGA_HOME names it. Without it, it is /var/lib/virga where the controller's package is
// installed, which is where /etc/virga/virga.toml exists, and else $XDG_STATE_HOME/virga (~/.local/state/virga).
// home_from_environment() is the only place that knows this rule.
#pragma once

#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace virga {

struct Home {
  std::string path;             ///< absolute, no slash at its end
  std::string controller = {};  ///< which of several controllers (`virgad --name`); "" for the first

  std::string run() const { return path + "/run"; }  ///< sockets, pid file; empty when down
  std::string api_socket() const { return run() + "/" + (controller.empty() ? "api" : program()) + ".sock"; }
  std::string pid_file() const { return run() + "/" + program() + ".pid"; }
  /// "virgad" or "virgad-<name>": what the controller's own files are called.
  std::string program() const { return controller.empty() ? "virgad" : "virgad-" + controller; }
  std::string agents() const { return run() + "/agents"; }
  /// Where the agent of a VM listens.
  std::string agent_socket(VmId vm) const { return agents() + "/" + std::to_string(vm.value) + ".sock"; }
  std::string journal() const { return path + "/journal.db"; }
  std::string config() const { return path + "/virga.toml"; }
  std::string log() const { return path + "/" + program() + ".log"; }
  std::string vms() const { return path + "/vms"; }  ///< the host cloud's own state
  std::string vm(VmId vm) const { return vms() + "/" + std::to_string(vm.value); }
  std::string spool() const { return path + "/spool"; }  ///< scripts of running jobs
  std::string board() const { return path + "/board"; }  ///< wire/node_board.hpp
  /// engines/slurm/cluster.hpp; of several clusters of Slurm each but the first has a name.
  std::string slurm(const std::string& cluster = "") const {
    return path + "/slurm" + (cluster.empty() ? "" : "-" + cluster);
  }
  std::string checkpoints() const { return path + "/checkpoints"; }
};

/// Names the instance's home; refuses one that is relative, or too long for the 107 bytes of a socket's path.
Result<Home> home_from_environment();

/// The API's sockets of all controllers of this home that are there now, the first one's first, even if it is not.
std::vector<std::string> api_sockets(const Home& home);

}  // namespace virga
