#include "journals/postgres/lease.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "journals/postgres/schema.hpp"

namespace virga {

namespace {

// Parts of the lease.
constexpr int k_beats_per_lease = 5;
constexpr int k_looks_per_lease = 10;
/// A leader that has not reached the database for so many leases gives up: its clients wait in vain.
constexpr int k_leases_until_lost = 3;
/// confirm() does not ask again so soon: nobody can have taken over meanwhile, whatever the clocks do.
constexpr std::int64_t k_confirmed_for_ns = 20'000'000;
constexpr int k_turns_per_report = 5;
constexpr int k_resign_tries = 3;
constexpr auto k_resign_wait = std::chrono::seconds(2);

/// Goes on while the process is frozen and while the machine sleeps.
std::int64_t boot_ns() {
  timespec t{};
  clock_gettime(CLOCK_BOOTTIME, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

int as_ms(std::int64_t ns) { return static_cast<int>(std::clamp<std::int64_t>(ns / 1'000'000, 0, 3'600'000)); }

constexpr const char* k_look = R"sql(
SELECT head.term, coalesce(beats.term, -1), coalesce(beats.beat, 0), head.last_seq
FROM head LEFT JOIN beats ON beats.id = 1 WHERE head.id = 1)sql";

constexpr const char* k_leaders = R"sql(
SELECT term, name, host, pid, socket, url, (extract(epoch FROM since) * 1000)::bigint
FROM leaders WHERE term <= $1 ORDER BY term DESC LIMIT 2)sql";

/// Begins with a number that no earlier beat of the term had.
constexpr const char* k_plant = R"sql(
INSERT INTO beats SELECT 1, term, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint FROM head
WHERE id = 1 AND term = $1 ON CONFLICT (id) DO NOTHING RETURNING beat)sql";

constexpr const char* k_beat = "UPDATE beats SET beat = beat + 1 WHERE id = 1 AND term = $1 RETURNING beat";

/// The row of `beats` is locked first: a beat that comes at the same time is either seen, so that this changes nothing,
/// or waits, and finds the next term. The row of `head` then waits for what the old leader's session still commits.
constexpr const char* k_take_over = R"sql(
WITH ended AS (
  UPDATE beats SET term = $1 + 1, beat = greatest(beat, 0) WHERE id = 1 AND term = $1 AND beat = $2 RETURNING 1),
next AS (
  UPDATE head SET term = $1 + 1 WHERE id = 1 AND term = $1 AND EXISTS (SELECT FROM ended) RETURNING term),
told AS (
  INSERT INTO leaders SELECT term, $3, $4, $5, $6, $7, clock_timestamp() FROM next)
SELECT term, pg_notify('virga_journal', '') FROM next)sql";

constexpr const char* k_report = R"sql(
INSERT INTO members VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp())
ON CONFLICT (name, host) DO UPDATE SET pid = excluded.pid, socket = excluded.socket, url = excluded.url,
  applied_seq = excluded.applied_seq, seen = excluded.seen)sql";

constexpr const char* k_members = R"sql(
SELECT name, host, pid, socket, url, applied_seq,
  (extract(epoch FROM clock_timestamp() - seen) * 1000)::bigint
FROM members WHERE seen > clock_timestamp() - interval '10 s'
  AND NOT (name = $1 AND host = $2) ORDER BY name, host)sql";

ControllerId id_of(const PgRows& rows, int row, int column) {
  return {rows.text(row, column), rows.text(row, column + 1), static_cast<std::uint32_t>(rows.integer(row, column + 2)),
          rows.text(row, column + 3), rows.text(row, column + 4)};
}

LeaderInfo leader_of(const PgRows& rows, int row) {
  return {id_of(rows, row, 1), rows.number(row, 0), Time{rows.integer(row, 6) * 1'000'000}};
}

}  // namespace

Lease::Lease(LeaseOptions options) : options_(std::move(options)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  view_.self = options_.self;
  thread_ = std::thread([this] { run(); });
}

Lease::~Lease() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  (void)eventfd_write(wake_, 1);
  thread_.join();
  close(wake_);
}

bool Lease::leads() const { return term_ != 0 && !lost_ && boot_ns() < leads_until_; }

int Lease::ms_until_lost() const {
  if (lost_ || term_ == 0) return 0;
  return as_ms(renewed_at_ + k_leases_until_lost * lease_ns() - boot_ns());
}

void Lease::campaign() {
  campaigns_ = true;
  (void)eventfd_write(wake_, 1);
}

void Lease::resign() {
  std::unique_lock lock(mutex_);
  if (term_ == 0) return;
  leads_until_ = 0;
  resigning_ = true;
  (void)eventfd_write(wake_, 1);
  changed_.wait_for(lock, k_resign_wait, [&] { return !resigning_; });
}

