// The agent's part in mounting storage: asks a child to do it, once, and remembers the answer.
//
//   if (auto answer = desk.mount(request)) send(*answer);      // known already; else it comes with read()
//   if (auto answer = desk.read()) tell_engines(*answer);      // when desk.fd() is readable
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <vector>

#include "wire/agent_protocol.hpp"
#include "wire/frame_channel.hpp"

namespace virga {

class StorageDesk {
 public:
  std::optional<StorageMounted> mount(const MountStorage& wanted);
  std::optional<StorageMounted> read();
  int fd() const { return mounter_ ? mounter_->fd() : -1; }

  /// Processes that are ours and must live: the child, and what serves the mounts.
  std::vector<pid_t> helpers() const;
  const std::vector<Storage>& mounted() const { return mounted_; }
  /// How long saving may take: as configured, and never longer than the node lives by what `notices` say.
  std::chrono::milliseconds save_limit(const std::vector<NodeNotice>& notices, Time now) const;

 private:
  std::optional<FrameChannel> mounter_;
  pid_t pid_ = -1;
  std::vector<Storage> wanted_;
  std::vector<Storage> mounted_;
  std::optional<StorageMounted> answer_;
};

}  // namespace virga
