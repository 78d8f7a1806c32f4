// Users and groups, through the C library's name services.
#include "wire/user_table.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "wire/group_name.hpp"

namespace virga {
namespace {

constexpr auto k_remember = std::chrono::seconds(30);
constexpr std::size_t k_remembered_max = 4096;
constexpr std::size_t k_entry_bytes = 64 * 1024;

}  // namespace

Result<UserEntry> UserTable::look_up(const Actor& owner) {
  const auto now = std::chrono::steady_clock::now();
  const std::pair key{owner.uid, owner.gid};
  if (auto it = remembered_.find(key); it != remembered_.end() && it->second.until > now) return it->second.entry;
  if (geteuid() != 0 && geteuid() != owner.uid) {
    return fail(Code::denied, "this Virga runs as uid " + std::to_string(geteuid()) + " and cannot run jobs of uid " +
                                  std::to_string(owner.uid) + " (only one that runs as root can)");
  }
  passwd user{};
  passwd* found = nullptr;
  std::vector<char> buffer(k_entry_bytes);
  if (getpwuid_r(owner.uid, &user, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return fail(Code::not_found, "this machine knows no user with uid " + std::to_string(owner.uid));
  }
  UserEntry entry{user.pw_name, user.pw_gid, {}, {}, user.pw_dir, user.pw_shell};
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  while (getgrouplist(user.pw_name, user.pw_gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(count));
  }
  groups.resize(static_cast<std::size_t>(count));
  entry.groups.assign(groups.begin(), groups.end());
  for (const gid_t gid : groups) entry.group_names.push_back(group_name(gid));
  if (std::find(groups.begin(), groups.end(), owner.gid) != groups.end()) entry.gid = owner.gid;
  if (remembered_.size() >= k_remembered_max) remembered_.clear();
  remembered_.insert_or_assign(key, Remembered{entry, now + k_remember});
  return entry;
}

}  // namespace virga
