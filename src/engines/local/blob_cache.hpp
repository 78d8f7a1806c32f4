// What a node keeps of one `rclone mount`, in a folder of its administrator, and the questions to that rclone.
//
//   BlobCache cache("files");
//   cache.prepare();                            // before rclone starts: a password, an empty log
//   cache.find_port();                          // once it serves its control address
//   std::string why = cache.wait_until_uploaded(limit);      // "" or what is not home
//
// The control address is one of the loopback, so it has a password, made for this mount alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace virga {

class BlobCache {
 public:
  explicit BlobCache(const std::string& storage);

  Status prepare();
  std::string password() const;
  std::string log_file() const { return stem_ + ".log"; }
  std::string log() const;
  /// 0: it is not there yet.
  std::uint16_t find_port() const;
  /// Rclone does not know which job wrote a file: those of other jobs on the node are waited for, and told of, too.
  std::string wait_until_uploaded(std::chrono::steady_clock::time_point limit) const;

 private:
  std::string stem_;
};

/// From the answer to vfs/stats: files that wait for their upload or are being uploaded. -1: it says no such thing.
int files_to_upload(const std::string& stats);

}  // namespace virga
