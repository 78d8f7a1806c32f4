#include "clouds/host/cgroup.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "clouds/host/process.hpp"
#include "clouds/host/sys.hpp"

namespace virga::host {

namespace {

constexpr const char* k_controllers[] = {"cpu", "memory", "pids"};
/// Enough for any job, and not enough to take the machine's process ids away.
constexpr std::uint32_t k_pids_max = 16384;
constexpr std::string_view k_trial = "virga-probe-";
constexpr int k_remove_tries_max = 2000;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

bool has(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

/// A v2 group hands a controller down only if it is named in subtree_control of every group above.
void delegate_v2(const std::string& folder) {
  for (const char* controller : k_controllers) {
    (void)write_into(folder + "/cgroup.subtree_control", fmt::format("+{}", controller));
  }
}

/// A group above ours may have less CPU time than the node is to get: then that limit holds, and v1 says EINVAL.
Status limit_cpu(const std::string& path, const std::string& text) {
  auto ok = write_into(path, text);
  return !ok && errno == EINVAL ? Status{} : ok;
}

Status set_limits(const std::string& folder, const CgroupLimits& limits) {
  std::uint64_t quota_us = std::uint64_t{limits.cpus} * 100'000;
  Status ok;
  if (ok && quota_us > 0 && exists(folder + "/cpu.cfs_quota_us")) {
    ok = write_into(folder + "/cpu.cfs_period_us", "100000");
    if (ok) ok = limit_cpu(folder + "/cpu.cfs_quota_us", std::to_string(quota_us));
  }
  if (ok && quota_us > 0 && exists(folder + "/cpu.max")) {
    ok = limit_cpu(folder + "/cpu.max", fmt::format("{} 100000", quota_us));
  }
  for (const char* name : {"/memory.limit_in_bytes", "/memory.max"}) {
    if (!ok || limits.memory_bytes == 0 || !exists(folder + name)) continue;
    ok = write_into(folder + name, std::to_string(limits.memory_bytes));
  }
  if (ok && exists(folder + "/pids.max")) ok = write_into(folder + "/pids.max", std::to_string(k_pids_max));
  return ok;
}

bool is_v2(const std::string& folder) { return exists(folder + "/cgroup.controllers"); }

void kill_group(const std::string& folder) {
  if (write_into(folder + "/cgroup.kill", "1")) return;
  auto text = read_file(folder + "/cgroup.procs");
  if (!text) return;
  for (const std::string& line : split(*text, '\n')) {
    ProcessId process = identify(std::atoi(line.c_str()));
    UniqueFd fd = open_process(process);
    if (fd) kill(process.pid, SIGKILL);
  }
}

/// A process that was killed in the middle of its trial left a group behind.
void remove_old_trials(const std::string& parent) {
  DIR* folder = opendir(parent.c_str());
  if (!folder) return;
  while (dirent* entry = readdir(folder)) {
    std::string name = entry->d_name;
    if (name.compare(0, k_trial.size(), k_trial) != 0) continue;
    if (!identify(std::atoi(name.c_str() + k_trial.size())).start) rmdir((parent + "/" + name).c_str());
  }
  closedir(folder);
}

}  // namespace

CgroupSupport find_cgroups(const std::string& mountinfo, const std::string& own_groups) {
  // v1 controller or "" (v2) → the group this process is in
  std::map<std::string, std::string> own;
  for (const std::string& line : split(own_groups, '\n')) {
    std::size_t first = line.find(':');
    std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    for (const std::string& controller : split(line.substr(first + 1, second - first - 1) + ",", ',')) {
      own[controller] = path;
    }
  }
  CgroupSupport support;
  std::string v2;
  for (const std::string& line : split(mountinfo, '\n')) {
    auto words = split(line, ' ');
    auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    const std::string& root = words[3];
    const std::string& place = words[4];
    if (dash[1] == "cgroup2") v2 = place + (root == "/" ? own[""] : "");
    if (dash[1] != "cgroup") continue;
    auto options = split(dash[3], ',');
    for (const char* controller : k_controllers) {
      if (!has(options, controller) || !own.count(controller)) continue;
      support.parents.push_back(place + (root == "/" ? own[controller] : ""));
      support.version = 1;
    }
  }
  if (support.parents.empty() && !v2.empty()) {
    support.version = 2;
    support.parents.push_back(v2);
  }
  return support;
}

CgroupSupport probe_cgroups() {
  auto mountinfo = read_file("/proc/self/mountinfo");
  auto own_groups = read_file("/proc/self/cgroup");
  CgroupSupport support = find_cgroups(mountinfo.value_or(""), own_groups.value_or(""));
  std::vector<std::string> usable;
  support.why_not = support.parents.empty() ? "no control groups are mounted" : "the kernel has no such controller";
  for (const std::string& parent : support.parents) {
    remove_old_trials(parent);
    std::string trial = fmt::format("{}/{}{}", parent, k_trial, getpid());
    if (mkdir(trial.c_str(), 0755) != 0) {
      support.why_not = fail_errno("mkdir in " + parent).value().message;
      continue;
    }
    if (support.version == 2) {
      delegate_v2(parent);
      auto given = read_file(parent + "/cgroup.subtree_control");
      auto controllers = split(given ? given->substr(0, given->find('\n')) : "", ' ');
      support.cpu = has(controllers, "cpu");
      support.memory = has(controllers, "memory");
      support.pids = has(controllers, "pids");
      if (!support.cpu) support.why_not = parent + " hands no controllers down";
      if (support.cpu || support.memory || support.pids) usable.push_back(parent);
    } else {
      support.cpu = support.cpu || exists(trial + "/cpu.cfs_quota_us");
      support.memory = support.memory || exists(trial + "/memory.limit_in_bytes");
      support.pids = support.pids || exists(trial + "/pids.max");
      usable.push_back(parent);
    }
    rmdir(trial.c_str());
  }
  support.parents = usable;
  if (usable.empty()) support.version = 0;
  return support;
}

std::vector<std::string> cgroup_folders(const CgroupSupport& support, const std::string& instance, VmId vm) {
  std::vector<std::string> folders;
  for (const std::string& parent : support.parents) {
    std::string folder = fmt::format("{}/{}/{}", parent, instance, vm.value);
    if (!has(folders, folder)) folders.push_back(folder);  // cpu and cpuacct may be one mount under two names
  }
  return folders;
}

Status make_cgroups(const std::vector<std::string>& folders, const CgroupLimits& limits) {
  for (const std::string& folder : folders) {
    std::string instance = folder_of(folder);
    if (mkdir(instance.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir " + instance);
    if (is_v2(instance)) delegate_v2(instance);
    if (mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
      // Another node's release may have removed the instance's folder in between.
      if (errno != ENOENT || (mkdir(instance.c_str(), 0755) != 0 && errno != EEXIST) ||
          mkdir(folder.c_str(), 0755) != 0) {
        return fail_errno("mkdir " + folder);
      }
    }
    if (auto ok = set_limits(folder, limits); !ok) return ok;
  }
  return {};
}

Status join_cgroups(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    if (auto ok = write_into(folder + "/cgroup.procs", "0"); !ok) return ok;
  }
  return {};
}

void remove_cgroups(const std::vector<std::string>& folders) {
  for (const std::string& folder : folders) {
    // A killed process leaves its group a moment after its parent has heard of its death.
    for (int tries = 0; rmdir(folder.c_str()) != 0 && errno == EBUSY && tries < k_remove_tries_max; ++tries) {
      kill_group(folder);
      poll(nullptr, 0, 1);
    }
    rmdir(folder_of(folder).c_str());  // fails while other nodes have theirs
  }
}

void remove_stray_cgroups(const CgroupSupport& support, const std::string& instance, const std::set<VmId>& kept) {
  std::vector<std::string> strays;
  for (const std::string& parent : support.parents) {
    DIR* folder = opendir((parent + "/" + instance).c_str());
    if (!folder) continue;
    while (dirent* entry = readdir(folder)) {
      VmId vm{std::strtoull(entry->d_name, nullptr, 10)};
      if (entry->d_type == DT_DIR && vm && !kept.count(vm)) {
        strays.push_back(parent + "/" + instance + "/" + entry->d_name);
      }
    }
    closedir(folder);
  }
  remove_cgroups(strays);
}

}  // namespace virga::host
