// Control groups of the nodes: …/virga-<home digest>/<vm id>, v1 controllers or a delegated v2 tree, below the group
// that this process is in, so that a limit somebody put on all of Virga stays in force.
//
//   CgroupSupport support = probe_cgroups();
//   auto folders = make_cgroups(support, "virga-1f…", vm, limits);
//   join_cgroups(*folders);
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace virga::host {

struct CgroupSupport {
  int version = 0;
  bool cpu = false;
  bool memory = false;
  bool pids = false;
  std::string why_not;               ///< if any of the three is missing
  std::vector<std::string> parents;  ///< one folder per controller (v1), or one (v2)
};

struct CgroupLimits {
  std::uint32_t cpus = 0;          ///< 0: no limit
  std::uint64_t memory_bytes = 0;  ///< 0: no limit
};

/// Finds out by making a group and removing it again.
CgroupSupport probe_cgroups();

/// Where the groups of a VM will be; known before they exist, so that they can be written down first.
std::vector<std::string> cgroup_folders(const CgroupSupport& support, const std::string& instance, VmId vm);
/// Creates them and sets their limits.
Status make_cgroups(const std::vector<std::string>& folders, const CgroupLimits& limits);
/// Moves the calling process.
Status join_cgroups(const std::vector<std::string>& folders);
/// Kills what is in them, removes them, and the instance's own folders above once they are empty.
void remove_cgroups(const std::vector<std::string>& folders);

/// Removes groups of VMs that nobody knows, with what runs in them: somebody took their records away.
void remove_stray_cgroups(const CgroupSupport& support, const std::string& instance, const std::set<VmId>& kept);

/// The two texts that decide where groups may be made: /proc/self/mountinfo and /proc/self/cgroup.
CgroupSupport find_cgroups(const std::string& mountinfo, const std::string& own_groups);

}  // namespace virga::host
