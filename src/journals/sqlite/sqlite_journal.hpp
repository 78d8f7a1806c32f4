// The default journal: one SQLite file in WAL mode, written with synchronous=FULL.
//
//   auto journal = open_sqlite_journal(home.journal(), OpenMode::create_or_open);
//   auto seq = (*journal)->append(entries, {}, {});
//
// `<path>` is the database; while it is open `<path>-wal` and `<path>-shm` belong to it, and `<path>.lock` keeps other
// writers out (Code::conflict names the holder's pid). Reading needs no lock: other processes may read while the
// journal is written, and without a writer also from a folder that they cannot write.
//
// Every record has a CRC-32C over its key and its bytes, events are numbered without gaps, snapshots carry their
// digest: what is damaged is told (Code::corrupt) with its sequence number, never skipped. A commit that was not
// finished, because of kill -9, a power cut or a full disk, is as if it had never been asked for.
//
// One thread at a time may use a journal, but backup() may run on another thread beside it.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "ports/journal.hpp"

namespace virga {

/// Reading takes no lock.
Result<std::unique_ptr<Journal>> open_sqlite_journal(const std::string& path, OpenMode mode);

/// Puts the journal in file `backup` in the place of the one at `path`, after checking all of it. Refused while a
/// writer has `path` open. The replaced journal stays as `<path>.replaced-<n>`: its name, or "" if there was none.
Result<std::string> restore_sqlite_journal(const std::string& backup, const std::string& path);

}  // namespace virga
