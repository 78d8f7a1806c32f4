// A full disk: nothing of the batch is kept, the rest stays readable, and appending goes on once there is room.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "support/small_disk.hpp"
#include "unit/journals_sqlite/helpers.hpp"

namespace virga {

using test::contains;
using test::open_or_fail;
using test::TempDir;

namespace jc = journal_contract;

namespace {

/// Files of this process may not grow beyond `bytes`: what a full disk looks like to who cannot mount one.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

/// Appends batches of ten large events until one fails; returns how many events are in.
std::uint32_t fill(Journal& journal, Error& error) {
  for (std::uint32_t n = 1; n < 100'000; n += 10) {
    std::vector<JournalEntry> batch = jc::entries(n, 10);
    for (JournalEntry& entry : batch) entry.payload = LaunchPayload{std::string(20'000, '#'), {}, {}, 022};
    Job job = jc::job(n, 0, JobState::completed);
    Result<Seq> first = journal.append(batch, std::span(&job, 1), {});
    if (!first) {
      error = first.error();
      return n - 1;
    }
  }
  FAIL("the disk never got full");
  return 0;
}

void check_full(Journal& journal, std::uint32_t count, const Error& error) {
  CHECK_MESSAGE(error.code == Code::exhausted, error.message);
  CHECK(error.retryable);
  CHECK_MESSAGE(contains(error.message, "free some space"), error.message);
  REQUIRE(count > 0);
  CHECK(jc::count_from(journal, 0, 1) == count);
  CHECK(journal.info()->last.value == count);
  CHECK(journal.info()->archived_jobs == count / 10);
  CHECK(journal.archived_jobs({})->size() == count / 10);
  CHECK(journal.payload(Seq{count + 1}).error().code == Code::not_found);
}

void check_goes_on(Journal& journal, std::uint32_t count) {
  Result<Seq> first = journal.append(jc::entries(count + 1, 10), {}, {});
  REQUIRE_MESSAGE(first.has_value(), (first ? "" : first.error().message));
  CHECK(first->value == count + 1);
  CHECK(jc::count_from(journal, 0, 1) == count + 10);
  CHECK(journal.verify().has_value());
}

}  // namespace

TEST_CASE("sqlite journal: the disk is full") {
  TempDir dir;
  const test::SmallDisk disk(dir / "disk", 3);
  if (!disk.mounted()) {
    MESSAGE("no right to mount a small disk: only the size limit below is tested");
    return;
  }
  const std::string path = dir / "disk/journal.db";
  const std::string ballast = dir / "disk/ballast";
  test::spill(ballast, std::string(500'000, 'b'));
  auto journal = open_or_fail(path);
  Error error;
  const std::uint32_t count = fill(*journal, error);
  check_full(*journal, count, error);
  CHECK(journal->append(jc::entries(count + 1, 200), {}, {}).error().code == Code::exhausted);
  CHECK(journal->save_snapshot(jc::snapshot(1, std::string(600'000, 's'))).error().code == Code::exhausted);
  CHECK_FALSE(journal->newest_snapshot().value().has_value());
  CHECK(journal->backup(dir / "disk/copy").error().code == Code::exhausted);
  CHECK_FALSE(std::filesystem::exists(dir / "disk/copy"));

  SUBCASE("it can be used again once there is room") {
    std::filesystem::remove(ballast);
    check_goes_on(*journal, count);
  }
  SUBCASE("also after a restart while it is full") {
    journal.reset();
    std::filesystem::remove(ballast);
    journal = open_or_fail(path);
    check_goes_on(*journal, count);
  }
  SUBCASE("no journal can be made where there is no room, and nothing of it is left") {
    test::spill(dir / "disk/fill", std::string(3'000'000, 'b'));
    CHECK(test::open_error(dir / "disk/other.db").code == Code::exhausted);
    CHECK_FALSE(std::filesystem::exists(dir / "disk/other.db"));
  }
}

TEST_CASE("sqlite journal: its files may not grow") {
  TempDir dir;
  auto journal = open_or_fail(dir / "journal.db");
  std::uint32_t count = 0;
  {
    FileSizeLimit limit(1'000'000);
    Error error;
    count = fill(*journal, error);
    check_full(*journal, count, error);
  }
  check_goes_on(*journal, count);
}

}  // namespace virga
