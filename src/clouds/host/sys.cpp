#include "clouds/host/sys.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>

namespace virga::host {

tl::unexpected<Error> fail_errno(const std::string& what, int number) {
  bool exhausted = number == EAGAIN || number == ENOMEM || number == EMFILE || number == ENFILE || number == ENOSPC ||
                   number == EUSERS || number == EDQUOT;
  return fail(exhausted ? Code::exhausted : Code::internal,
              fmt::format("{}: {} ({})", what, std::strerror(number), strerrorname_np(number)), exhausted);
}

Result<std::string> read_file(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  std::string text;
  char buffer[4096];
  for (;;) {
    ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("read " + path);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
  }
}

namespace {

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    ssize_t n = write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write " + path);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

}  // namespace

Status write_into(const std::string& path, std::string_view text) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  return write_all(fd.get(), text, path);
}

Status make_folder(const std::string& path, mode_t mode) {
  for (std::size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    if (mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir " + path);
  }
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno("mkdir " + path);
  return {};
}

std::string hex_of(std::uint64_t value) { return fmt::format("{:016x}", value); }

}  // namespace virga::host
