// kill -9 at any moment: what append() returned for is there, batches are whole, and the numbers have no gap.
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <random>

#include "unit/journals_sqlite/helpers.hpp"

namespace virga {

namespace jc = journal_contract;

namespace {

/// An event that knows its place in its batch, so that half a batch shows.
Event placed(std::uint32_t place, std::uint32_t size) {
  return {Time{1}, JobActed{{}, JobId{place}, JobAction::signal, size, false}};
}

/// Appends batches of 1 to 30 events, with snapshots and compaction in between, and says what is durable. Never ends.
[[noreturn]] void append_for_ever(const std::string& path, int pipe, unsigned seed) {
  std::mt19937 random(seed);
  Result<std::unique_ptr<Journal>> journal = open_sqlite_journal(path, OpenMode::create_or_open);
  if (!journal) ::_exit(1);
  for (std::uint64_t round = 1;; ++round) {
    const std::uint32_t size = 1 + random() % 30;
    std::vector<JournalEntry> batch;
    for (std::uint32_t place = 1; place <= size; ++place) batch.push_back({placed(place, size), jc::payload(place)});
    Result<Seq> first = (*journal)->append(batch, {}, {});
    if (!first) ::_exit(2);
    const std::uint64_t durable = first->value + size - 1;
    if (::write(pipe, &durable, sizeof(durable)) != sizeof(durable)) ::_exit(3);
    if (round % 16 == 0 && !(*journal)->save_snapshot(jc::snapshot(durable, std::string(50'000, 's')))) ::_exit(4);
    if (round % 32 == 0 && !(*journal)->compact()) ::_exit(5);
  }
}

/// Lets the child report `reports` times, waits a moment that differs, and kills it. Returns the last reported number.
std::uint64_t kill_after(pid_t child, int pipe, unsigned reports, long nanoseconds) {
  std::uint64_t durable = 0, value = 0;
  for (unsigned n = 0; n < reports && ::read(pipe, &value, sizeof(value)) == sizeof(value); ++n) durable = value;
  const timespec moment{0, nanoseconds};
  ::nanosleep(&moment, nullptr);
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK_MESSAGE(WIFSIGNALED(status), "the child ended by itself with " << WEXITSTATUS(status));
  while (::read(pipe, &value, sizeof(value)) == sizeof(value)) durable = value;
  return durable;
}

}  // namespace

TEST_CASE("sqlite journal: killed thirty times, nothing is lost") {
  test::TempDir dir;
  const std::string path = dir / "journal.db";
  std::mt19937 random(4711);
  std::uint64_t durable = 0, beyond = 0;
  for (unsigned round = 0; round < 30; ++round) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(ends[0]);
      append_for_ever(path, ends[1], round);
    }
    ::close(ends[1]);
    // The first rounds hit the making of the journal and its first commits.
    const unsigned reports = round < 5 ? round % 2 : random() % 60;
    const std::uint64_t reported = kill_after(child, ends[0], reports, static_cast<long>(random() % 4'000'000));
    ::close(ends[0]);
    INFO("round " << round);
    durable = std::max(durable, reported);

    auto journal = test::open_or_fail(path);
    const Seq covered = journal->info()->snapshot;
    std::uint64_t last = 0;
    std::uint32_t place = 0, size = 0;
    Status read = journal->read(covered, [&](Seq seq, const Event& event) {
      const auto& body = std::get<JobActed>(event.body);
      if (place == size) place = 0;
      CHECK(body.job.value == ++place);
      size = body.signal;
      last = seq.value;
      return true;
    });
    CHECK_MESSAGE(read.has_value(), (read ? "" : read.error().message));
    CHECK(place == size);
    last = std::max(last, covered.value);
    CHECK(last >= durable);
    CHECK(last == journal->info()->last.value);
    beyond += last - durable;
    durable = last;
    if (round % 5 == 4) CHECK(journal->verify().has_value());
  }
  MESSAGE(durable << " events kept; " << beyond << " durable ones whose report the kill forestalled");
}

}  // namespace virga
