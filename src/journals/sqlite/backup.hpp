// Copies of a journal: SQLite's online backup, and the way back.
#pragma once

#include <string>

#include "base/result.hpp"

namespace virga {

/// A consistent copy of the journal at `path` while its writer, this process or another one, goes on. The copy is one
/// file without a WAL, its owner's alone; `backup` appears when it is whole, and must not exist before.
Status backup_sqlite_journal(const std::string& path, const std::string& backup);

}  // namespace virga
