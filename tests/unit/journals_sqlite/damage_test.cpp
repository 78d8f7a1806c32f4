// Damage: flipped bytes, cut files, lost rows. Told, never skipped, never a crash.
#include <SQLiteCpp/Database.h>
#include <doctest/doctest.h>

#include <filesystem>
#include <random>

#include "unit/journals_sqlite/helpers.hpp"

namespace virga {

using test::contains;
using test::open_or_fail;
using test::slurp;
using test::spill;
using test::TempDir;

namespace jc = journal_contract;

namespace {

/// Reads all; what came before the error must be whole and without a gap.
Status read_prefix(Journal& journal, std::uint64_t& last) {
  last = 0;
  return journal.read(Seq{0}, [&](Seq seq, const Event& event) {
    CHECK(seq.value == ++last);
    CHECK(encode(event) == encode(jc::event(static_cast<std::uint32_t>(last))));
    return true;
  });
}

void change(const std::string& path, const std::string& sql) {
  SQLite::Database(path, SQLite::OPEN_READWRITE).exec(sql);
}

}  // namespace

TEST_CASE("sqlite journal: a damaged record is named") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  {
    auto journal = open_or_fail(path);
    std::vector<JournalEntry> batch = jc::entries(1, 20);
    batch[2].payload = jc::payload(1);
    std::vector<VmRecord> vms(1);
    vms[0].id = VmId{5};
    REQUIRE(journal->append(batch, std::vector{jc::job(7, 0, JobState::completed)}, vms));
    REQUIRE(journal->save_snapshot(jc::snapshot(5, "s5")));
  }
  std::string sql, words;
  SUBCASE("an event's bytes") {
    sql = "UPDATE events SET record = zeroblob(length(record)) WHERE seq = 13";
    words = "event 13 does not match its CRC-32C";
  }
  SUBCASE("an event under another number") {
    sql =
        "UPDATE events SET record = (SELECT record FROM events WHERE seq = 12),"
        " crc = (SELECT crc FROM events WHERE seq = 12) WHERE seq = 13";
    words = "event 13 does not match its CRC-32C";
  }
  SUBCASE("an event is gone") {
    sql = "DELETE FROM events WHERE seq = 13";
    words = "event 13 is missing; event 14 follows";
  }
  SUBCASE("the first event is gone") {
    sql = "DELETE FROM events WHERE seq = 1";
    words = "event 1 is missing; event 2 follows";
  }
  SUBCASE("the last events are gone") {
    sql = "DELETE FROM events WHERE seq > 17";
    words = "its last event should be 20, but it is 17";
  }
  SUBCASE("an event too many") {
    sql = "INSERT INTO events VALUES (21, 0, x'00')";
    words = "its last event should be 20, but it is 21";
  }
  SUBCASE("a snapshot") {
    sql = "UPDATE snapshots SET state = x'00'";
    words = "the snapshot after event 5 does not match its digest";
  }
  SUBCASE("a payload") {
    sql = "UPDATE payloads SET record = x'00'";
    words = "the script of event 3 does not match its CRC-32C";
  }
  SUBCASE("a job's account") {
    sql = "UPDATE jobs SET record = x'00'";
    words = "the accounting record of job 7 (incarnation 0) does not match its CRC-32C";
  }
  SUBCASE("a job's columns") {
    sql = "UPDATE jobs SET uid = 0";
    words = "does not match the columns it is found by";
  }
  SUBCASE("a VM's account") {
    sql = "UPDATE vms SET crc = crc + 1";
    words = "the accounting record of VM 5 does not match its CRC-32C";
  }
  SUBCASE("a table") {
    sql = "DROP TABLE payloads";
    words = "no such table: payloads";
  }
  SUBCASE("the head claims that events were dropped") {
    sql = "UPDATE head SET compacted_seq = 3";
    words = "it says that events up to 3 were dropped, but 1 is there";
  }
  SUBCASE("the snapshot is older than the events that were dropped") {
    sql = "DELETE FROM events WHERE seq < 9; UPDATE head SET compacted_seq = 8";
    words = "its newest snapshot is of event 5, but its events are 9 to 20";
  }
  SUBCASE("the head's time") {
    sql = "UPDATE head SET last_time_ns = 5";
    words = "its head does not have the time of its last event";
  }
  SUBCASE("the head") {
    sql = "DELETE FROM head";
    words = "its head is missing";
  }
  change(path, sql);
  Result<std::unique_ptr<Journal>> journal = open_sqlite_journal(path, OpenMode::read_only);
  Error error;
  if (journal) {
    Result<JournalReport> report = (*journal)->verify();
    REQUIRE_FALSE(report.has_value());
    error = report.error();
  } else {
    error = journal.error();
  }
  CHECK(error.code == Code::corrupt);
  CHECK_MESSAGE(contains(error.message, words), error.message);
  CHECK_MESSAGE(contains(error.message, "restore a backup: virga journal restore BACKUP"), error.message);
}

TEST_CASE("sqlite journal: compact() keeps the events of a damaged snapshot") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  auto journal = open_or_fail(path);
  REQUIRE(journal->append(jc::entries(1, 20), {}, {}));
  REQUIRE(journal->save_snapshot(jc::snapshot(5, "s5")));
  journal.reset();
  change(path, "UPDATE snapshots SET state = x'00'");
  journal = open_or_fail(path);
  CHECK(journal->compact().error().code == Code::corrupt);
  CHECK(jc::count_from(*journal, 0, 1) == 20);
}

