#include "wire/replace_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace virga {
namespace {

Status trouble(const char* what, const std::string& path) {
  const int number = errno;
  const bool is_scarce =
      number == ENOSPC || number == EDQUOT || number == EMFILE || number == ENFILE || number == ENOMEM || number == EIO;
  return fail(is_scarce ? Code::exhausted : Code::internal,
              std::string("cannot ") + what + " " + path + ": " + std::strerror(number), is_scarce);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

/// The name itself is durable once its folder is.
bool sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  return synced;
}

}  // namespace

Status replace_file(const std::string& path, std::string_view text, mode_t mode, Durable durable) {
  const std::string fresh = path + ".new-" + std::to_string(getpid());
  unlink(fresh.c_str());  // a crash may have left one, with another mode
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return trouble("write", fresh);
  bool done = write_all(fd, text) && fchmod(fd, mode) == 0 && (durable == Durable::no || fsync(fd) == 0);
  const int error = errno;
  close(fd);
  if (!done) errno = error;
  done = done && std::rename(fresh.c_str(), path.c_str()) == 0;
  if (!done) {
    Status failed = trouble("write", path);
    unlink(fresh.c_str());
    return failed;
  }
  if (durable == Durable::yes && !sync_folder_of(path)) return trouble("make durable", path);
  return {};
}

}  // namespace virga
