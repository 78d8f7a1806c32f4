#include "journals/sqlite/sqlite_error.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstring>

namespace virga {

namespace {

/// SQLite keeps the errno of a failed opening, but not that of a failed write: a quota or a limit on file sizes
/// (EDQUOT, EFBIG) looks like a fault of the disk. All of them may pass, and none has changed the journal.
Error io_error(const SQLite::Exception& e, int system_errno, const std::string& what) {
  switch (e.getExtendedErrorCode()) {
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_SHMSIZE:
      return {Code::exhausted, what + ": its file system is full, over a quota or limit, or failing; free some space",
              true};
    case SQLITE_IOERR_SHORT_READ:
      return {Code::corrupt, what + "; the file is cut off: restore a backup: virga journal restore BACKUP", false};
    default:
      if (system_errno != 0) return {Code::internal, fmt::format("{} ({})", what, std::strerror(system_errno)), false};
      return {Code::internal, what, false};
  }
}

}  // namespace

Error damaged(const std::string& path, std::string_view what) {
  return {Code::corrupt,
          fmt::format("the journal {} is damaged: {}; restore a backup: virga journal restore BACKUP", path, what),
          false};
}

Error sqlite_error(const SQLite::Exception& e, const SQLite::Database* db, const std::string& path,
                   std::string_view doing) {
  const std::string what = fmt::format("{} the journal {}: {}", doing, path, e.what());
  const int system_errno = db != nullptr ? sqlite3_system_errno(db->getHandle()) : 0;
  switch (e.getErrorCode() & 0xFF) {
    case SQLITE_FULL:
      return {Code::exhausted, what + "; free some space on its file system", true};
    case SQLITE_IOERR:
      return io_error(e, system_errno, what);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {Code::conflict, what + "; another program holds it", true};
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {Code::denied, what, false};
    case SQLITE_CANTOPEN:
      if (system_errno == EACCES || system_errno == EPERM) return {Code::denied, what + " (permission denied)", false};
      return {Code::unavailable, what, false};
    case SQLITE_NOTADB:
      return {Code::corrupt, fmt::format("{} is not a Virga journal: {}", path, e.what()), false};
    case SQLITE_TOOBIG:
      return {Code::invalid, what + "; a record is larger than 1 GB", false};
    case SQLITE_NOMEM:
      return {Code::exhausted, what, true};
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:       // our statements are fixed, so a table or column is not what it must be
    case SQLITE_CONSTRAINT:  // the same: keys that only this program gives
    case SQLITE_MISMATCH:
      return damaged(path, e.what());
    default:
      return {Code::internal, what, false};
  }
}

}  // namespace virga
