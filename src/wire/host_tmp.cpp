#include "wire/host_tmp.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace virga {

namespace {

struct OwnedFd {
  int fd;
  ~OwnedFd() {
    if (fd >= 0) close(fd);
  }
};

/// "/tmp/a/b" → "a"; empty for everything that is not below /tmp.
std::string top_component(const std::string& path) {
  constexpr std::string_view k_tmp = "/tmp/";
  if (path.compare(0, k_tmp.size(), k_tmp) != 0) return "";
  std::size_t begin = path.find_first_not_of('/', k_tmp.size());
  if (begin == std::string::npos) return "";
  std::string name = path.substr(begin, path.find('/', begin) - begin);
  return name == "." || name == ".." ? "" : name;
}

tl::unexpected<Error> trouble(const std::string& what, int number) {
  Code code = number == ENOENT ? Code::not_found : Code::internal;
  return fail(code, fmt::format("{}: {}", what, std::strerror(number)));
}

}  // namespace

Status expose_tmp_component(const std::string& host_tmp, const std::string& path) {
  std::string name = top_component(path);
  if (name.empty()) return {};
  // Both ends are opened without following links and mounted through their descriptors: /tmp is everybody's, and
  // whoever may write there must not choose what gets mounted where.
  OwnedFd source{open((host_tmp + "/" + name).c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (source.fd < 0) return trouble(fmt::format("/tmp/{} of the machine", name), errno);
  struct stat from {};
  if (fstat(source.fd, &from) != 0) return trouble(fmt::format("/tmp/{} of the machine", name), errno);
  if (!S_ISDIR(from.st_mode) && !S_ISREG(from.st_mode)) {
    return fail(Code::invalid, fmt::format("/tmp/{} is neither a folder nor a file", name));
  }

  std::string target_path = "/tmp/" + name;
  if (S_ISDIR(from.st_mode)) {
    if (mkdir(target_path.c_str(), 0755) != 0 && errno != EEXIST) return trouble("mkdir " + target_path, errno);
  } else {
    OwnedFd created{open(target_path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (created.fd < 0 && errno != EEXIST) return trouble("create " + target_path, errno);
  }
  OwnedFd target{open(target_path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  if (target.fd < 0) return trouble("open " + target_path, errno);
  struct stat to {};
  if (fstat(target.fd, &to) != 0) return trouble("open " + target_path, errno);
  if (to.st_dev == from.st_dev && to.st_ino == from.st_ino) return {};
  if ((to.st_mode & S_IFMT) != (from.st_mode & S_IFMT)) {
    return fail(Code::conflict, fmt::format("the node's own {} is in the way of this machine's", target_path));
  }
  std::string from_link = fmt::format("/proc/self/fd/{}", source.fd);
  std::string to_link = fmt::format("/proc/self/fd/{}", target.fd);
  if (mount(from_link.c_str(), to_link.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    return trouble("bind " + target_path, errno);
  }
  return {};
}

Status expose_from_host_tmp(const std::string& path) {
  const char* host_tmp = std::getenv("VIRGA_HOST_TMP");
  if (!host_tmp || !*host_tmp) return {};
  return expose_tmp_component(host_tmp, path);
}

}  // namespace virga
