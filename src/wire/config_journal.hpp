// [journal] of virga.toml: where the journal is, for who opens it.
//
//   [journal]
//   url = "postgres://virga@db.example.com/virga"   # absent: the SQLite file journal.db in the instance's folder
//   lease = "1s"                                    # how long a leader that is not heard of keeps the lead
//
//   Result<JournalSettings> settings = parse_journal_settings(text, "/var/lib/virga/virga.toml");
//
// A password in the url is refused: the file is read by many. libpq looks for it in $PGPASSFILE or ~/.pgpass.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"
#include "wire/home.hpp"

namespace virga {

struct JournalSettings {
  std::string url;  ///< "": SQLite
  Duration lease = Duration::seconds(1);
};

/// `text` is the whole virga.toml; only [journal] is looked at.
Result<JournalSettings> parse_journal_settings(std::string_view text, const std::string& file_name);
/// Of the instance's virga.toml, if there is one.
Result<JournalSettings> read_journal_settings(const Home& home);

/// Whether a command's word for a journal means one in PostgreSQL: postgres://…, postgresql://…, or a connection string
/// of libpq after "postgres:". Anything else is the path of an SQLite file, which "sqlite:" may stand before.
bool names_postgres(std::string_view journal);
std::string sqlite_path(std::string_view journal);

}  // namespace virga
