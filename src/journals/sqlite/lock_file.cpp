#include "journals/sqlite/lock_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

namespace virga {

namespace {

/// The holder writes its pid right after it got the lock; in between the file is empty.
std::string describe_holder(int fd) {
  char text[32] = {};
  const ssize_t n = ::pread(fd, text, sizeof(text) - 1, 0);
  const long pid = n > 0 ? std::strtol(text, nullptr, 10) : 0;
  return pid > 0 ? fmt::format("process {}", pid) : "another process";
}

}  // namespace

Result<LockFile> LockFile::take(const std::string& journal_path) {
  const std::string path = journal_path + ".lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    const int error = errno;
    const std::string why = fmt::format("cannot lock the journal: {}: {}", path, std::strerror(error));
    if (error == ENOENT) return fail(Code::not_found, why + "; the journal's folder must exist");
    if (error == EACCES || error == EPERM || error == EROFS) return fail(Code::denied, why);
    if (error == ENOSPC || error == EDQUOT) return fail(Code::exhausted, why, true);
    return fail(Code::internal, why);
  }
  LockFile lock(fd);
  while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) {
      std::string message =
          fmt::format("{} has the journal {} open; one at a time may write it", describe_holder(fd), journal_path);
      ::close(std::exchange(lock.fd_, -1));  // not ours: leave the pid in it
      return fail(Code::conflict, std::move(message));
    }
    return fail(Code::internal, fmt::format("cannot lock {}: {}", path, std::strerror(errno)));
  }
  // On a full disk the lock holds without the pid, which only serves the other's message.
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) == 0) [[maybe_unused]]
    ssize_t written = ::pwrite(fd, pid.data(), pid.size(), 0);
  return lock;
}

LockFile::~LockFile() {
  if (fd_ < 0) return;
  [[maybe_unused]] int cleared = ::ftruncate(fd_, 0);
  ::close(fd_);
}

}  // namespace virga
