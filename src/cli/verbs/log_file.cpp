#include "cli/verbs/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "wire/output_pattern.hpp"

namespace virga {

namespace {

constexpr std::size_t k_chunk_bytes = 64 * 1024;

std::string output_path(const Job& job) {
  const std::string_view pattern = job.spec->std_out.empty() ? default_output_pattern(job) : job.spec->std_out;
  std::string path = expand_output_pattern(pattern, output_names_of(job));
  return path.starts_with('/') ? path : job.spec->work_dir + "/" + path;
}

}  // namespace

LogFile::LogFile(const Job& job) : path_(output_path(job)) {}

LogFile::~LogFile() {
  if (fd_ >= 0) close(fd_);
}

std::string LogFile::why() const { return std::strerror(error_); }

std::string LogFile::read_more() {
  if (fd_ < 0) {
    fd_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
    error_ = errno;
  }
  if (fd_ < 0) return "";
  // A requeued job begins its file anew.
  struct stat file {};
  if (fstat(fd_, &file) == 0 && file.st_size < lseek(fd_, 0, SEEK_CUR)) lseek(fd_, 0, SEEK_SET);
  std::string chunk(k_chunk_bytes, '\0');
  const ssize_t n = read(fd_, chunk.data(), chunk.size());
  chunk.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return chunk;
}

}  // namespace virga
