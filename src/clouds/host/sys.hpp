// Small tools around Linux calls: owned file descriptors, errno as Error, whole-file reads and writes (replace_file()
// is wire's).
//
//   UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
//   if (!fd) return fail_errno("open " + path);
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "wire/replace_file.hpp"

namespace virga::host {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

/// "what: text of errno". What the machine has run out of is Code::exhausted, so that a gang that meets it is refused
/// for lack of capacity and not as a fault.
tl::unexpected<Error> fail_errno(const std::string& what, int number = errno);

Result<std::string> read_file(const std::string& path);
/// Writes into an existing file (as those of /proc and /sys are).
Status write_into(const std::string& path, std::string_view text);
/// mkdir -p for the missing parents; `mode` for the last.
Status make_folder(const std::string& path, mode_t mode);

/// A digest as 16 hex digits.
std::string hex_of(std::uint64_t value);

}  // namespace virga::host
