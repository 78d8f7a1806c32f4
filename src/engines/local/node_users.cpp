#include "engines/local/node_users.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace virga {
namespace {

/// A line of passwd or group: name, id, and the last field.
struct Entry {
  std::string name;
  std::string id;
  std::string last;
};

std::optional<Entry> find(const std::string& path, const std::string& name, const std::string& id) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    Entry entry{line.substr(0, first), line.substr(second + 1, line.find(':', second + 1) - second - 1),
                line.substr(line.rfind(':') + 1)};
    if (entry.name == name || entry.id == id) return entry;
  }
  return std::nullopt;
}

/// What may stand in a field.
std::string field(std::string text) {
  for (char& c : text) {
    if (c == ':' || c == '\n' || c == ',') c = '_';
  }
  return text;
}

}  // namespace

Status NodeUsers::append(const std::string& table, const std::string& lines) const {
  const std::string path = folder_ + "/" + table;
  // One write at the end: whoever reads at this moment sees whole lines.
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  const bool written = fd >= 0 && write(fd, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (written) return {};
  return fail(Code::internal, fmt::format("cannot add a user to {}: {}", path, std::strerror(error)));
}

Status NodeUsers::add(const JobBinding& binding) const {
  const Actor& owner = binding.job.owner;
  const std::string id = std::to_string(owner.uid);
  if (const auto known = find(folder_ + "/passwd", owner.user, id)) {
    if (known->id == id) return {};
    return fail(Code::conflict,
                fmt::format("user {} has the id {} and not {} on this node", owner.user, known->id, id));
  }
  // A group that is there gets one more line of the same name: all lines count for who is in it.
  std::string groups;
  for (std::size_t i = 0; i < binding.groups.size() && i < binding.group_names.size(); ++i) {
    const std::string& name = binding.group_names[i];
    const std::string gid = std::to_string(binding.groups[i]);
    const auto known = find(folder_ + "/group", name, gid);
    if (known && known->id != gid) {
      return fail(Code::conflict, fmt::format("group {} has the id {} and not {} on this node", name, known->id, gid));
    }
    groups += fmt::format("{}:x:{}:{}\n", known ? known->name : field(name), gid, field(owner.user));
  }
  if (Status added = append("group", groups); !added) return added;
  return append("passwd", fmt::format("{}:x:{}:{}::{}:{}\n", field(owner.user), owner.uid, owner.gid,
                                      field(binding.home_dir), field(binding.shell)));
}

void make_home_folder(const JobBinding& binding) {
  const std::string& home = binding.home_dir;
  if (!home.starts_with('/')) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(home).parent_path(), ignored);
  if (mkdir(home.c_str(), 0700) == 0) (void)!lchown(home.c_str(), binding.job.owner.uid, binding.job.owner.gid);
}

}  // namespace virga
