// The agent's part in mounting storage: asks a child to do it, once, remembers the answer, and notices when a process
// that serves a mount is gone.
//
//   if (auto answer = desk.mount(request)) send(*answer);      // known already; else it comes with read()
//   if (auto answer = desk.read()) tell_engines(*answer);      // when desk.fd() is readable
//   if (auto lost = desk.child_ended(pid)) tell_engines(*lost);   // of any child of the agent
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <vector>

#include "engines/local/storage_mounts.hpp"
#include "wire/agent_protocol.hpp"
#include "wire/frame_channel.hpp"

namespace virga {

class StorageDesk {
 public:
  /// What the child does; it ends with that.
  using Mounter = void (*)(FrameChannel agent, const MountStorage& wanted);
  explicit StorageDesk(Mounter mounter = run_storage_mounter) : run_mounter_(mounter) {}

  std::optional<StorageMounted> mount(const MountStorage& wanted);
  std::optional<StorageMounted> read();
  /// Nothing, unless that child served a mount: from then on the answer is that it is not mounted, and why.
  std::optional<StorageMounted> child_ended(pid_t pid);
  int fd() const { return mounter_ ? mounter_->fd() : -1; }

  /// Processes that are ours and must live: the child, and what serves the mounts.
  std::vector<pid_t> helpers() const;
  const std::vector<Storage>& mounted() const { return mounted_; }
  /// How long saving may take: as configured, and never longer than the node lives by what `notices` say.
  std::chrono::milliseconds save_limit(const std::vector<NodeNotice>& notices, Time now) const;

 private:
  Mounter run_mounter_;
  std::optional<FrameChannel> mounter_;
  pid_t pid_ = -1;
  std::vector<Storage> wanted_;
  std::vector<Storage> mounted_;
  std::optional<StorageMounted> answer_;
};

}  // namespace virga
