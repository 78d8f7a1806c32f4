// Storage on a node with files of its own: mounted before the node is ready, saved when a job ends.
//
// NFS exports are mounted by mount(8). A Blob container is served by `rclone mount`, which keeps what was written in a
// cache and uploads it behind the job's back: saving waits until nothing is left to upload. Both may take long, so they
// are done by children of the agent, which answer over a channel:
//
//   run_storage_mounter(channel, request);  // → StorageMounted
//   run_storage_saver(channel, request);    // → StorageSaved
//
// A virtual node's own network may have no way to the storage. The host cloud then leaves the machine's network at
// $VIRGA_UPLINK, and these children, and what they start, work there; no job's process ever does.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "wire/agent_protocol.hpp"
#include "wire/frame_channel.hpp"

namespace virga {

[[noreturn]] void run_storage_mounter(FrameChannel agent, const MountStorage& wanted);

struct SaveRequest {
  std::vector<Storage> mounted;
  std::string empty_folder;  ///< is removed if nothing is in it; may be ""
  std::chrono::milliseconds limit{};
};
[[noreturn]] void run_storage_saver(FrameChannel agent, const SaveRequest& request);
/// Detaches all of them; what serves them ends by that.
void unmount_storage(const std::vector<Storage>& mounted);

/// That rclone, which served this container, is gone, with what it said last.
std::string lost_mount(const Storage& storage);

/// The one line of rclone's many that a user can use.
std::string rclone_trouble(const std::string& output);

}  // namespace virga
