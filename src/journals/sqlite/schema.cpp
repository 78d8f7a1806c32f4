#include "journals/sqlite/schema.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "core/event.hpp"
#include "journals/sqlite/sqlite_error.hpp"

namespace virga {

namespace {

constexpr std::int64_t k_application_id = 0x56495247;  // "VIRG"
constexpr int k_busy_timeout_ms = 5'000;
// The WAL is copied into the database when it holds this many pages (of 4 KB), and cut back to the second size when a
// large commit, such as a snapshot, has blown it up.
constexpr int k_checkpoint_pages = 2'000;
constexpr int k_wal_bytes_kept = 64 * 1024 * 1024;

// Integers that are 64 bits without a sign (digests) are stored as SQLite's signed ones, bit for bit.
// jobs.key is job_id * 2^32 + incarnation, so that records are appended at the table's end. jobs.started and .ended are
// for searching: a job that never started counts as started when it ended.
// droppable names the payloads of finished jobs: compact() needs to look at no other.
constexpr const char* k_schema_1 = R"sql(
CREATE TABLE schema_versions(version INTEGER PRIMARY KEY, made_by TEXT NOT NULL) STRICT;
CREATE TABLE head(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  last_seq INTEGER NOT NULL,
  last_time_ns INTEGER NOT NULL,
  compacted_seq INTEGER NOT NULL) STRICT;
INSERT INTO head VALUES (1, 0, 0, 0);
CREATE TABLE events(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
CREATE TABLE payloads(seq INTEGER PRIMARY KEY, crc INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
CREATE TABLE snapshots(seq INTEGER PRIMARY KEY, digest INTEGER NOT NULL, state BLOB NOT NULL) STRICT;
CREATE TABLE droppable(payload_seq INTEGER PRIMARY KEY, job_key INTEGER NOT NULL) STRICT;
CREATE TABLE jobs(
  key INTEGER PRIMARY KEY,
  uid INTEGER NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  record BLOB NOT NULL) STRICT;
CREATE INDEX jobs_by_started ON jobs(started);
CREATE INDEX jobs_by_ended ON jobs(ended);
CREATE INDEX jobs_by_uid ON jobs(uid, ended);
CREATE TABLE vms(
  vm_id INTEGER PRIMARY KEY,
  granted INTEGER NOT NULL,
  released INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  record BLOB NOT NULL) STRICT;
CREATE INDEX vms_by_released ON vms(released);
)sql";

std::int64_t pragma_value(SQLite::Database& db, const char* name) {
  SQLite::Statement s(db, fmt::format("PRAGMA {}", name));
  return s.executeStep() ? s.getColumn(0).getInt64() : 0;
}

void record_version(SQLite::Database& db, std::int64_t version) {
  SQLite::Statement s(db, "INSERT INTO schema_versions VALUES (?, ?)");
  s.bind(1, version);
  s.bind(2, "virga " VIRGA_VERSION);
  s.exec();
  db.exec(fmt::format("PRAGMA user_version = {}", version));
}

/// Reading the first page settles whether this is a journal at all.
Result<std::int64_t> schema_version_of(SQLite::Database& db, const std::string& path) {
  const std::int64_t application = pragma_value(db, "application_id");
  const std::int64_t version = pragma_value(db, "user_version");
  if (application != k_application_id) {
    return fail(Code::corrupt, fmt::format("{} is an SQLite database, but not a Virga journal", path));
  }
  if (version > k_schema_version) {
    return fail(Code::refused, fmt::format("the journal {} has schema version {}, written by a newer Virga; this one "
                                           "({}) knows versions up to {}: install the newer Virga, or restore a backup "
                                           "made before it",
                                           path, version, VIRGA_VERSION, k_schema_version));
  }
  if (version < 1) return unexpected(damaged(path, fmt::format("it claims schema version {}", version)));
  return version;
}

/// Versions 1 to 8 have the same tables, but jobs and configurations of other layouts in them. Step n brings version n
/// to n + 1, inside one transaction with its record_version().
Status migrate(SQLite::Database&, std::int64_t version, const std::string& path) {
  if (version == k_schema_version) return {};
  return fail(Code::internal,
              fmt::format("the journal {} has schema version {}, and no step leads from it", path, version));
}

/// The common refusals that SQLite's own "unable to open database file" does not tell apart.
Status check_file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return fail(Code::not_found, fmt::format("there is no journal {}", path));
    return fail(Code::denied, fmt::format("cannot open the journal {}: {}", path, std::strerror(error)));
  }
  if (!S_ISREG(info.st_mode)) return fail(Code::invalid, fmt::format("{} is not a file, so not a journal", path));
  if (info.st_size == 0) return unexpected(damaged(path, "the file is empty"));
  return {};
}

/// SQLite's form of a file's name that takes options.
std::string uri_of(const std::string& path) {
  std::string out = path.starts_with('/') ? "file://" : "file:";
  for (unsigned char c : path) {
    if (std::strchr("?#%", c) != nullptr || c < 0x20) {
      out += fmt::format("%{:02x}", c);
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

void common_pragmas(SQLite::Database& db) {
  db.setBusyTimeout(k_busy_timeout_ms);
  db.exec("PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY");
}

}  // namespace

bool file_exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Status sync_folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool ok = fd >= 0 && ::fsync(fd) == 0;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  if (!ok) return fail(Code::internal, fmt::format("cannot make {} durable: {}", folder, std::strerror(error)));
  return {};
}

Status create_journal_file(const std::string& path) {
  if (file_exists(path + "-wal")) {
    return fail(Code::corrupt,
                fmt::format("the journal {0} is gone, but its newest part {0}-wal is there; put the file "
                            "back, or restore a backup: virga journal restore BACKUP",
                            path));
  }
  const std::string aside = path + ".creating";
  for (const char* end : {"", "-journal", "-wal", "-shm"}) ::unlink((aside + end).c_str());
  // Scripts and environments hold secrets: the file is its owner's alone. SQLite gives -wal and -shm the same mode.
  const int fd = ::open(aside.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    const int error = errno;
    return fail(error == ENOSPC || error == EDQUOT ? Code::exhausted : Code::denied,
                fmt::format("cannot create the journal {}: {}", path, std::strerror(error)));
  }
  ::close(fd);
  std::unique_ptr<SQLite::Database> db;
  try {
    db = std::make_unique<SQLite::Database>(aside, SQLite::OPEN_READWRITE);
    db->exec("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    SQLite::Transaction transaction(*db, SQLite::TransactionBehavior::IMMEDIATE);
    db->exec(k_schema_1);
    db->exec(fmt::format("PRAGMA application_id = {}", k_application_id));
    record_version(*db, k_schema_version);
    transaction.commit();
  } catch (const SQLite::Exception& e) {
    Error error = sqlite_error(e, db.get(), path, "cannot create");
    db.reset();
    for (const char* end : {"", "-journal", "-wal", "-shm"}) ::unlink((aside + end).c_str());
    return unexpected(std::move(error));
  }
  db.reset();  // copies the WAL into the file and removes it
  if (file_exists(aside + "-wal") || ::rename(aside.c_str(), path.c_str()) != 0) {
    const std::string why = std::strerror(errno);
    for (const char* end : {"", "-wal", "-shm"}) ::unlink((aside + end).c_str());
    return fail(Code::exhausted, fmt::format("cannot create the journal {}: {}", path, why), true);
  }
  return sync_folder_of(path);
}

Result<OpenDatabase> open_for_writing(const std::string& path) {
  if (Status there = check_file(path); !there) return unexpected(there.error());
  OpenDatabase open;
  try {
    open.db = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READWRITE);
    common_pragmas(*open.db);
    Result<std::int64_t> version = schema_version_of(*open.db, path);
    if (!version) return unexpected(version.error());
    open.db->exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    open.db->exec(fmt::format("PRAGMA wal_autocheckpoint = {}; PRAGMA journal_size_limit = {}", k_checkpoint_pages,
                              k_wal_bytes_kept));
    if (Status migrated = migrate(*open.db, *version, path); !migrated) return unexpected(migrated.error());
  } catch (const SQLite::Exception& e) {
    return unexpected(sqlite_error(e, open.db.get(), path, "cannot open"));
  }
  return open;
}

Result<OpenDatabase> open_for_reading(const std::string& path) {
  if (Status there = check_file(path); !there) return unexpected(there.error());
  OpenDatabase open;
  // A writer keeps its -wal file until it closes. Without one the file is at rest, and SQLite must be told so:
  // otherwise it wants to make -wal and -shm files, which a reader may not be able to, and would not remove.
  open.immutable = !file_exists(path + "-wal");
  try {
    if (open.immutable) {
      open.db =
          std::make_unique<SQLite::Database>(uri_of(path) + "?immutable=1", SQLite::OPEN_READONLY | SQLite::OPEN_URI);
    } else {
      open.db = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READONLY);
    }
    common_pragmas(*open.db);
    Result<std::int64_t> version = schema_version_of(*open.db, path);
    if (!version) return unexpected(version.error());
    if (*version < k_schema_version) {
      return fail(Code::conflict, fmt::format("the journal {} has the older schema version {}; `virga up` brings it to "
                                              "version {}",
                                              path, *version, k_schema_version));
    }
  } catch (const SQLite::Exception& e) {
    return unexpected(sqlite_error(e, open.db.get(), path, "cannot open"));
  }
  return open;
}

}  // namespace virga
