// The lock that lets one process at a time write a journal: flock() on `<journal>.lock`, with the holder's pid in it.
// It lies beside the journal, not in it, so that other processes may read the journal while it is held.
//
//   Result<LockFile> lock = LockFile::take("/var/lib/virga/journal.db");   // Code::conflict names the holder's pid
//
// The kernel lets go of it when the holder dies, however it dies. The file itself stays: to remove it would let two
// processes each lock a file of that name.
#pragma once

#include <string>
#include <utility>

#include "base/result.hpp"

namespace virga {

class LockFile {
 public:
  static Result<LockFile> take(const std::string& journal_path);

  LockFile(LockFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  LockFile& operator=(LockFile&&) = delete;
  ~LockFile();

 private:
  explicit LockFile(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace virga
