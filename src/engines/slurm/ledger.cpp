#include "engines/slurm/ledger.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>

#include "wire/replace_file.hpp"

namespace virga::slurm {

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
  entry.released = word != "submitted";
  if (word == "submitted" || word == "released") return entry;
  entry.ended = true;
  entry.never_ran = word == "refused";
  if ((word != "ended" && word != "refused") || !(file >> entry.exit.code >> entry.exit.signal)) return std::nullopt;
  if (!(file >> entry.id)) entry.id = 0;
  return entry;
}

bool Ledger::may_have(const JobKey& key) const { return access(path_of(key).c_str(), F_OK) == 0 || errno != ENOENT; }

Status Ledger::note_submitted(const JobKey& key) const {
  if (find(key)) return {};
  return replace_file(path_of(key), "submitted\n", 0600, Durable::yes);
}

Status Ledger::note_released(const JobKey& key) const {
  if (const auto known = find(key); known && known->released) return {};
  return replace_file(path_of(key), "released\n", 0600, Durable::yes);
}

Status Ledger::note_ended(const JobKey& key, ExitStatus exit, bool never_ran, std::uint32_t id) const {
  if (const auto known = find(key); known && known->ended) return {};
  const std::string text = std::string(never_ran ? "refused " : "ended ") + std::to_string(exit.code) + " " +
                           std::to_string(exit.signal) + (id == 0 ? "" : " " + std::to_string(id)) + "\n";
  return replace_file(path_of(key), text, 0600, Durable::yes);
}

void Ledger::forget(const JobKey& key) const { unlink(path_of(key).c_str()); }

}  // namespace virga::slurm
