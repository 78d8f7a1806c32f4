// What the host cloud's tests share: a home of their own, this very program as virga-node, runs in each tier.
#pragma once

#include <string>
#include <vector>

#include "clouds/host/host_cloud.hpp"
#include "clouds/host/tier.hpp"
#include "clouds/host/vm_file.hpp"
#include "ports/contract/cloud_contract.hpp"

namespace virga::host_test {

/// An instance below /tmp; on destruction everything of it is ended and removed.
class Instance {
 public:
  Instance();
  ~Instance();
  Instance(const Instance&) = delete;

  const std::string& folder() const { return folder_; }
  const Home& home() const { return home_; }
  HostCloudOptions options() const;
  std::string program() const;
  /// The text of a file in folder(), where user data notes what it saw; "" if there is none.
  std::string note(const std::string& name) const;
  Pool pool(Tier tier) const;
  CloudUnderTest under_test(Tier tier);
  host::VmFile file(VmId vm) const { return host::load_vm_file(home_, vm); }
  /// Appends a line to a file that runs() counts, then stays.
  std::string user_data(VmId vm) const;
  int runs(VmId vm) const;
  /// Processes, control groups, mounts and files of this instance; "" if there is none.
  std::string leftovers() const;

 private:
  std::string folder_;
  Home home_;
};

/// True if the calling test shall go on, in this tier, in this process. As root the user tier's test is run by an
/// ordinary user, in a process of its own whose result is checked; a tier that the machine forbids is skipped, with a
/// message.
bool enter(Tier tier);

/// Runs a shell command inside a node; its output, without the last line's end.
std::string inside(const Instance& instance, VmId vm, const std::string& command);

/// Sets an environment variable for as long as it lives.
class Switch {
 public:
  Switch(const char* name, const std::string& value);
  ~Switch();

 private:
  const char* name_;
};

}  // namespace virga::host_test