Status Lease::wait_to_lead() {
  campaign();
  std::unique_lock lock(mutex_);
  // One look shows who led, the next ones whether he lives; a database that does not answer is told after a while.
  const auto limit = std::chrono::nanoseconds(4 * lease_ns()) + std::chrono::seconds(5);
  changed_.wait_for(lock, limit, [&] { return leads() || other_lives_; });
  if (leads()) return {};
  const std::optional<LeaderInfo>& other = view_.leader;
  if (!other)
    return fail(Code::unavailable, fmt::format("cannot lead {}: it does not answer", shown_url(options_.url)));
  return fail(Code::conflict,
              fmt::format("virgad {} (process {} on {}) leads the journal {}; one at a time may write it",
                          other->who.name, other->who.pid, other->who.host, shown_url(options_.url)));
}

LeadershipView Lease::view() const {
  std::lock_guard lock(mutex_);
  LeadershipView view = view_;
  view.leads = leads();
  view.applied = Seq{applied_};
  return view;
}

/// On the thread that carries out commands. The connection is its own, so that no beat waits for it.
bool Lease::confirm() {
  if (!leads()) return false;
  if (boot_ns() - confirmed_at_ < k_confirmed_for_ns) return true;
  const std::int64_t asked_at = boot_ns();
  const Patience patience = [this] { return leads() ? ms_until_lost() : 0; };
  for (int tries = 0; tries < 2 && leads(); ++tries) {
    if (!asker_ || !asker_->is_open()) {
      Result<PgConnection> db = open_session(options_.url, "virgad " + options_.self.name, patience);
      if (!db) continue;
      asker_.emplace(*std::move(db));
    }
    Result<PgRows> mine =
        asker_->run("SELECT 1 FROM head WHERE id = 1 AND term = $1", PgArguments().number(term_), patience);
    if (!mine) continue;
    if (mine->count() == 0) lose("another controller leads");
    if (mine->count() == 0 || !leads()) return false;
    confirmed_at_ = asked_at;
    return true;
  }
  return false;
}

// The thread ---------------------------------------------------------------------------------------------------------

void Lease::lose(const std::string& why) {
  if (lost_.exchange(true)) return;
  if (options_.say) options_.say(fmt::format("term {} is over: {}", term_.load(), why));
  changed_.notify_all();
  news_();
}

void Lease::run() {
  for (;;) {
    {
      std::lock_guard lock(mutex_);
      if (stopping_) return;
    }
    turn();
  }
}

void Lease::turn() {
  const std::int64_t begin = boot_ns();
  const bool leading = term_ != 0 && !lost_;
  Status done = leading ? beat() : look();
  if (done && ++turns_ % k_turns_per_report == 0) done = leading ? read_members() : tell_members();
  if (!done && !complained_ && options_.say) options_.say("lease: " + done.error().message);
  complained_ = !done;
  if (leading && boot_ns() - renewed_at_ > k_leases_until_lost * lease_ns()) {
    lose(fmt::format("the database did not answer for {} ms", as_ms(boot_ns() - renewed_at_)));
  }
  const std::int64_t pause = lease_ns() / (term_ != 0 ? k_beats_per_lease : k_looks_per_lease);
  wait_for_news(std::max<std::int64_t>(begin + pause - boot_ns(), 1'000'000));
}

Result<PgRows> Lease::ask(const char* statement, const PgArguments& arguments) {
  // Half a lease, so that there is time for a second try.
  const Patience patience = patience_of_ms(std::max(50, as_ms(lease_ns() / 2)));
  if (!db_ || !db_->is_open()) {
    Result<PgConnection> db = open_session(options_.url, "virgad " + options_.self.name, patience);
    if (!db) return unexpected(db.error());
    db_.emplace(*std::move(db));
    if (term_ == 0) {
      if (Status listens = db_->run_all("LISTEN virga_journal", patience); !listens) {
        return unexpected(listens.error());
      }
    }
  }
  return db_->run(statement, arguments, patience);
}

Status Lease::look() {
  Result<PgRows> rows = ask(k_look, {});
  if (!rows) return unexpected(rows.error());
  if (rows->count() != 1) return fail(Code::corrupt, "the journal's head is missing");
  const std::int64_t now = boot_ns();
  const std::uint64_t term = rows->number(0, 0);
  const bool has_beats = rows->number(0, 1) == term;
  const std::int64_t beat = has_beats ? rows->integer(0, 2) : -2;
  const Seq last{rows->number(0, 3)};
  if (!has_beats) {
    // The server crashed: nobody knows when the last beat was, so a whole lease is counted from here.
    if (Result<PgRows> planted = ask(k_plant, PgArguments().number(term)); !planted) return unexpected(planted.error());
  }
  const bool is_new_term = term != seen_.term;
  const bool changed = is_new_term || beat != seen_.beat || seen_.since_ns == 0;
  // From one beat to another, that is; not from or to "unknown" or "given back".
  if (changed && !is_new_term && beat >= 0 && seen_.beat >= 0) other_lives_ = true;
  if (changed) seen_ = {term, beat, now};
  if (!view_.leader || view_.leader->term != term) {
    Result<PgRows> leaders = ask(k_leaders, PgArguments().number(term));
    if (!leaders) return unexpected(leaders.error());
    std::lock_guard lock(mutex_);
    if (leaders->count() > 0) view_.leader = leader_of(*leaders, 0);
    if (leaders->count() > 1) view_.before = leader_of(*leaders, 1);
  }
  bool grew = false;
  {
    std::lock_guard lock(mutex_);
    grew = view_.last != last;
    view_.last = last;
    view_.leader_is_alive = term > 0 && beat != -1 && now - seen_.since_ns < lease_ns();
  }
  if (grew || is_new_term) news_();
  if (other_lives_) changed_.notify_all();
  const bool vacant = beat == -1 || now - seen_.since_ns >= lease_ns();
  return campaigns_ && vacant && has_beats && !lost_ ? try_lead() : Status{};
}

