// The files of a node that shares none with this machine: its system folders, read only, and nothing that people keep
// files in. All else is memory of the node, which is gone with it.
//
//   PrivateFiles files{staging, "/opt/virga/bin", {"/var/lib/virga/run"}, …};
//   make_private_files(files);       // in the node's new mount namespace; afterwards "/" is the node's own
//
// /etc/passwd and /etc/group are the node's own, with system users only: whoever comes is added there.
#pragma once

#include <string>
#include <vector>

#include "clouds/host/sys.hpp"

namespace virga::host {

/// Only the node's administrator enters it; `uplink` is this machine's network, for mounts that the fabric has no way
/// to.
inline constexpr const char* k_node_folder = "/run/virga";
inline constexpr const char* k_uplink_path = "/run/virga/uplink";

struct PrivateFiles {
  std::string staging;            ///< an empty folder in which the new root is put together
  std::string programs;           ///< Virga's own, read only, too
  std::vector<std::string> kept;  ///< files and folders of the machine that stay as they are, wherever they lie
  std::string hosts;              ///< becomes /etc/hosts
  unsigned long long bytes_max = 0;
  int uplink = -1;  ///< a network namespace, or none
};

Status make_private_files(const PrivateFiles& wanted);

/// The lines of a passwd or group file (the id is the third field of both) that belong to the system, without members.
std::string system_entries(const std::string& text);

}  // namespace virga::host
