// The contract that every journal keeps, kept by the SQLite one; and the checksum's published check value.
#include <boost/crc.hpp>

#include "journals/sqlite/crc32c.hpp"
#include "journals/sqlite/sqlite_journal.hpp"
#include "ports/contract/journal_contract.hpp"
#include "unit/journals_sqlite/temp_dir.hpp"

namespace virga {

TEST_CASE("sqlite journal: contract") {
  test::TempDir dir;
  check_journal_contract({.open = [&] { return open_sqlite_journal(dir / "journal.db", OpenMode::create_or_open); },
                          .backup_path = dir / "copy.db",
                          .open_backup = [&] { return open_sqlite_journal(dir / "copy.db", OpenMode::read_only); }});
}

TEST_CASE("crc32c: the published check value, and Boost's answer for every length and cut") {
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c("") == 0);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);  // RFC 3720, B.4
  std::string bytes;
  for (int n = 0; n < 100; ++n) {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> oracle;
    oracle.process_bytes(bytes.data(), bytes.size());
    CHECK(crc32c(bytes) == oracle.checksum());
    const std::size_t cut = bytes.size() / 3;
    CHECK(crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))) == oracle.checksum());
    bytes.push_back(static_cast<char>(n * 37 + 11));
  }
}

}  // namespace virga