TEST_CASE("sqlite journal: bytes flipped anywhere in the file") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  {
    auto journal = open_or_fail(path);
    std::vector<JournalEntry> batch = jc::entries(1, 600);
    for (std::size_t n = 0; n < batch.size(); n += 50) batch[n].payload = jc::payload(1);
    std::vector<Job> over;
    for (std::uint32_t id = 1; id <= 50; ++id) over.push_back(jc::job(id, 0, JobState::completed));
    REQUIRE(journal->append(batch, over, std::vector<VmRecord>(1)));
    REQUIRE(journal->save_snapshot(jc::snapshot(300, std::string(20'000, 's'))));
  }
  const std::string whole = slurp(path);
  const std::string hurt = dir / "hurt.db";
  std::mt19937 random(20260131);
  int told = 0, harmless = 0;
  for (int round = 0; round < 150; ++round) {
    std::string bytes = whole;
    // Every third round hits the header and the schema, where each byte matters.
    const std::size_t at = random() % (round % 3 == 0 ? 8192 : bytes.size());
    const std::size_t length = 1 + random() % 64;
    for (std::size_t i = at; i < std::min(at + length, bytes.size()); ++i) {
      bytes[i] = static_cast<char>(bytes[i] ^ static_cast<char>(1 + random() % 255));
    }
    spill(hurt, bytes);
    INFO("round " << round << ": " << length << " bytes at " << at);
    Result<std::unique_ptr<Journal>> journal =
        open_sqlite_journal(hurt, round % 2 == 0 ? OpenMode::read_only : OpenMode::open_existing);
    if (!journal) {
      CHECK_MESSAGE(journal.error().code != Code::internal, journal.error().message);
      CHECK_FALSE(journal.error().message.empty());
      ++told;
    } else {
      std::uint64_t last = 0;
      Status read = read_prefix(**journal, last);
      if (read) CHECK(last == 600);
      if (!read) CHECK_MESSAGE(read.error().code == Code::corrupt, read.error().message);
      Result<JournalReport> report = (*journal)->verify();
      if (report) CHECK(report->events == 600);
      if (!report) CHECK_MESSAGE(report.error().code == Code::corrupt, report.error().message);
      ++(report ? harmless : told);
    }
    journal = fail(Code::invalid, "");
    for (const char* end : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(hurt + end);
  }
  MESSAGE("told " << told << ", without effect (free space, unused header fields) " << harmless);
  CHECK(told > harmless);
}

TEST_CASE("sqlite journal: a file that is cut off") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  {
    auto journal = open_or_fail(path);
    REQUIRE(journal->append(jc::entries(1, 600), {}, {}));
  }
  const std::string whole = slurp(path);
  const std::string hurt = dir / "hurt.db";
  for (std::size_t size = whole.size() - 1; size > 100; size = size * 3 / 4) {
    spill(hurt, whole.substr(0, size));
    Result<std::unique_ptr<Journal>> journal = open_sqlite_journal(hurt, OpenMode::read_only);
    Error error;
    if (journal) {
      std::uint64_t last = 0;
      Status read = read_prefix(**journal, last);
      Result<JournalReport> report = (*journal)->verify();
      REQUIRE_FALSE(report.has_value());
      if (read) CHECK(last == 600);  // the cut page holds something else
      error = report.error();
    } else {
      error = journal.error();
    }
    CHECK_MESSAGE(error.code == Code::corrupt, size << ": " << error.message);
  }
}

TEST_CASE("sqlite journal: a torn WAL ends after the last whole batch") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  // A child that ends without closing leaves the WAL as a crash does.
  REQUIRE(test::in_child([&] {
    Result<std::unique_ptr<Journal>> journal = open_sqlite_journal(path, OpenMode::create_or_open);
    bool ok = journal.has_value();
    for (std::uint32_t n = 0; ok && n < 5; ++n) {
      ok = (*journal)->append(jc::entries(n * 10 + 1, 10), {}, {}).has_value();
    }
    if (ok) journal->release();
    return ok;
  }));
  const std::string db = slurp(path), wal = slurp(path + "-wal");
  REQUIRE(wal.size() > 10'000);
  const std::string hurt = dir / "hurt.db";
  std::uint64_t last = 0, before = 0;
  std::vector<std::size_t> sizes;
  for (std::size_t size = 0; size < wal.size(); size += 700) sizes.push_back(size);
  sizes.push_back(wal.size());
  for (std::size_t size : sizes) {
    spill(hurt, db);
    spill(hurt + "-wal", wal.substr(0, size));
    {
      auto journal = open_or_fail(hurt);
      CHECK(read_prefix(*journal, last));
      CHECK(last % 10 == 0);
      CHECK(last >= before);
      before = last;
      // What was torn is as if it had never been asked for: its numbers are given again.
      CHECK(journal->append(jc::entries(static_cast<std::uint32_t>(last) + 1, 1), {}, {}).value().value == last + 1);
    }
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(hurt + end);
  }
  CHECK(last == 50);

  // The same if the last commit has its length, but not its bytes.
  std::string bytes = wal;
  bytes[bytes.size() - 100] = static_cast<char>(bytes[bytes.size() - 100] ^ 1);
  spill(hurt, db);
  spill(hurt + "-wal", bytes);
  auto journal = open_or_fail(hurt);
  CHECK(read_prefix(*journal, last));
  CHECK(last == 40);
}

}  // namespace virga
