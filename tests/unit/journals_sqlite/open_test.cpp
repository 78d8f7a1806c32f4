// Opening: what is refused and in which words, who may read when, and whose file it is.
#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "unit/journals_sqlite/helpers.hpp"

namespace virga {

using test::contains;
using test::open_error;
using test::open_or_fail;
using test::TempDir;

namespace jc = journal_contract;

TEST_CASE("sqlite journal: what is no journal is refused in clear words") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  SUBCASE("no file") {
    for (OpenMode mode : {OpenMode::open_existing, OpenMode::read_only}) {
      Error error = open_error(path, mode);
      CHECK(error.code == Code::not_found);
      CHECK(contains(error.message, "there is no journal " + path));
    }
    CHECK(std::filesystem::is_empty(dir.path()));
  }
  SUBCASE("no folder") {
    Error error = open_error(dir / "missing/journal.db");
    CHECK(error.code == Code::not_found);
    CHECK(contains(error.message, "the journal's folder must exist"));
  }
  SUBCASE("a text") {
    test::spill(path, std::string(5000, 'x'));
    for (OpenMode mode : {OpenMode::create_or_open, OpenMode::read_only}) {
      Error error = open_error(path, mode);
      CHECK(error.code == Code::corrupt);
      CHECK(contains(error.message, path + " is not a Virga journal"));
    }
    CHECK(test::slurp(path) == std::string(5000, 'x'));
  }
  SUBCASE("an empty file: a journal that lost everything must not pass for a new one") {
    test::spill(path, "");
    Error error = open_error(path);
    CHECK(error.code == Code::corrupt);
    CHECK(contains(error.message, "the file is empty"));
  }
  SUBCASE("a folder") {
    std::filesystem::create_directory(path);
    CHECK(open_error(path).code == Code::invalid);
  }
  SUBCASE("another program's database") {
    SQLite::Database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE).exec("CREATE TABLE t(x)");
    Error error = open_error(path);
    CHECK(error.code == Code::corrupt);
    CHECK(contains(error.message, "an SQLite database, but not a Virga journal"));
  }
  SUBCASE("a newer schema") {
    open_or_fail(path);
    const std::string newer = std::to_string(k_schema_version + 1);
    SQLite::Database(path, SQLite::OPEN_READWRITE).exec("PRAGMA user_version = " + newer);
    for (OpenMode mode : {OpenMode::create_or_open, OpenMode::read_only}) {
      Error error = open_error(path, mode);
      CHECK(error.code == Code::refused);
      CHECK(contains(error.message, "has schema version " + newer + ", written by a newer Virga"));
    }
  }
  SUBCASE("the database is gone, and its WAL is there") {
    test::spill(path + "-wal", "frames");
    CHECK(open_error(path).code == Code::corrupt);
    CHECK_FALSE(std::filesystem::exists(path));
  }
}

TEST_CASE("sqlite journal: the file is its owner's alone, of our kind, and gives space back") {
  TempDir dir;
  const std::string path = dir / "a ?#%41 name.db";  // letters that mean something in an SQLite URI
  auto journal = open_or_fail(path);
  REQUIRE(journal->append(jc::entries(1, 1), {}, {}));
  for (const char* end : {"", "-wal", "-shm", ".lock"}) {
    struct stat info {};
    REQUIRE(::stat((path + end).c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
  }
  {
    SQLite::Database db(path, SQLite::OPEN_READONLY);
    CHECK(db.execAndGet("PRAGMA application_id").getInt() == 0x56495247);
    CHECK(db.execAndGet("PRAGMA user_version").getInt() == k_schema_version);
    CHECK(db.execAndGet("SELECT max(version) FROM schema_versions").getInt() == k_schema_version);
    CHECK(db.execAndGet("PRAGMA auto_vacuum").getInt() == 2);
    CHECK(db.execAndGet("PRAGMA journal_mode").getString() == "wal");
  }
  journal.reset();
  auto reader = open_or_fail(path, OpenMode::read_only);
  CHECK(jc::count_from(*reader, 0, 1) == 1);
}

TEST_CASE("sqlite journal: compaction makes the file smaller") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  auto journal = open_or_fail(path);
  std::vector<JournalEntry> batch = jc::entries(1, 3000);
  for (JournalEntry& entry : batch) entry.payload = LaunchPayload{std::string(3000, '#'), {}, {}, 022};
  std::vector<Job> over;
  for (std::uint32_t id = 1; id <= 3000; ++id) {
    over.push_back(jc::job(id, 0, JobState::completed));
    over.back().submitted_at_seq = Seq{id};
  }
  REQUIRE(journal->append(batch, over, {}));
  REQUIRE(journal->save_snapshot(jc::snapshot(3000, "s")));
  journal.reset();
  const auto before = std::filesystem::file_size(path);
  journal = open_or_fail(path);
  REQUIRE(journal->compact());
  CHECK(journal->verify()->payloads == 0);
  journal.reset();
  CHECK(std::filesystem::file_size(path) < before / 3);
}

TEST_CASE("sqlite journal: the second writer is told the first one's pid") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  auto journal = open_or_fail(path);
  CHECK(test::in_child([&] {
    Result<std::unique_ptr<Journal>> second = open_sqlite_journal(path, OpenMode::open_existing);
    return !second && second.error().code == Code::conflict &&
           contains(second.error().message, "process " + std::to_string(::getppid()) + " has the journal");
  }));
  CHECK(restore_sqlite_journal(path, path).error().code == Code::invalid);
  CHECK(restore_sqlite_journal(dir / "no backup", path).error().code == Code::conflict);
}

