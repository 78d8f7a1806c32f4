// A job's standard output as it grows, read from the file that the job writes.
//
//   LogFile log(job);
//   std::string more = log.read_more();    // "" when there is nothing new yet
#pragma once

#include <cstdint>
#include <string>

#include "core/job.hpp"

namespace virga {

class LogFile {
 public:
  explicit LogFile(const Job& job);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;

  const std::string& path() const { return path_; }
  bool found() const { return fd_ >= 0; }
  /// Why it is not found.
  std::string why() const;
  /// What was written since the last call, bounded; all of it if the file was cut meanwhile.
  std::string read_more();

 private:
  std::string path_;
  int fd_ = -1;
  int error_ = 0;
};

}  // namespace virga
