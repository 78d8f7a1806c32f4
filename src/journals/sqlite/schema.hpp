// The database file itself: how it is made, opened, and known to be ours.
//
// The file tells what it is by PRAGMA application_id ("VIRG"), and how old by user_version and the table
// schema_versions, which names the Virga that brought each version. A newer one is refused; an older one is migrated by
// numbered steps when a writer opens it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace SQLite {
class Database;
}

namespace virga {

/// Makes an empty journal aside and renames it into place, so that `path` is never half a journal.
Status create_journal_file(const std::string& path);

struct OpenDatabase {
  std::unique_ptr<SQLite::Database> db;
  bool immutable = false;  ///< read without locks, because no writer had it open
};

/// Needs the lock.
Result<OpenDatabase> open_for_writing(const std::string& path);
Result<OpenDatabase> open_for_reading(const std::string& path);

/// Makes names and renames in the file's folder durable.
Status sync_folder_of(const std::string& path);

bool file_exists(const std::string& path);

}  // namespace virga