TEST_CASE("sqlite journal: others read it while it is written, and when it is at rest") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  auto journal = open_or_fail(path);
  REQUIRE(journal->append(jc::entries(1, 10), std::vector{jc::job(1, 0, JobState::completed)}, {}));
  auto child_reads = [&](std::uint64_t last) {
    return test::in_child([&] {
      Result<std::unique_ptr<Journal>> reader = open_sqlite_journal(path, OpenMode::read_only);
      if (!reader) return false;
      std::uint64_t seen = 0;
      Status read = (*reader)->read(Seq{0}, [&](Seq seq, const Event&) { return seen = seq.value, true; });
      return read && seen == last && (*reader)->info()->archived_jobs == 1 && (*reader)->verify() &&
             (*reader)->append(jc::entries(1, 1), {}, {}).error().code == Code::denied;
    });
  };
  CHECK(child_reads(10));
  REQUIRE(journal->append(jc::entries(11, 1), {}, {}));
  CHECK(child_reads(11));
  journal.reset();
  CHECK(child_reads(11));
  // At rest, readers leave nothing behind.
  CHECK_FALSE(std::filesystem::exists(path + "-wal"));
  CHECK_FALSE(std::filesystem::exists(path + "-shm"));
}

TEST_CASE("sqlite journal: a reader sees what is committed when a call begins") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  auto journal = open_or_fail(path);
  REQUIRE(journal->append(jc::entries(1, 3), {}, {}));
  auto reader = open_or_fail(path, OpenMode::read_only);
  CHECK(reader->read(Seq{0}, [&](Seq seq, const Event&) {
    // Reading does not hold up the writer, which may even compact what is being read.
    if (seq == Seq{1}) {
      CHECK(journal->append(jc::entries(4, 1), {}, {}));
      CHECK(journal->save_snapshot(jc::snapshot(4, "s")));
      CHECK(journal->compact());
    }
    CHECK(seq.value <= 3);
    return true;
  }));
  CHECK(reader->info()->first == Seq{});
  CHECK(reader->info()->last == Seq{4});
  CHECK(jc::count_from(*reader, 0, 5) == 0);
}

TEST_CASE("sqlite journal: a reader without rights in the folder") {
  if (::geteuid() != 0) return;  // only root can become somebody else
  TempDir dir;
  const std::string path = dir / "journal.db";
  REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
  auto journal = open_or_fail(path);
  REQUIRE(journal->append(jc::entries(1, 10), {}, {}));
  auto stranger_reads = [&] {
    return test::in_child([&] {
      if (::setresuid(65534, 65534, 65534) != 0) return false;
      Result<std::unique_ptr<Journal>> reader = open_sqlite_journal(path, OpenMode::read_only);
      return reader.has_value() && (*reader)->verify().has_value() && (*reader)->info()->last == Seq{10};
    });
  };
  CHECK_FALSE(stranger_reads());  // the file is private
  for (const char* end : {"", "-wal", "-shm"}) REQUIRE(::chmod((path + end).c_str(), 0644) == 0);
  CHECK(stranger_reads());
  journal.reset();
  CHECK(stranger_reads());
}

}  // namespace virga
