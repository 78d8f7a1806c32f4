// `virga journal …` as a user runs it, on a journal that a brain has written.
#include <SQLiteCpp/Database.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

#include "brain/brain.hpp"
#include "cli/journal_verbs.hpp"
#include "unit/journals_sqlite/helpers.hpp"

namespace virga {

using test::contains;
using test::slurp;
using test::TempDir;

namespace {

struct Output {
  int code = 0;
  std::string out, err;
};

/// Runs `virga journal <words>` with stdout and stderr in files.
Output virga_journal(const TempDir& dir, std::vector<std::string> words) {
  words.insert(words.begin(), "journal");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const JournalAccess access{.open = open_sqlite_journal, .restore = restore_sqlite_journal};
  const std::string files[] = {dir / "out", dir / "err"};
  int kept[2];
  for (int fd : {1, 2}) {
    std::fflush(fd == 1 ? stdout : stderr);
    kept[fd - 1] = ::dup(fd);
    const int file = ::open(files[fd - 1].c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
    ::dup2(file, fd);
    ::close(file);
  }
  const int code = journal_main(static_cast<int>(words.size()), argv.data(), access);
  for (int fd : {1, 2}) {
    std::fflush(fd == 1 ? stdout : stderr);
    ::dup2(kept[fd - 1], fd);
    ::close(kept[fd - 1]);
  }
  return {code, slurp(files[0]), slurp(files[1])};
}

/// A controller's life without ports: ten jobs are submitted, some cancelled, a timer fires now and then.
class History {
 public:
  explicit History(const std::string& path) : journal_(test::open_or_fail(path)) {
    Config config;
    Pool pool;
    pool.name = "p";
    pool.node_prefix = "n";
    pool.sku.resources = {4, 0, 1ULL << 32};
    config.pools = {pool};
    Partition partition;
    partition.name = "main";
    partition.pools = {"p"};
    partition.is_default = true;
    config.partitions = {partition};
    add(ConfigChanged{config});
    for (std::uint32_t n = 1; n <= 10; ++n) {
      JobSpec spec;
      spec.name = "job" + std::to_string(n);
      spec.work_dir = "/";
      spec.per_node = {1, 0, 0};
      spec.time_limit = Duration::minutes(5);
      add(JobSubmitted{{1000, 1000, "ada", false}, spec, ""}, journal_contract::payload(n));
      if (n % 3 == 0) add(JobActed{{1000, 1000, "ada", false}, JobId{n}, JobAction::cancel, 0, false});
      if (n == 5) snapshot();
      add(TimerFired{});
    }
  }

  void add(EventBody body, std::optional<LaunchPayload> payload = {}) {
    JournalEntry entry{{Time::from_seconds(1'700'000'000 + static_cast<std::int64_t>(last_.value)), std::move(body)},
                       std::move(payload)};
    last_ = journal_->append(std::span(&entry, 1), {}, {}).value();
    brain_.apply(last_, entry.event);
    brain_.take_commands();
    digests_[last_.value] = brain_.digest();
  }
  void snapshot() {
    REQUIRE(journal_->save_snapshot({last_, brain_.digest(), brain_.save()}));
    snapshot_ = last_;
  }
  Journal& journal() { return *journal_; }
  void close() { journal_.reset(); }

  std::uint64_t last() const { return last_.value; }
  std::uint64_t snapshot_seq() const { return snapshot_.value; }
  std::string expectation(std::uint64_t seq) const {
    char text[64];
    std::snprintf(text, sizeof(text), "%llu:%016llx", static_cast<unsigned long long>(seq),
                  static_cast<unsigned long long>(digests_.at(seq)));
    return text;
  }
  std::string digest(std::uint64_t seq) const { return expectation(seq).substr(expectation(seq).find(':') + 1); }

 private:
  std::unique_ptr<Journal> journal_;
  Brain brain_;
  Seq last_, snapshot_;
  std::map<std::uint64_t, std::uint64_t> digests_;
};

}  // namespace

TEST_CASE("virga journal replay gives the running state's digest after every event") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  History history(path);
  REQUIRE(history.last() > 20);
  auto run = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--journal", path});
    return virga_journal(dir, std::move(words));
  };
  SUBCASE("each event, with the snapshot where it helps and without where it cannot") {
    for (std::uint64_t seq = 1; seq <= history.last(); ++seq) {
      Output o = run({"replay", "--expect", history.expectation(seq)});
      CHECK_MESSAGE(o.code == 0, o.out, o.err);
      CHECK(contains(o.out, "the same"));
      const bool on_snapshot = seq >= history.snapshot_seq();
      CHECK(contains(o.out, on_snapshot ? "on the snapshot after event" : "from the first one"));
      CHECK(contains(run({"replay", "--until", std::to_string(seq)}).out, "digest " + history.digest(seq)));
    }
  }
  SUBCASE("from the start, it meets the snapshot") {
    Output o = run({"replay", "--from-start"});
    CHECK(o.code == 0);
    CHECK(contains(o.out, std::to_string(history.last()) + " events replayed from the first one"));
    CHECK(contains(o.out, "the newest snapshot was met on the way and is the same"));
    CHECK(contains(o.out, history.digest(history.last())));
    history.close();
    SQLite::Database(path, SQLite::OPEN_READWRITE)
        .exec("UPDATE snapshots SET seq = seq + 1");  // a true state of another moment
    o = run({"replay", "--from-start"});
    CHECK(o.code != 0);
    CHECK_MESSAGE(contains(o.err, "but the snapshot of that moment has"), o.err);
  }
  SUBCASE("a wrong expectation is told") {
    Output o = run({"replay", "--expect", std::to_string(history.last()) + ":0123456789abcdef"});
    CHECK(o.code == 1);
    CHECK(contains(o.out, "DIFFERENT"));
    o = run({"--json", "replay", "--expect", std::to_string(history.last()) + ":0123456789abcdef"});
    CHECK(o.code == 1);
    CHECK(contains(o.out, R"("same":false)"));
    for (const char* wrong : {"5", "5:12", "x:0123456789abcdef", "5:0123456789abcdeg", ":0123456789abcdef", "0:"}) {
      o = run({"replay", "--expect", wrong});
      CHECK(o.code == 2);
      CHECK(contains(o.err, "expected SEQ:DIGEST"));
    }
    CHECK(run({"replay", "--expect", "99999:0123456789abcdef"}).code != 0);
    CHECK(contains(run({"replay", "--until", "99999"}).err, "there is no event 99999; the last one is"));
  }
  SUBCASE("after compaction only what is kept can be replayed") {
    REQUIRE(history.journal().compact());
    CHECK(run({"replay", "--expect", history.expectation(history.last())}).code == 0);
    for (std::vector<std::string> words :
         {std::vector<std::string>{"replay", "--from-start"}, {"replay", "--until", "2"}}) {
      Output o = run(words);
      CHECK(o.code != 0);
      CHECK(contains(o.err, "no longer kept"));
    }
  }
}

TEST_CASE("virga journal info, verify, events") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  History history(path);
  Output o = virga_journal(dir, {"info", "--journal", path});
  CHECK(o.code == 0);
  CHECK(contains(o.out, "1 to " + std::to_string(history.last())));
  o = virga_journal(dir, {"info", "--json", "--journal", path});
  CHECK(contains(o.out, R"("first":1,"last":)" + std::to_string(history.last())));

