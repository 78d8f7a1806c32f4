// Who leads: one at a time, in terms that count up; the lead is lost before another can have it, by whoever was killed,
// frozen, or cut off; what comes too late is refused by the journal.
#include <poll.h>
#include <sys/wait.h>

#include <thread>

#include "unit/journals_postgres/helpers.hpp"

namespace virga {

namespace jc = journal_contract;

namespace {

PostgresStandby standby(const std::string& url, const std::string& name) {
  Result<PostgresStandby> opened = open_postgres_standby(test::options(url, name));
  INFO((opened ? "" : opened.error().message));
  REQUIRE(opened.has_value());
  return *std::move(opened);
}

/// Waits, far longer than it should take.
template <class Condition>
bool becomes(Condition condition) {
  for (int tries = 0; tries < 3'000; ++tries) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

/// A process that leads, and appends one event after the other while it thinks that it does. It writes 'e' for an
/// event, 'n' for a look at which it did not lead, and 'l' when the lead is lost.
struct Child {
  explicit Child(const std::string& url) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      ::close(ends[0]);
      lead(url, ends[1]);
    }
    ::close(ends[1]);
    out = ends[0];
  }
  ~Child() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    ::close(out);
  }
  /// The next letter; 0 if none comes for long.
  char next() const {
    pollfd readable{out, POLLIN, 0};
    char letter = 0;
    return ::poll(&readable, 1, 15'000) == 1 && ::read(out, &letter, 1) == 1 ? letter : '\0';
  }

  [[noreturn]] static void lead(const std::string& url, int out) {
    Result<PostgresStandby> me = open_postgres_standby(test::options(url, "child"));
    if (!me) ::_exit(1);
    me->leadership->campaign();
    for (std::uint32_t n = 1; !me->leadership->is_lost();) {
      char letter = 'n';
      if (me->leadership->leads()) letter = me->journal->append(jc::entries(n, 1), {}, {}) ? (++n, 'e') : 'r';
      if (::write(out, &letter, 1) != 1) ::_exit(2);
      if (letter != 'e') std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    if (::write(out, "l", 1) != 1) ::_exit(2);
    for (;;) ::pause();
  }

  pid_t pid = -1;
  int out = -1;
};

/// How many events are in the journal, none missing.
std::uint32_t events_in(const std::string& url) {
  auto reader = test::open_or_fail(url, OpenMode::read_only);
  std::uint32_t count = 0;
  CHECK(reader->read(Seq{0}, [&](Seq seq, const Event&) {
    CHECK(seq.value == ++count);
    return true;
  }));
  return count;
}

}  // namespace

TEST_CASE("postgres lease: one leads, the other knows it, and leads at once when the lead is given back") {
  if (test::skips()) return;
  const std::string url = test::fresh_database();
  PostgresStandby a = standby(url, "a"), b = standby(url, "b");
  CHECK_FALSE(a.leadership->leads());
  CHECK(a.journal->append(jc::entries(1, 1), {}, {}).error().code == Code::denied);
  a.leadership->campaign();
  REQUIRE(becomes([&] { return a.leadership->leads(); }));
  b.leadership->campaign();
  b.leadership->report(Seq{0});
  REQUIRE(a.journal->append(jc::entries(1, 3), {}, {}));
  REQUIRE(becomes([&] { return b.leadership->view().last == Seq{3}; }));
  CHECK(b.leadership->view().leader->who.name == "a");
  CHECK(b.leadership->view().leader_is_alive);
  CHECK_FALSE(b.leadership->leads());
  CHECK_FALSE(b.leadership->confirm());
  CHECK(a.leadership->confirm());
  REQUIRE(becomes([&] { return a.leadership->view().followers.size() == 1; }));
  CHECK(a.leadership->view().followers[0].who.name == "b");

  const std::uint64_t term = a.leadership->term();
  a.leadership->resign();
  CHECK_FALSE(a.leadership->leads());
  REQUIRE(becomes([&] { return b.leadership->leads(); }));
  CHECK(b.leadership->term() > term);
  CHECK(b.leadership->view().before->who.name == "a");
  CHECK(a.leadership->is_lost());
  CHECK(a.journal->append(jc::entries(4, 1), {}, {}).error().code == Code::conflict);
  CHECK(b.journal->append(jc::entries(4, 1), {}, {}).value() == Seq{4});
  CHECK(events_in(url) == 4);
}

TEST_CASE("postgres lease: a leader that is killed is followed by another, and nothing is lost") {
  if (test::skips()) return;
  const std::string url = test::fresh_database();
  test::open_or_fail(url);  // the tables
  Child child(url);
  std::uint32_t told = 0;
  while (told < 20) {
    const char letter = child.next();
    REQUIRE(letter != '\0');
    told += letter == 'e' ? 1 : 0;
  }
  PostgresStandby b = standby(url, "b");
  b.leadership->campaign();
  ::kill(child.pid, SIGKILL);
  REQUIRE(becomes([&] { return b.leadership->leads(); }));
  for (char letter = child.next(); letter != '\0'; letter = child.next()) told += letter == 'e' ? 1 : 0;
  const std::uint32_t kept = events_in(url);
  CHECK(kept >= told);
  CHECK(kept <= told + 1);
  CHECK(b.journal->append(jc::entries(kept + 1, 1), {}, {}).value() == Seq{kept + 1});
}

TEST_CASE("postgres lease: a frozen leader loses the lead, knows it when it wakes, and writes nothing any more") {
  if (test::skips()) return;
  const std::string url = test::fresh_database();
  test::open_or_fail(url);
  Child child(url);
  while (child.next() != 'e') {
  }
  PostgresStandby b = standby(url, "b");
  b.leadership->campaign();
  for (int n = 0; n < 20; ++n) REQUIRE(child.next() != '\0');
  CHECK_FALSE(b.leadership->leads());
  ::kill(child.pid, SIGSTOP);
  REQUIRE(becomes([&] { return b.leadership->leads(); }));
  const std::uint32_t before = events_in(url);
  REQUIRE(b.journal->append(jc::entries(before + 1, 5), {}, {}).value() == Seq{before + 1});
  ::kill(child.pid, SIGCONT);
  // It was stopped anywhere, perhaps between the question whether it leads and the append: that one is refused.
  std::string letters;
  for (char letter = child.next(); letter != 'l' && letter != '\0'; letter = child.next()) {
    if (letters.empty() && letter == 'e') continue;  // written before it was stopped
    letters += letter;
  }
  CHECK_MESSAGE(letters.find('e') == std::string::npos, letters);
  CHECK(events_in(url) == before + 5);
  CHECK(b.leadership->leads());
  CHECK_FALSE(b.leadership->is_lost());
}

TEST_CASE("postgres lease: without its server nobody leads; when it is back, the leader leads on") {
  test::PostgresServer server;
  if (test::skips(server)) return;
  const std::string url = server.make_database("j");
  PostgresOptions options = test::options(url, "a");
  options.lease = Duration::seconds(10);  // the server needs some of them to come back
  PostgresStandby a = *open_postgres_standby(options);
  options.self.name = "b";
  PostgresStandby b = *open_postgres_standby(options);
  a.leadership->campaign();
  REQUIRE(becomes([&] { return a.leadership->leads(); }));
  b.leadership->campaign();
  const std::uint64_t term = a.leadership->term();
  server.kill();
  REQUIRE(becomes([&] { return !a.leadership->leads(); }));
  CHECK_FALSE(b.leadership->leads());
  CHECK_FALSE(a.leadership->confirm());
  server.start();
  REQUIRE(becomes([&] { return a.leadership->leads() || b.leadership->leads(); }));
  CHECK(a.leadership->leads());  // what it knows of beats is gone with the server: a whole lease is counted anew
  CHECK(a.leadership->term() == term);
  CHECK(a.journal->append(jc::entries(1, 1), {}, {}).has_value());
}

}  // namespace virga
