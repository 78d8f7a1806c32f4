#include "engines/local/storage_desk.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace virga {
namespace {

/// The agent's last words and the node's end take a moment, too.
constexpr Duration k_farewell = Duration::seconds(1);
/// In the place of a process that has ended: its number may be another one's by now.
constexpr std::uint32_t k_gone = 0;

}  // namespace

std::optional<StorageMounted> StorageDesk::mount(const MountStorage& wanted) {
  if (mounter_ || answer_) return answer_;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0) {
    pid_ = fork();
    if (pid_ == 0) run_mounter_(FrameChannel(ends[1]), wanted);
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
  // One that died before we knew of it has no second end that would be noticed.
  for (const std::uint32_t helper : answer_->helpers) {
    const auto pid = static_cast<pid_t>(helper);
    if (kill(pid, 0) != 0 && errno == ESRCH) child_ended(pid);
  }
  return answer_;
}

std::optional<StorageMounted> StorageDesk::child_ended(pid_t pid) {
  if (!answer_) return std::nullopt;
  auto& helpers = answer_->helpers;
  const auto helper = std::find(helpers.begin(), helpers.end(), static_cast<std::uint32_t>(pid));
  if (helper == helpers.end()) return std::nullopt;
  // They serve the containers, in this order.
  auto containers = helper - helpers.begin();
  const auto lost = std::find_if(mounted_.begin(), mounted_.end(), [&](const Storage& one) {
    return one.kind == StorageKind::blob && containers-- == 0;
  });
  *helper = k_gone;
  if (lost == mounted_.end() || !answer_->ok) return std::nullopt;
  answer_->ok = false;
  answer_->message = lost_mount(*lost);
  return answer_;
}

std::vector<pid_t> StorageDesk::helpers() const {
  std::vector<pid_t> all;
  if (pid_ > 0) all.push_back(pid_);
  if (!answer_) return all;
  for (const std::uint32_t helper : answer_->helpers) {
    if (helper != k_gone) all.push_back(static_cast<pid_t>(helper));
  }
  return all;
}

std::chrono::milliseconds StorageDesk::save_limit(const std::vector<NodeNotice>& notices, Time now) const {
  Duration limit;
  for (const Storage& one : mounted_) limit = std::max(limit, one.save_time);
  for (const NodeNotice& notice : notices) limit = std::min(limit, notice.at - now - k_farewell);
  return std::chrono::milliseconds(std::max(limit, Duration::seconds(1)).ns / 1'000'000);
}

}  // namespace virga