  o = virga_journal(dir, {"verify", "--journal", path});  // while the writer has it open
  CHECK(o.code == 0);
  CHECK(contains(o.out, std::to_string(history.last()) + " events, 10 scripts, 1 snapshots"));

  o = virga_journal(dir, {"events", "--since", "3", "--journal", path});
  CHECK(o.code == 0);
  CHECK(contains(o.out, "timer_fired"));
  CHECK_FALSE(contains(o.out, "config_changed"));
  o = virga_journal(dir, {"events", "--json", "--journal", path});
  CHECK(std::count(o.out.begin(), o.out.end(), '\n') == static_cast<long>(history.last()));
  CHECK(contains(o.out, R"({"seq":1,"at":"2023-11-14T22:13:20Z","type":"config_changed","body":{)"));

  history.close();
  SQLite::Database(path, SQLite::OPEN_READWRITE).exec("UPDATE events SET record = x'00' WHERE seq = 4");
  o = virga_journal(dir, {"verify", "--journal", path});
  CHECK(o.code == 1);
  CHECK(contains(o.err, "event 4 does not match its CRC-32C"));
  o = virga_journal(dir, {"--json", "verify", "--journal", path});
  CHECK(o.code == 1);
  CHECK(contains(o.out, R"({"ok":false)"));
  o = virga_journal(dir, {"events", "--journal", path});
  CHECK(o.code != 0);
  CHECK(contains(o.err, "event 4"));
  CHECK(contains(o.err, "virga journal restore BACKUP"));
}

TEST_CASE("virga journal backup and restore, of the instance's own journal") {
  TempDir dir;
  const std::string path = dir / "journal.db";
  ::setenv("VIRGA_HOME", dir.path().c_str(), 1);
  History history(path);
  Output o = virga_journal(dir, {"backup", dir / "copy.db"});
  CHECK_MESSAGE(o.code == 0, o.err);
  CHECK(contains(o.out, "copy.db is whole"));
  o = virga_journal(dir, {"backup", dir / "copy.db"});
  CHECK(o.code != 0);
  CHECK(contains(o.err, "it exists"));
  o = virga_journal(dir, {"restore", dir / "copy.db"});
  CHECK(o.code != 0);
  CHECK(contains(o.err, "process " + std::to_string(::getpid())));
  const std::string expected = history.expectation(history.last());
  history.add(TimerFired{});
  history.close();
  o = virga_journal(dir, {"restore", dir / "copy.db"});
  CHECK_MESSAGE(o.code == 0, o.err);
  CHECK(contains(o.out, "journal.db.replaced-1"));
  o = virga_journal(dir, {"replay", "--expect", expected});
  CHECK(o.code == 0);
  CHECK(virga_journal(dir, {"replay"}).code == 0);  // no controller there to compare with
  ::unsetenv("VIRGA_HOME");
}

TEST_CASE("virga journal: wrong usage is one line and 2") {
  TempDir dir;
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"frobnicate"},
                                                {"backup"},
                                                {"events", "--since", "x"},
                                                {"verify", "--hurry"},
                                                {"replay", "--until", "5", "--expect", "5:0123456789abcdef"}}) {
    Output o = virga_journal(dir, words);
    CHECK(o.code == 2);
    CHECK(o.out.empty());
    CHECK(std::count(o.err.begin(), o.err.end(), '\n') == 1);
  }
  CHECK(virga_journal(dir, {"--help"}).code == 0);
  Output o = virga_journal(dir, {"info", "--journal", dir / "none.db"});
  CHECK(o.code != 0);
  CHECK(contains(o.err, "there is no journal " + (dir / "none.db")));
}

}  // namespace virga
