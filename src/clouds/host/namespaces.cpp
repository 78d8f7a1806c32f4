#include "clouds/host/namespaces.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "clouds/host/sys.hpp"
#include "wire/host_tmp.hpp"

namespace virga::host {

Status keep_capabilities_over_exec() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (syscall(SYS_capget, &header, data) != 0) return fail_errno("capget");
  for (auto& half : data) half.inheritable = half.permitted;
  if (syscall(SYS_capset, &header, data) != 0) return fail_errno("capset");
  for (unsigned capability = 0; capability < 64; ++capability) {
    if (!(data[capability / 32].permitted & (1u << (capability % 32)))) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) return fail_errno("ambient capabilities");
  }
  return {};
}

Status enter_new_user_namespace() {
  auto uid = geteuid();
  auto gid = getegid();
  if (unshare(CLONE_NEWUSER) != 0) {
    int number = errno;
    return fail_errno(number == EPERM ? "user namespaces are forbidden here" : "new user namespace", number);
  }
  if (auto ok = write_into("/proc/self/setgroups", "deny"); !ok) return ok;
  if (auto ok = write_into("/proc/self/uid_map", fmt::format("{0} {0} 1", uid)); !ok) return ok;
  if (auto ok = write_into("/proc/self/gid_map", fmt::format("{0} {0} 1", gid)); !ok) return ok;
  return keep_capabilities_over_exec();
}

Status make_private_mounts(const PrivateMounts& wanted) {
  if (mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno("make mounts private");

  // A bind made before the node's /tmp covers the machine's, and a descriptor of it: wherever `host_tmp` lies, also
  // below /tmp itself, it can be reached by that descriptor and put in its place again at the end.
  if (mount("/tmp", wanted.host_tmp, nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return fail_errno(fmt::format("bind /tmp to {}", wanted.host_tmp));
  }
  UniqueFd machine_tmp(open(wanted.host_tmp, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!machine_tmp) return fail_errno(fmt::format("open {}", wanted.host_tmp));
  std::string source = fmt::format("/proc/self/fd/{}", machine_tmp.get());
  std::string size = fmt::format("mode=1777,size={}", wanted.tmp_bytes_max);
  if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0) return fail_errno("mount /tmp");
  for (const char* path : wanted.shown) {
    if (auto ok = expose_tmp_component(source, path); !ok) return ok;
  }
  struct stat there {};
  struct stat wanted_there {};
  if (stat(wanted.host_tmp, &there) != 0 || fstat(machine_tmp.get(), &wanted_there) != 0) {
    return fail_errno(fmt::format("find {}", wanted.host_tmp));
  }
  if (there.st_ino != wanted_there.st_ino || there.st_dev != wanted_there.st_dev) {
    if (mount(source.c_str(), wanted.host_tmp, nullptr, MS_BIND | MS_REC, nullptr) != 0) {
      return fail_errno(fmt::format("bind /tmp to {}", wanted.host_tmp));
    }
  }

  if (mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0) return fail_errno("mount /dev/shm");
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) return fail_errno("mount /proc");
  return {};
}

}  // namespace virga::host
