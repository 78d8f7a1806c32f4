#include "clouds/host/private_files.hpp"

#include <fmt/format.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

namespace virga::host {

namespace {

constexpr const char* k_system_folders[] = {"usr", "etc", "opt", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};
/// Debian's: people's ids begin at 1000, and 65534 is nobody.
constexpr unsigned long k_people_first = 1000;
constexpr unsigned long k_people_last = 65533;

struct Folder {
  const char* path;
  mode_t mode;
};
constexpr Folder k_own_folders[] = {
    {"/proc", 0555},      {"/sys", 0555},        {"/dev", 0755},       {"/tmp", 01777},     {"/run", 0755},
    {"/run/lock", 01777}, {k_node_folder, 0700}, {"/root", 0700},      {"/home", 0755},     {"/srv", 0755},
    {"/mnt", 0755},       {"/media", 0755},      {"/var", 0755},       {"/var/tmp", 01777}, {"/var/lib", 0755},
    {"/var/log", 0755},   {"/var/cache", 0755},  {"/var/spool", 0755},
};

Status make_folder_with(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno("mkdir " + path);
  if (chmod(path.c_str(), mode) != 0) return fail_errno("chmod " + path);  // whatever the umask is
  return {};
}

Status bind_path(const std::string& from, const std::string& to) {
  if (mount(from.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return fail_errno(fmt::format("bind {} to {}", from, to));
  }
  return {};
}

/// With all that is mounted below it.
Status make_read_only(const std::string& path) {
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (syscall(SYS_mount_setattr, AT_FDCWD, path.c_str(), AT_RECURSIVE, &attributes, sizeof attributes) != 0) {
    return fail_errno("make " + path + " read-only");
  }
  return {};
}

Status add_system_folder(const std::string& root, const std::string& name) {
  const std::string source = "/" + name;
  const std::string target = root + source;
  struct stat there {};
  if (lstat(source.c_str(), &there) != 0) return {};  // this machine has none
  if (S_ISLNK(there.st_mode)) {
    char link[4096];
    const ssize_t n = readlink(source.c_str(), link, sizeof link);
    if (n <= 0) return fail_errno("read the link " + source);
    if (symlink(std::string(link, static_cast<std::size_t>(n)).c_str(), target.c_str()) != 0) {
      return fail_errno("link " + target);
    }
    return {};
  }
  if (auto made = make_folder_with(target, 0755); !made) return made;
  if (auto bound = bind_path(source, target); !bound) return bound;
  return make_read_only(target);
}

/// Below a system folder it is there already.
bool is_there(const std::string& root, const std::string& path) {
  struct stat in_machine {};
  struct stat in_node {};
  return stat(path.c_str(), &in_machine) == 0 && stat((root + path).c_str(), &in_node) == 0 &&
         in_machine.st_dev == in_node.st_dev && in_machine.st_ino == in_node.st_ino;
}

/// Something to mount `path` on.
Status make_place(const std::string& root, const std::string& path) {
  if (is_there(root, path)) return {};
  struct stat what {};
  if (stat(path.c_str(), &what) != 0) return fail_errno("find " + path + ", which the node's bootstrap names");
  if (auto parent = make_folder(root + path.substr(0, path.rfind('/')), 0755); !parent) return parent;
  if (S_ISDIR(what.st_mode)) {
    if (auto made = make_folder_with(root + path, 0755); !made) return made;
  } else {
    UniqueFd made(open((root + path).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (!made) return fail_errno("make " + root + path);
  }
  return {};
}

/// Below a system folder, too, it is bound anew: what is there is read only.
Status keep(const std::string& root, const std::string& path) {
  if (auto place = make_place(root, path); !place) return place;
  return bind_path(path, root + path);
}

/// A file of the node's own in place of the machine's.
Status replace_table(const std::string& root, const std::string& name) {
  auto text = read_file("/etc/" + name);
  if (!text) return unexpected(text.error());
  const std::string own = fmt::format("{}{}/{}", root, k_node_folder, name);
  if (auto written = replace_file(own, system_entries(*text), 0644); !written) return written;
  return bind_path(own, root + "/etc/" + name);
}

Status add_kernel_folders(const std::string& root) {
  for (const char* name : {"/dev", "/sys"}) {
    if (auto bound = bind_path(name, root + name); !bound) return bound;
  }
  const std::string shared_memory = root + "/dev/shm";
  if (mount("tmpfs", shared_memory.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") != 0) {
    return fail_errno("mount /dev/shm");
  }
  if (mount("proc", (root + "/proc").c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return fail_errno("mount /proc");
  }
  return {};
}

Status add_own_tables(const std::string& root, const PrivateFiles& wanted) {
  for (const char* name : {"passwd", "group"}) {
    if (auto replaced = replace_table(root, name); !replaced) return replaced;
  }
  if (auto bound = bind_path(wanted.hosts, root + "/etc/hosts"); !bound) return bound;
  if (wanted.uplink < 0) return {};
  const std::string handle = root + k_uplink_path;
  UniqueFd made(open(handle.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!made) return fail_errno("make " + handle);
  return bind_path(fmt::format("/proc/self/fd/{}", wanted.uplink), handle);
}

Status enter(const std::string& root) {
  if (chdir(root.c_str()) != 0) return fail_errno("enter " + root);
  // The old root ends up on top of the new one, and is taken away from there.
  if (syscall(SYS_pivot_root, ".", ".") != 0) return fail_errno("make " + root + " the root");
  if (umount2(".", MNT_DETACH) != 0) return fail_errno("leave the machine's files");
  if (chdir("/") != 0) return fail_errno("chdir /");
  return {};
}

}  // namespace

std::string system_entries(const std::string& text) {
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t second = line.find(':', line.find(':') + 1);
    if (second == std::string::npos) continue;
    const unsigned long id = std::strtoul(line.c_str() + second + 1, nullptr, 10);
    if (id >= k_people_first && id <= k_people_last) continue;
    const bool is_group = std::count(line.begin(), line.end(), ':') == 3;
    kept += (is_group ? line.substr(0, line.rfind(':') + 1) : line) + "\n";
  }
  return kept;
}

Status make_private_files(const PrivateFiles& wanted) {
  const std::string& root = wanted.staging;
  if (mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno("make mounts private");
  const std::string size = fmt::format("mode=0755,size={}", wanted.bytes_max);
  if (mount("tmpfs", root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0) {
    return fail_errno("mount the node's own files");
  }
  for (const Folder& folder : k_own_folders) {
    if (auto made = make_folder_with(root + folder.path, folder.mode); !made) return made;
  }
  for (const auto& [name, target] : {std::pair{"/var/run", "/run"}, {"/var/lock", "/run/lock"}}) {
    if (symlink(target, (root + name).c_str()) != 0) return fail_errno("link " + root + name);
  }
  for (const char* name : k_system_folders) {
    if (auto added = add_system_folder(root, name); !added) return added;
  }
  if (auto added = add_kernel_folders(root); !added) return added;
  if (auto added = add_own_tables(root, wanted); !added) return added;
  // First, as it may have one of the others in it.
  if (auto stays = keep(root, wanted.programs); !stays) return stays;
  if (auto protected_now = make_read_only(root + wanted.programs); !protected_now) return protected_now;
  for (const std::string& path : wanted.kept) {
    if (auto stays = keep(root, path); !stays) return stays;
  }
  return enter(root);
}

}  // namespace virga::host