Status Lease::try_lead() {
  const std::int64_t asked_at = boot_ns();
  const ControllerId& self = options_.self;
  Result<PgRows> won = ask(k_take_over, PgArguments()
                                            .number(seen_.term)
                                            .integer(seen_.beat)
                                            .text(self.name)
                                            .text(self.host)
                                            .integer(self.pid)
                                            .text(self.socket)
                                            .text(self.url));
  if (!won) return unexpected(won.error());
  if (won->count() == 0) return {};  // somebody was faster, or the leader lives after all
  {
    std::lock_guard lock(mutex_);
    view_.before = view_.leader;
    renewed_at_ = asked_at;
    leads_until_ = asked_at + lease_ns() * (k_beats_per_lease - 1) / k_beats_per_lease;
    term_ = won->number(0, 0);
    view_.leader_is_alive = true;
  }
  (void)db_->run_all("UNLISTEN *", patience_of_ms(as_ms(lease_ns() / 2)));
  if (Result<PgRows> leaders = ask(k_leaders, PgArguments().number(term_)); leaders && leaders->count() > 0) {
    std::lock_guard lock(mutex_);
    view_.leader = leader_of(*leaders, 0);
  }
  changed_.notify_all();
  news_();
  return {};
}

Status Lease::beat() {
  const std::int64_t sent_at = boot_ns();
  bool resigning = false;
  {
    std::lock_guard lock(mutex_);
    resigning = resigning_;
  }
  if (resigning) {
    Result<PgRows> given = unexpected(Error{});
    for (int tries = 0; tries < k_resign_tries && !given; ++tries) {
      given =
          ask("WITH given AS (UPDATE beats SET beat = -1 WHERE id = 1 AND term = $1 RETURNING 1)"
              " SELECT pg_notify('virga_journal', '') FROM given",
              PgArguments().number(term_));
    }
    std::lock_guard lock(mutex_);
    resigning_ = false;
    lost_ = true;
    changed_.notify_all();
    return given ? Status{} : Status{unexpected(given.error())};
  }
  Result<PgRows> beaten = ask(k_beat, PgArguments().number(term_));
  if (beaten && beaten->count() == 0) beaten = ask(k_plant, PgArguments().number(term_));
  if (!beaten) return unexpected(beaten.error());
  if (beaten->count() == 0) {
    Result<PgRows> newest = ask("SELECT term FROM head WHERE id = 1", {});
    if (newest && newest->count() == 1 && newest->number(0, 0) != term_) lose("another controller leads");
    return {};
  }
  renewed_at_ = sent_at;
  leads_until_ = sent_at + lease_ns() * (k_beats_per_lease - 1) / k_beats_per_lease;
  return {};
}

Status Lease::tell_members() {
  const ControllerId& self = options_.self;
  if (!campaigns_) return {};
  Result<PgRows> told = ask(k_report, PgArguments()
                                          .text(self.name)
                                          .text(self.host)
                                          .integer(self.pid)
                                          .text(self.socket)
                                          .text(self.url)
                                          .number(applied_));
  return told ? Status{} : Status{unexpected(told.error())};
}

Status Lease::read_members() {
  Result<PgRows> rows = ask(k_members, PgArguments().text(options_.self.name).text(options_.self.host));
  if (!rows) return unexpected(rows.error());
  std::lock_guard lock(mutex_);
  view_.followers.clear();
  for (int row = 0; row < rows->count(); ++row) {
    view_.followers.push_back(
        {id_of(*rows, row, 0), Seq{rows->number(row, 5)}, Duration::milliseconds(rows->integer(row, 6))});
  }
  return {};
}

/// Until the time is over, somebody wakes this thread, or, for who follows, the journal grows.
void Lease::wait_for_news(std::int64_t ns) {
  const std::int64_t end = boot_ns() + ns;
  for (std::int64_t left = ns; left > 0; left = end - boot_ns()) {
    pollfd fds[2] = {{wake_, POLLIN, 0}, {-1, POLLIN, 0}};
    if (term_ == 0 && db_ && db_->is_open()) fds[1].fd = db_->socket();
    if (poll(fds, 2, std::max(1, as_ms(left))) <= 0) continue;
    if (fds[0].revents != 0) {
      eventfd_t count = 0;
      (void)eventfd_read(wake_, &count);
      return;
    }
    if (fds[1].revents != 0) {
      const bool any = db_->take_notifications();
      if (!db_->is_open()) return;
      if (any) news_();
    }
  }
}

}  // namespace virga
