#include "wire/node_board.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "wire/json_codec.hpp"
#include "wire/replace_file.hpp"

namespace virga {
namespace {

namespace files = std::filesystem;

tl::unexpected<Error> trouble(const std::string& what, const std::string& path) {
  return fail(Code::internal, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

std::string machines_of(const std::string& folder) { return folder + "/machines"; }

bool is_machine_id(std::string_view id) {
  constexpr std::string_view k_allowed = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
  return !id.empty() && id.size() <= 128 && id.find_first_not_of(k_allowed) == std::string_view::npos;
}

}  // namespace

Result<std::optional<NodeEntry>> NodeBoard::read(const std::string& machine) const {
  if (!is_machine_id(machine)) return fail(Code::invalid, fmt::format("'{}' is no id of a machine", machine));
  const std::string path = machines_of(folder_) + "/" + machine;
  std::ifstream file(path);
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return trouble("read", path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto entry = from_json_text<NodeEntry>(text);
  if (!entry) return fail(Code::corrupt, fmt::format("{}: {}", path, entry.error().message));
  return *std::move(entry);
}

/// What an earlier controller has put there.
Status NodeBoard::load() {
  if (loaded_) return {};
  std::error_code error;
  files::create_directories(machines_of(folder_), error);
  if (!error) files::permissions(folder_, files::perms::owner_all, error);
  if (error) return fail(Code::internal, fmt::format("cannot make the folder {}: {}", folder_, error.message()));
  for (const auto& file : files::directory_iterator(machines_of(folder_), error)) {
    const std::string machine = file.path().filename();
    if (!is_machine_id(machine)) continue;  // half-written by one that was killed
    if (auto entry = read(machine); entry && *entry) machines_[machine] = **std::move(entry);
  }
  if (error) return fail(Code::internal, fmt::format("cannot read the folder {}: {}", folder_, error.message()));
  loaded_ = true;
  return {};
}

Status NodeBoard::put(const std::map<std::string, NodeEntry>& machines) {
  std::lock_guard lock(mutex_);
  if (auto loaded = load(); !loaded) return loaded;
  for (const auto& [machine, entry] : machines) {
    if (!is_machine_id(machine)) return fail(Code::invalid, fmt::format("'{}' is no id of a machine", machine));
    machines_[machine] = entry;
  }
  // Names first: a node that has read its entry may ask for its neighbours at once.
  if (auto written = write_hosts(); !written) return written;
  for (const auto& [machine, entry] : machines) {
    if (auto put = replace_file(machines_of(folder_) + "/" + machine, to_json_text(entry), 0600); !put) return put;
  }
  return {};
}

void NodeBoard::remove(VmId vm) {
  std::lock_guard lock(mutex_);
  if (!load()) return;  // what stays is of a machine that is gone, and does no harm
  bool removed = false;
  for (auto at = machines_.begin(); at != machines_.end();) {
    if (at->second.vm != vm) {
      ++at;
      continue;
    }
    unlink((machines_of(folder_) + "/" + at->first).c_str());
    at = machines_.erase(at);
    removed = true;
  }
  if (removed) (void)write_hosts();
}

Status NodeBoard::write_hosts() const {
  std::string text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n";
  for (const auto& [machine, entry] : machines_) text += fmt::format("{} {}\n", entry.address, entry.name);
  const std::string path = hosts_file();
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return trouble("write", path);
  // One write, then the cut: a reader in between sees whole lines, at worst some twice.
  const bool written = fchmod(fd, 0644) == 0 && pwrite(fd, text.data(), text.size(), 0) == ssize_t(text.size()) &&
                       ftruncate(fd, off_t(text.size())) == 0;
  Status result = written ? Status{} : Status{trouble("write", path)};
  close(fd);
  return result;
}

}  // namespace virga
