// SQLite's exceptions as Error values: which code, whether to try again, and what the reader of the message can do.
#pragma once

#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"

namespace SQLite {
class Database;
class Exception;
}  // namespace SQLite

namespace virga {

/// `doing`: "cannot append to". Yields "cannot append to the journal <path>: <SQLite's reason>; <what to do>".
/// `db` may be null; it knows the operating system's errno.
Error sqlite_error(const SQLite::Exception& e, const SQLite::Database* db, const std::string& path,
                   std::string_view doing);

/// "the journal <path> is damaged: <what>; restore a backup: virga journal restore BACKUP"
Error damaged(const std::string& path, std::string_view what);

}  // namespace virga
