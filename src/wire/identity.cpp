// User ids, groups and capabilities.
#include "wire/identity.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace virga {
namespace {

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};

  bool get() { return syscall(SYS_capget, &header, data) == 0; }
  bool set() { return syscall(SYS_capset, &header, data) == 0; }
};

void set_effective_capabilities(bool on) {
  Capabilities caps;
  if (!caps.get()) return;
  for (auto& word : caps.data) word.effective = on ? word.permitted : 0;
  caps.set();
}

}  // namespace

JobIdentity identity_of(const JobBinding& binding) {
  JobIdentity identity;
  identity.uid = binding.job.owner.uid;
  identity.gid = binding.job.owner.gid;
  identity.groups.assign(binding.groups.begin(), binding.groups.end());
  return identity;
}

ActAs::ActAs(const JobIdentity& identity) : uid_(geteuid()), gid_(getegid()) {
  if (identity.uid == uid_) {
    if (uid_ != 0) set_effective_capabilities(false);
    return;
  }
  groups_.resize(static_cast<std::size_t>(std::max(getgroups(0, nullptr), 0)));
  if (!groups_.empty() && getgroups(static_cast<int>(groups_.size()), groups_.data()) < 0) groups_.clear();
  changed_ = setgroups(identity.groups.size(), identity.groups.data()) == 0 && setegid(identity.gid) == 0 &&
             seteuid(identity.uid) == 0;
  // Going on with the administrator's rights would open the user's files for him as root.
  if (!changed_) _exit(1);
}

ActAs::~ActAs() {
  if (!changed_) {
    if (uid_ != 0) set_effective_capabilities(true);
    return;
  }
  if (seteuid(uid_) != 0 || setegid(gid_) != 0 || setgroups(groups_.size(), groups_.data()) != 0) _exit(1);
}

int become(const JobIdentity& identity) {
  const bool same_user = identity.uid == geteuid();
  if (setgroups(identity.groups.size(), identity.groups.data()) != 0 && !same_user) return errno;
  if (setresgid(identity.gid, identity.gid, identity.gid) != 0 && !same_user) return errno;
  if (setresuid(identity.uid, identity.uid, identity.uid) != 0) return errno;
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  Capabilities caps;
  if (!caps.get()) return errno;
  for (auto& word : caps.data) {
    word.inheritable = 0;
    if (identity.uid != 0) word.effective = word.permitted = 0;
  }
  return caps.set() ? 0 : errno;
}

}  // namespace virga
