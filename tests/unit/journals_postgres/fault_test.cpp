// A server that dies, sessions that are cut, a disk that is full, in the middle of commits: what append() returned for
// is there, batches are whole, nothing is there twice.
#include <unistd.h>

#include <atomic>
#include <random>
#include <thread>

#include "support/small_disk.hpp"
#include "unit/journals_postgres/helpers.hpp"

namespace virga {

namespace jc = journal_contract;
using test::open_or_fail;
using test::PostgresServer;

namespace {

/// Appends batches of 1 to 20 events until told to stop; fails the test if an append does.
class Appender {
 public:
  explicit Appender(Journal& journal) : journal_(journal), thread_([this] { run(); }) {}
  ~Appender() {
    if (thread_.joinable()) thread_.join();
  }
  std::uint32_t done() const { return done_; }
  /// Returns how many events were acknowledged.
  std::uint32_t finish() {
    stop_ = true;
    thread_.join();
    CHECK_MESSAGE(failure_.empty(), failure_);
    return done_;
  }

 private:
  void run() {
    std::mt19937 random(4711);
    while (!stop_) {
      const std::uint32_t size = 1 + random() % 20;
      Result<Seq> first = journal_.append(jc::entries(done_ + 1, size), {}, {});
      if (!first || first->value != done_ + 1) {
        failure_ = first ? "an append was numbered wrongly" : first.error().message;
        return;
      }
      done_ += size;
    }
  }

  Journal& journal_;
  std::atomic<bool> stop_ = false;
  std::atomic<std::uint32_t> done_ = 0;
  std::string failure_;
  std::thread thread_;
};

void wait_for(const Appender& appender, std::uint32_t events) {
  const std::uint32_t wanted = appender.done() + events;
  for (int tries = 0; tries < 3'000 && appender.done() < wanted; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(appender.done() >= wanted);
}

}  // namespace

TEST_CASE("postgres journal: its sessions are cut twenty times in the middle of commits") {
  if (test::skips()) return;
  const std::string url = test::fresh_database();
  const std::string database = test::database_of(url);
  auto journal = open_or_fail(url);
  Appender appender(*journal);
  for (int round = 0; round < 20; ++round) {
    wait_for(appender, 20);
    CHECK(test::shared_server().sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '" +
                                    database + "' AND pid <> pg_backend_pid()") == 0);
  }
  const std::uint32_t count = appender.finish();
  MESSAGE(count << " events");
  CHECK(jc::count_from(*journal, 0, 1) == count);
  CHECK(journal->info()->last.value == count);
  CHECK(journal->verify()->events == count);
}

TEST_CASE("postgres journal: the server is killed in the middle of commits") {
  PostgresServer server;
  if (test::skips(server)) return;
  const std::string url = server.make_database("j");
  // Longer than the server takes to come back.
  PostgresOptions options = test::options(url);
  options.lease = Duration::seconds(20);
  auto journal = jc::opened([&] { return open_postgres_journal(options, OpenMode::create_or_open); });
  Appender appender(*journal);
  for (int round = 0; round < 5; ++round) {
    wait_for(appender, 50);
    server.kill();
    server.start();
  }
  const std::uint32_t count = appender.finish();
  MESSAGE(count << " events");
  CHECK(jc::count_from(*journal, 0, 1) == count);
  CHECK(journal->verify()->events == count);
}

TEST_CASE("postgres journal: a server that stays away costs the lead, and the journal is whole afterwards") {
  PostgresServer server;
  if (test::skips(server)) return;
  const std::string url = server.make_database("j");
  auto journal = open_or_fail(url);
  REQUIRE(journal->append(jc::entries(1, 10), {}, {}));
  server.kill();
  Result<Seq> refused = journal->append(jc::entries(11, 10), {}, {});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().code == Code::conflict);
  journal.reset();
  server.start();
  journal = open_or_fail(url);
  CHECK(jc::count_from(*journal, 0, 1) == 10);
  CHECK(journal->append(jc::entries(11, 1), {}, {}).value() == Seq{11});
}

TEST_CASE("postgres journal: the server's disk is full") {
  test::TempDir dir;
  std::filesystem::permissions(dir.path(), std::filesystem::perms::all);
  const test::SmallDisk disk(dir / "disk", 24);
  if (!disk.mounted()) {
    MESSAGE("skipped: no right to mount a small disk");
    return;
  }
  PostgresServer server;  // after the disk, so that it is in the same mount namespace
  if (test::skips(server)) return;
  REQUIRE(::chown((dir / "disk").c_str(), server.uid(), server.gid()) == 0);
  REQUIRE(server.sql("CREATE TABLESPACE small LOCATION '" + dir / "disk" + "'") == 0);
  const std::string ballast = dir / "disk/ballast";
  std::ofstream(ballast) << std::string(2'000'000, 'b');
  auto journal = open_or_fail(server.make_database("j", "TABLESPACE small"));
  std::uint32_t count = 0;
  Error error;
  for (error.code = Code::internal; error.message.empty() && count < 100'000;) {
    std::vector<JournalEntry> batch = jc::entries(count + 1, 10);
    std::mt19937 random(count);
    for (JournalEntry& entry : batch) {
      std::string noise(20'000, '\0');  // of which no compression makes less
      for (char& c : noise) c = static_cast<char>(random());
      entry.payload = LaunchPayload{noise, {}, {}, 022};
    }
    Result<Seq> first = journal->append(batch, {}, {});
    if (first) {
      count += 10;
    } else {
      error = first.error();
    }
  }
  CHECK_MESSAGE(error.code == Code::exhausted, error.message);
  CHECK(error.retryable);
  CHECK_MESSAGE(test::contains(error.message, "free some space"), error.message);
  REQUIRE(count > 0);
  // Not even reading is certain meanwhile: the server may have to write out a page first.
  std::filesystem::remove(ballast);
  CHECK(jc::count_from(*journal, 0, 1) == count);
  CHECK(journal->info()->last.value == count);
  CHECK(journal->append(jc::entries(count + 1, 10), {}, {}).value() == Seq{count + 1});
  CHECK(jc::count_from(*journal, 0, 1) == count + 10);
}

}  // namespace virga
