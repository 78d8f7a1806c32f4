#include "engines/local/storage_desk.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "engines/local/storage_mounts.hpp"

namespace virga {
namespace {

/// The agent's last words and the node's end take a moment, too.
constexpr Duration k_farewell = Duration::seconds(1);

}  // namespace

std::optional<StorageMounted> StorageDesk::mount(const MountStorage& wanted) {
  if (mounter_ || answer_) return answer_;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0) {
    pid_ = fork();
    if (pid_ == 0) run_storage_mounter(FrameChannel(ends[1]), wanted);
    close(ends[1]);
    if (pid_ > 0) {
      mounter_.emplace(ends[0]);
      for (const StorageMount& one : wanted.mounts) wanted_.push_back(one.storage);
      return std::nullopt;
    }
    close(ends[0]);
  }
  return StorageMounted{false, std::string("cannot start processes: ") + std::strerror(errno), {}};
}

std::optional<StorageMounted> StorageDesk::read() {
  if (!mounter_) return std::nullopt;
  const bool alive = mounter_->receive();
  for (auto message = mounter_->next(); message && *message; message = mounter_->next()) {
    if (const auto* done = std::get_if<StorageMounted>(&**message)) answer_ = *done;
  }
  if (!answer_ && alive) return std::nullopt;
  if (!answer_) answer_ = StorageMounted{false, "the process that mounts the storage died", {}};
  if (answer_->ok) mounted_ = wanted_;
  mounter_.reset();
  pid_ = -1;
  return answer_;
}

std::vector<pid_t> StorageDesk::helpers() const {
  std::vector<pid_t> all;
  if (pid_ > 0) all.push_back(pid_);
  if (answer_) all.insert(all.end(), answer_->helpers.begin(), answer_->helpers.end());
  return all;
}

std::chrono::milliseconds StorageDesk::save_limit(const std::vector<NodeNotice>& notices, Time now) const {
  Duration limit;
  for (const Storage& one : mounted_) limit = std::max(limit, one.save_time);
  for (const NodeNotice& notice : notices) limit = std::min(limit, notice.at - now - k_farewell);
  return std::chrono::milliseconds(std::max(limit, Duration::seconds(1)).ns / 1'000'000);
}

}  // namespace virga
