#include "engines/slurm/ledger.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>

namespace virga::slurm {
namespace {

tl::unexpected<Error> cannot(const char* what, const std::string& path) {
  return fail(Code::exhausted, std::string("cannot ") + what + " " + path + ": " + std::strerror(errno), true);
}

}  // namespace

std::string Ledger::path_of(const JobKey& key) const {
  return folder_ + "/" + std::to_string(key.job.value) + "." + std::to_string(key.incarnation);
}

std::optional<LedgerEntry> Ledger::find(const JobKey& key) const {
  struct stat info {};
  const std::string path = path_of(key);
  std::ifstream file(path);
  std::string word;
  if (!(file >> word) || stat(path.c_str(), &info) != 0) return std::nullopt;
  LedgerEntry entry;
  entry.age = std::chrono::seconds(std::max<std::time_t>(std::time(nullptr) - info.st_mtime, 0));
  if (word == "submitted") return entry;
  entry.ended = true;
  entry.never_ran = word == "refused";
  if ((word != "ended" && word != "refused") || !(file >> entry.exit.code >> entry.exit.signal)) return std::nullopt;
  return entry;
}

Status Ledger::note_submitted(const JobKey& key) const {
  if (find(key)) return {};
  return replace(key, "submitted\n");
}

Status Ledger::note_ended(const JobKey& key, ExitStatus exit, bool never_ran) const {
  if (const auto known = find(key); known && known->ended) return {};
  return replace(key, std::string(never_ran ? "refused " : "ended ") + std::to_string(exit.code) + " " +
                          std::to_string(exit.signal) + "\n");
}

void Ledger::forget(const JobKey& key) const { unlink(path_of(key).c_str()); }

Status Ledger::replace(const JobKey& key, const std::string& text) const {
  const std::string path = path_of(key);
  const std::string fresh = path + ".new-" + std::to_string(getpid());
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return cannot("write", fresh);
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  const int error = errno;
  close(fd);
  if (!written || std::rename(fresh.c_str(), path.c_str()) != 0) {
    if (!written) errno = error;
    const auto failed = cannot("write", path);
    unlink(fresh.c_str());
    return failed;
  }
  const int folder = open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return {};
}

}  // namespace virga::slurm
