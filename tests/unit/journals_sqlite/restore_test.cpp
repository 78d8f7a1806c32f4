// Backups and the way back.
#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "unit/journals_sqlite/helpers.hpp"

namespace virga {

using test::contains;
using test::open_or_fail;
using test::slurp;
using test::TempDir;

namespace jc = journal_contract;

TEST_CASE("sqlite journal: a backup while the writer goes on is one whole file") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  auto journal = open_or_fail(path);
  std::vector<JournalEntry> batch = jc::entries(1, 2000);
  for (JournalEntry& entry : batch) entry.payload = LaunchPayload{std::string(3000, '#'), {}, {}, 022};
  REQUIRE(journal->append(batch, {}, {}));
  std::atomic<bool> done = false;
  Status backed_up;
  std::thread other([&] {
    backed_up = journal->backup(dir / "copy.db");
    done = true;
  });
  std::uint32_t last = 2000;
  while (!done) {
    const bool appended = journal->append(jc::entries(last + 1, 10), {}, {}).has_value();
    CHECK(appended);
    if (!appended) break;
    last += 10;
  }
  other.join();
  REQUIRE_MESSAGE(backed_up.has_value(), (backed_up ? "" : backed_up.error().message));
  CHECK(last > 2000);
  const std::string bytes = slurp(dir / "copy.db");
  CHECK(bytes[18] == 1);  // the header's "no WAL"
  struct stat info {};
  REQUIRE(::stat((dir / "copy.db").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  {
    auto copy = open_or_fail(dir / "copy.db", OpenMode::read_only);
    const std::uint64_t kept = copy->info()->last.value;
    CHECK(kept >= 2000);
    CHECK(kept <= last);
    CHECK(kept % 10 == 0);
    CHECK(jc::count_from(*copy, 0, 1) == kept);
    CHECK(copy->verify().has_value());
  }
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    files += contains(entry.path().string(), "copy.db") ? 1 : 0;
  }
  CHECK(files == 1);
}

TEST_CASE("sqlite journal: where no backup can be written") {
  TempDir dir;
  auto journal = open_or_fail(dir / "journal.db");
  CHECK(journal->backup(dir / "missing/copy.db").error().code == Code::not_found);
  test::spill(dir / "taken", "mine");
  CHECK(contains(journal->backup(dir / "taken").error().message, "it exists"));
  CHECK(slurp(dir / "taken") == "mine");
}

TEST_CASE("sqlite journal: restore puts the backup in place and keeps what was there") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  {
    auto journal = open_or_fail(path);
    REQUIRE(journal->append(jc::entries(1, 10), {}, {}));
    REQUIRE(journal->backup(dir / "copy.db"));
    REQUIRE(journal->append(jc::entries(11, 5), {}, {}));
    Result<std::string> early = restore_sqlite_journal(dir / "copy.db", path);
    REQUIRE_FALSE(early.has_value());
    CHECK(early.error().code == Code::conflict);
  }
  SUBCASE("over a healthy journal") {
    for (int n = 1; n <= 2; ++n) {
      Result<std::string> replaced = restore_sqlite_journal(dir / "copy.db", path);
      REQUIRE_MESSAGE(replaced.has_value(), (replaced ? "" : replaced.error().message));
      CHECK(*replaced == path + ".replaced-" + std::to_string(n));
    }
    auto old = open_or_fail(path + ".replaced-1", OpenMode::read_only);
    CHECK(jc::count_from(*old, 0, 1) == 15);
  }
  SUBCASE("over one whose writer was killed: its WAL stays with it") {
    REQUIRE(test::in_child([&] {
      Result<std::unique_ptr<Journal>> journal = open_sqlite_journal(path, OpenMode::open_existing);
      const bool ok = journal && (*journal)->append(jc::entries(16, 5), {}, {});
      if (journal) journal->release();
      return ok;
    }));
    REQUIRE(std::filesystem::exists(path + "-wal"));
    Result<std::string> replaced = restore_sqlite_journal(dir / "copy.db", path);
    REQUIRE(replaced.has_value());
    CHECK_FALSE(std::filesystem::exists(path + "-wal"));
    auto old = open_or_fail(*replaced);
    CHECK(jc::count_from(*old, 0, 1) == 20);
  }
  SUBCASE("over a damaged one") {
    test::spill(path, "rubbish");
    CHECK(restore_sqlite_journal(dir / "copy.db", path).value() == path + ".replaced-1");
    CHECK(slurp(path + ".replaced-1") == "rubbish");
  }
  SUBCASE("where there is none") {
    std::filesystem::remove(path);
    CHECK(restore_sqlite_journal(dir / "copy.db", path).value().empty());
  }
  auto journal = open_or_fail(path);
  CHECK(jc::count_from(*journal, 0, 1) == 10);
  CHECK(journal->append(jc::entries(11, 1), {}, {}).value() == Seq{11});
  CHECK(journal->verify().has_value());
}

TEST_CASE("sqlite journal: a damaged backup changes nothing") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  {
    auto journal = open_or_fail(path);
    REQUIRE(journal->append(jc::entries(1, 10), {}, {}));
    REQUIRE(journal->backup(dir / "copy.db"));
  }
  SQLite::Database(dir / "copy.db", SQLite::OPEN_READWRITE).exec("UPDATE events SET record = x'00' WHERE seq = 7");
  Result<std::string> replaced = restore_sqlite_journal(dir / "copy.db", path);
  REQUIRE_FALSE(replaced.has_value());
  CHECK(replaced.error().code == Code::corrupt);
  CHECK_MESSAGE(contains(replaced.error().message, "event 7 does not match its CRC-32C"), replaced.error().message);
  CHECK_MESSAGE(contains(replaced.error().message, dir / "copy.db"), replaced.error().message);
  CHECK(restore_sqlite_journal(dir / "missing.db", path).error().code == Code::not_found);
  CHECK_FALSE(std::filesystem::exists(path + ".replaced-1"));
  CHECK_FALSE(std::filesystem::exists(path + ".restoring"));
  auto journal = open_or_fail(path);
  CHECK(jc::count_from(*journal, 0, 1) == 10);
}

}  // namespace virga
