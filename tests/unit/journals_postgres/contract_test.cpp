// The contract that every journal keeps, kept by the one in PostgreSQL; and copies of it to SQLite and back.
#include "journals/sqlite/sqlite_journal.hpp"
#include "unit/journals_postgres/helpers.hpp"

namespace virga {

namespace jc = journal_contract;

namespace {

Status backup_to_sqlite(Journal& journal, const std::string& path) {
  if (std::filesystem::exists(path)) return fail(Code::conflict, path + " exists");
  Result<std::unique_ptr<Journal>> copy = open_sqlite_journal(path, OpenMode::create_or_open);
  return copy ? (*copy)->import(journal) : Status{unexpected(copy.error())};
}

PostgresOptions options(const std::string& url) {
  PostgresOptions options = test::options(url);
  options.backup = backup_to_sqlite;
  return options;
}

}  // namespace

TEST_CASE("postgres journal: contract") {
  if (test::skips()) return;
  test::TempDir dir;
  const std::string url = test::fresh_database();
  check_journal_contract({.open = [&] { return open_postgres_journal(options(url), OpenMode::create_or_open); },
                          .backup_path = dir / "copy.db",
                          .open_backup = [&] { return open_sqlite_journal(dir / "copy.db", OpenMode::read_only); }});
}

TEST_CASE("postgres journal: copied to SQLite and back, it holds the same") {
  if (test::skips()) return;
  test::TempDir dir;
  const std::string first = test::fresh_database(), second = test::fresh_database();
  auto journal = jc::opened([&] { return open_postgres_journal(options(first), OpenMode::create_or_open); });
  std::vector<JournalEntry> batch = jc::entries(1, 5'000);
  for (std::size_t n = 0; n < batch.size(); n += 7) batch[n].payload = jc::payload(static_cast<std::uint32_t>(n));
  std::vector<Job> jobs;
  for (std::uint32_t id = 1; id < 3'000; ++id) jobs.push_back(jc::job(id, 0, JobState::completed));
  std::vector<VmRecord> vms(2);
  vms[1].id = VmId{7};
  REQUIRE(journal->append(batch, jobs, vms));
  REQUIRE(journal->save_snapshot(jc::snapshot(4'000, "s4000")));
  REQUIRE(journal->compact());
  REQUIRE(journal->save_snapshot(jc::snapshot(4'500, "s4500")));
  REQUIRE(journal->backup(dir / "copy.db"));

  auto copy = jc::opened([&] { return open_sqlite_journal(dir / "copy.db", OpenMode::read_only); });
  auto back = jc::opened([&] { return open_postgres_journal(options(second), OpenMode::create_or_open); });
  Status imported = back->import(*copy);
  INFO((imported ? "" : imported.error().message));
  REQUIRE(imported);
  for (Journal* each : {copy.get(), back.get()}) {
    CHECK(jc::count_from(*each, 4'000, 4'001) == 1'000);
    CHECK(each->oldest_snapshot().value()->state == "s4000");
    CHECK(each->newest_snapshot().value()->state == "s4500");
    const JournalReport report = each->verify().value();
    const JournalReport original = journal->verify().value();
    CHECK(report.events == original.events);
    CHECK(report.payloads == original.payloads);
    CHECK(report.archived_jobs == 2'999);
    CHECK(report.archived_vms == 2);
    CHECK(each->info()->first == Seq{4'001});
    CHECK(each->info()->last_time == jc::event(5'000).at);
  }
  CHECK(back->append(jc::entries(5'001, 1), {}, {}).value() == Seq{5'001});
}

}  // namespace virga
