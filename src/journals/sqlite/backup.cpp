#include "journals/sqlite/backup.hpp"

#include <SQLiteCpp/Backup.h>
#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>

#include "journals/sqlite/lock_file.hpp"
#include "journals/sqlite/schema.hpp"
#include "journals/sqlite/sqlite_error.hpp"
#include "journals/sqlite/sqlite_journal.hpp"

namespace virga {

namespace {

constexpr int k_pages_per_step = 512;  // 2 MB
constexpr auto k_pause_when_busy = std::chrono::milliseconds(5);

/// A file under construction: removed unless it was kept.
class PartialFile {
 public:
  static Result<PartialFile> make(std::string path) {
    for (const char* end : {"", "-journal", "-wal", "-shm"}) ::unlink((path + end).c_str());
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
      const int error = errno;
      const Code code = error == ENOENT                      ? Code::not_found
                        : error == ENOSPC || error == EDQUOT ? Code::exhausted
                                                             : Code::denied;
      return fail(code, fmt::format("cannot write {}: {}", path, std::strerror(error)));
    }
    ::close(fd);
    return PartialFile(std::move(path));
  }
  PartialFile(PartialFile&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile() {
    if (path_.empty()) return;
    for (const char* end : {"", "-journal", "-wal", "-shm"}) ::unlink((path_ + end).c_str());
  }
  const std::string& path() const { return path_; }

  /// Gives it its name; with `replace` whatever has that name is replaced in the same instant.
  Status keep_as(const std::string& name, bool replace) {
    const unsigned flags = replace ? 0 : RENAME_NOREPLACE;
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, name.c_str(), flags) != 0) {
      // Some file systems know no RENAME_NOREPLACE; there a look before has to do.
      const bool unsupported = errno == EINVAL && !replace && !file_exists(name);
      if (!unsupported || ::rename(path_.c_str(), name.c_str()) != 0) {
        return fail(errno == EEXIST ? Code::conflict : Code::internal,
                    fmt::format("cannot write {}: {}", name, std::strerror(errno)));
      }
    }
    path_.clear();
    return sync_folder_of(name);
  }

 private:
  explicit PartialFile(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// Copies page by page. The transaction on the source holds its state still, so that the writer's commits neither
/// show nor make SQLite start over.
Status copy_pages(const std::string& source_path, const std::string& target_path) {
  Result<OpenDatabase> source = open_for_reading(source_path);
  if (!source) return unexpected(source.error());
  std::unique_ptr<SQLite::Database> target;
  try {
    source->db->exec("BEGIN; SELECT count(*) FROM head");
    target = std::make_unique<SQLite::Database>(target_path, SQLite::OPEN_READWRITE);
    {
      SQLite::Backup copy(*target, *source->db);
      for (int step = SQLITE_OK; step != SQLITE_DONE;) {
        step = copy.executeStep(k_pages_per_step);
        if (step == SQLITE_BUSY || step == SQLITE_LOCKED) std::this_thread::sleep_for(k_pause_when_busy);
      }
    }
    // The pages say "WAL"; a file at rest is better without, so that it is read as it is.
    target->exec("PRAGMA journal_mode = DELETE");
    return {};
  } catch (const SQLite::Exception& e) {
    return unexpected(sqlite_error(e, target ? target.get() : source->db.get(), source_path,
                                   fmt::format("cannot copy (to {})", target_path)));
  }
}

/// Keeps the old journal under another name, with its WAL, before anything of it is touched.
Result<std::string> set_aside(const std::string& path) {
  if (!file_exists(path) && !file_exists(path + "-wal")) return std::string();
  std::string name;
  for (int n = 1;; ++n) {
    name = fmt::format("{}.replaced-{}", path, n);
    if (!file_exists(name) && !file_exists(name + "-wal")) break;
  }
  // A second link first, so that the name `path` never lacks a journal.
  for (const char* end : {"", "-wal"}) {
    if (!file_exists(path + end)) continue;
    if (::link((path + end).c_str(), (name + end).c_str()) != 0 &&
        ::rename((path + end).c_str(), (name + end).c_str()) != 0) {
      return fail(Code::internal,
                  fmt::format("cannot keep {} as {}: {}", path + end, name + end, std::strerror(errno)));
    }
  }
  if (Status durable = sync_folder_of(path); !durable) return unexpected(durable.error());
  // From here on the old journal is whole only under its new name.
  for (const char* end : {"-wal", "-shm"}) ::unlink((path + end).c_str());
  return name;
}

}  // namespace

Status backup_sqlite_journal(const std::string& path, const std::string& backup) {
  if (file_exists(backup)) {
    return fail(Code::conflict, fmt::format("cannot back up to {}: it exists; name a file that does not", backup));
  }
  Result<PartialFile> partial = PartialFile::make(fmt::format("{}.part-{}", backup, ::getpid()));
  if (!partial) return unexpected(partial.error());
  if (Status copied = copy_pages(path, partial->path()); !copied) return copied;
  return partial->keep_as(backup, false);
}

Result<std::string> restore_sqlite_journal(const std::string& backup, const std::string& path) {
  struct stat from {
  }, to{};
  if (::stat(backup.c_str(), &from) == 0 && ::stat(path.c_str(), &to) == 0 && from.st_dev == to.st_dev &&
      from.st_ino == to.st_ino) {
    return fail(Code::invalid, fmt::format("{} is the journal itself, not a backup of it", backup));
  }
  Result<LockFile> lock = LockFile::take(path);
  if (!lock) return unexpected(lock.error());
  Result<PartialFile> partial = PartialFile::make(path + ".restoring");
  if (!partial) return unexpected(partial.error());
  if (Status copied = copy_pages(backup, partial->path()); !copied) return unexpected(copied.error());
  {
    // The copy is checked, which checks the backup and the copying.
    Result<std::unique_ptr<Journal>> journal = open_sqlite_journal(partial->path(), OpenMode::read_only);
    if (!journal) return unexpected(journal.error());
    if (Result<JournalReport> whole = (*journal)->verify(); !whole) {
      Error error = whole.error();
      error.message = fmt::format("the backup {} cannot be used: {}", backup, error.message);
      return unexpected(std::move(error));
    }
  }
  Result<std::string> replaced = set_aside(path);
  if (!replaced) return unexpected(replaced.error());
  if (Status kept = partial->keep_as(path, true); !kept) return unexpected(kept.error());
  return replaced;
}

}  // namespace virga
