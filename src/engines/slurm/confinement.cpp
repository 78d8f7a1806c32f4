#include "engines/slurm/confinement.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/digest.hpp"
#include "engines/slurm/daemons.hpp"
#include "wire/replace_file.hpp"
#include "wire/words.hpp"

namespace virga::slurm {
namespace {

constexpr const char* k_root = "/sys/fs/cgroup";
/// Of version 1. Memory and processors are the node's own to limit (clouds/host).
constexpr const char* k_kinds[] = {"freezer", "devices"};

std::string group_of(const std::string& folder) { return fmt::format("virga-slurm-{:016x}", digest_of(folder)); }

/// Control groups hold files that are no files: only their folders can be removed.
void remove_groups(const std::filesystem::path& group) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(group, ignored)) {
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored)) remove_groups(entry.path());
  }
  rmdir(group.c_str());
}

}  // namespace

Status can_confine() {
  for (const char* kind : k_kinds) {
    const std::string root = fmt::format("{}/{}", k_root, kind);
    if (access((root + "/tasks").c_str(), F_OK) != 0) {
      return fail(Code::unavailable, std::string("this machine has no control groups of version 1 of kind ") + kind);
    }
    const std::string probe = fmt::format("{}/virga-probe-{}", root, getpid());
    if (mkdir(probe.c_str(), 0755) != 0 && errno != EEXIST) return cannot("make the control group " + probe);
    rmdir(probe.c_str());
  }
  return {};
}

Status prepare_confinement(const std::string& folder, bool confines) {
  const std::string conf = folder + "/cgroup.conf";
  const std::string groups = folder + "/cgroup";
  if (!confines) {
    unlink(conf.c_str());
    return {};
  }
  if (mkdir(groups.c_str(), 0755) != 0 && errno != EEXIST) return cannot("make the folder " + groups);
  return replace_file(conf,
                      fmt::format("# Made by virgad, which writes it anew when it starts: changes are lost.\n"
                                  "CgroupPlugin=cgroup/v1\n"
                                  "CgroupMountpoint={}\n"
                                  "ConstrainDevices=yes\n",
                                  groups),
                      0644);
}

std::string confinement_lines(const std::string& folder, const std::string& node) {
  return fmt::format(
      "if [ -e \"$folder/cgroup.conf\" ]; then\n"
      "  mount -t tmpfs -o mode=755 virga \"$folder/cgroup\" || exit 1\n"
      "  for kind in {0}; do\n"
      "    group={1}/$kind/{2}/{3}\n"
      "    mkdir -p \"$group\" \"$folder/cgroup/$kind\" && mount --bind \"$group\" \"$folder/cgroup/$kind\" || exit 1\n"
      "  done\n"
      "fi\n",
      fmt::join(k_kinds, " "), k_root, group_of(folder), shell_quoted(node));
}

void remove_confinement(const std::string& folder) {
  for (const char* kind : k_kinds) remove_groups(fmt::format("{}/{}/{}", k_root, kind, group_of(folder)));
}

}  // namespace virga::slurm
