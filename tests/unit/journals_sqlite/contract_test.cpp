// The contract that every journal keeps, kept by the SQLite one.
#include "journals/sqlite/sqlite_journal.hpp"
#include "ports/contract/journal_contract.hpp"
#include "support/temp_dir.hpp"

namespace virga {

TEST_CASE("sqlite journal: contract") {
  test::TempDir dir;
  check_journal_contract({.open = [&] { return open_sqlite_journal(dir / "journal.db", OpenMode::create_or_open); },
                          .backup_path = dir / "copy.db",
                          .open_backup = [&] { return open_sqlite_journal(dir / "copy.db", OpenMode::read_only); }});
}

}  // namespace virga
