// What the host cloud keeps of a VM on disk, in Home::vm(id):
//
//   state       this record, replaced atomically
//   user-data   the node's bootstrap script
//   console.log what it writes
//   lock        held by the launcher while it makes the node
//   ending      the init's last words, if it had time for them
//
// The record is written before anything of the VM is made (phase intent), and again when its init exists but has not
// run anything yet (phase up). So whatever a crash leaves behind can be found and removed from the record alone.
#pragma once

#include <string>
#include <vector>

#include "clouds/host/process.hpp"
#include "clouds/host/tier.hpp"
#include "core/config.hpp"
#include "wire/home.hpp"

namespace virga::host {

enum class VmPhase : std::uint8_t { intent, up };

}  // namespace virga::host

template <>
struct virga::EnumNames<virga::host::VmPhase> {
  static constexpr std::string_view names[] = {"intent", "up"};
};

namespace virga::host {

struct VmFile {
  VmId vm;
  GangId gang;
  std::string pool;
  std::string name;
  std::string address;
  std::uint32_t index = 0;   ///< the number in the address, unique among the VMs of the instance
  std::uint32_t bridge = 0;  ///< of the fabric's, where its port is
  Tier tier = Tier::plain;
  HostNetwork network = HostNetwork::fabric;
  bool shared_files = true;  ///< it sees this machine's files
  bool metadata = false;     ///< it can reach a metadata service
  std::uint32_t limit_cpus = 0;
  std::uint64_t limit_memory_bytes = 0;
  std::vector<std::string> cgroups;
  std::uint64_t attempt = 0;  ///< of booting it; a launcher that was started for another attempt does nothing
  VmPhase phase = VmPhase::intent;
  ProcessId init;    ///< phase up
  std::string boot;  ///< boot_id() of the machine when it was up

  bool on_fabric() const { return tier != Tier::plain && network == HostNetwork::fabric; }
  /// It is given this machine's network besides its own, for what it mounts.
  bool has_uplink() const { return tier == Tier::root && on_fabric() && !shared_files; }
  /// The init, if it can still be the same process.
  ProcessId living_init() const;
};

Status save_vm_file(const Home& home, const VmFile& file);
/// A folder without a readable record is a VM of which nothing but the folder was made: phase intent.
VmFile load_vm_file(const Home& home, VmId vm);
/// Every VM that has a folder, by id.
Result<std::vector<VmFile>> load_vm_files(const Home& home);
/// Removes the folder and what this list of names knows of in it; never follows a mount.
Status remove_vm_folder(const Home& home, VmId vm);
/// How a VM that is gone has ended, as far as it could tell.
std::string end_of(const Home& home, const VmFile& file);

inline std::string vm_state_path(const Home& h, VmId vm) { return h.vm(vm) + "/state"; }
inline std::string vm_user_data_path(const Home& h, VmId vm) { return h.vm(vm) + "/user-data"; }
inline std::string vm_console_path(const Home& h, VmId vm) { return h.vm(vm) + "/console.log"; }
inline std::string vm_lock_path(const Home& h, VmId vm) { return h.vm(vm) + "/lock"; }
inline std::string vm_ending_path(const Home& h, VmId vm) { return h.vm(vm) + "/ending"; }
inline std::string vm_host_tmp_path(const Home& h, VmId vm) { return h.vm(vm) + "/host-tmp"; }
inline std::string hosts_path(const Home& h) { return h.vms() + "/hosts"; }

/// Every process of a node carries this in its environment ("VIRGA_VM=…").
std::string vm_marker(const Home& home, VmId vm);
/// Names the instance's control groups.
std::string instance_name(const Home& home);

// Locks on files say who is at work, and vanish with the process. (They are the POSIX kind, because only that names its
// holder: a process loses one when it closes *any* descriptor of the file.)

/// Takes the lock as this process, waiting up to `patience_ms`. Code::conflict: another process has it, or the file was
/// removed meanwhile.
Result<UniqueFd> take_lock(const std::string& path, int patience_ms);
/// The process that holds it; 0 if none does.
pid_t lock_holder(const std::string& path);
/// Kills whoever holds the lock and takes it. Empty if there is no such folder.
UniqueFd seize_lock(const std::string& path);

}  // namespace virga::host
