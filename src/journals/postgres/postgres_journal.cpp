// The journal over PostgreSQL. What goes where: schema.cpp has the tables, batch.cpp the append, accounts.cpp the
// records of what is over, compaction.cpp what goes, import.cpp the copy of another journal, lease.cpp who may write.
#include "journals/postgres/postgres_journal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "base/digest.hpp"
#include "core/binary.hpp"
#include "journals/postgres/accounts.hpp"
#include "journals/postgres/batch.hpp"
#include "journals/postgres/compaction.hpp"
#include "journals/postgres/import.hpp"
#include "journals/postgres/lease.hpp"
#include "journals/postgres/schema.hpp"
#include "ports/journal_record.hpp"

namespace virga {

namespace {

constexpr int k_snapshots_kept = 2;
constexpr std::int64_t k_events_at_once = 2'000;
/// Of a reader; a writer waits as long as it may hope to keep the lead.
constexpr int k_read_patience_ms = 60'000;
constexpr int k_follow_patience_ms = 2'000;
constexpr auto k_retry_pause = std::chrono::milliseconds(20);

constexpr const char* k_head = "SELECT last_seq, last_time_ns, compacted_seq, batch, term FROM head WHERE id = 1";

}  // namespace

class PostgresJournal : public Journal {
 public:
  PostgresJournal(PostgresOptions options, PgConnection db, std::shared_ptr<Lease> lease)
      : options_(std::move(options)), db_(std::move(db)), lease_(std::move(lease)) {}
  ~PostgresJournal() override {
    if (lease_ && resigns_) lease_->resign();
  }
  /// A writer on its own gives the lead back when it is closed.
  void resign_at_end() { resigns_ = true; }

  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override;
  Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) override;
  Result<LaunchPayload> payload(Seq seq) override;
  Status payloads(const std::function<bool(Seq, const LaunchPayload&)>& each) override;
  Status save_snapshot(const Snapshot& snapshot) override;
  Result<std::optional<Snapshot>> newest_snapshot() override {
    return snapshot("newest", "SELECT seq, digest, state FROM snapshots ORDER BY seq DESC LIMIT 1");
  }
  Result<std::optional<Snapshot>> oldest_snapshot() override {
    return snapshot("oldest", "SELECT seq, digest, state FROM snapshots ORDER BY seq LIMIT 1");
  }
  Status compact() override;
  Result<std::vector<Job>> archived_jobs(const AccountQuery& query) override;
  Result<std::vector<VmRecord>> archived_vms(const AccountQuery& query) override;
  Result<JournalInfo> info() override;
  Status backup(const std::string& path) override;
  Result<JournalReport> verify() override;
  Status import(Journal& source) override;

 private:
  Patience patience() const;
  Status ready();
  Status ready_to_write();
  Status reconnect();
  Result<PgHead> stored_head();
  Result<JournalInfo> stored_info();
  Result<std::uint64_t> settle(const PgBatch& batch);
  tl::unexpected<Error> lost() const;
  tl::unexpected<Error> corrupt(std::string_view what) { return unexpected(damaged(db_, what)); }
  template <class Work>
  auto in_one_view(Work work) -> decltype(work());
  template <class Work>
  auto over_breaks(Work work) -> decltype(work());
  Status read_events(Seq after, const std::function<bool(Seq, const Event&)>& each);
  Result<JournalReport> verify_all();
  Result<std::optional<Snapshot>> snapshot(std::string_view which, const char* statement);
  Status verify_snapshots(JournalReport& report);

  PostgresOptions options_;
  PgConnection db_;
  std::shared_ptr<Lease> lease_;  ///< none: a reader
  bool resigns_ = false;
  bool in_view_ = false;
  PgHead head_;  ///< of the term that this process leads
  std::optional<std::uint64_t> archived_jobs_;
};

// Connection and lead ------------------------------------------------------------------------------------------------

Patience PostgresJournal::patience() const {
  if (lease_ && lease_->term() != 0) {
    return [this] { return lease_->ms_until_lost(); };
  }
  return patience_of_ms(lease_ ? k_follow_patience_ms : k_read_patience_ms);
}

Status PostgresJournal::reconnect() {
  Result<PgConnection> db = open_session(options_.url, "virgad " + options_.self.name, patience());
  if (!db) return unexpected(db.error());
  db_ = *std::move(db);
  return {};
}

Status PostgresJournal::ready() { return db_.is_open() ? Status{} : reconnect(); }

tl::unexpected<Error> PostgresJournal::lost() const {
  return fail(Code::conflict, fmt::format("this controller no longer leads the journal {}", db_.shown()));
}

/// What is known of the head holds for one term: with the next one somebody else may have written meanwhile.
Status PostgresJournal::ready_to_write() {
  if (!lease_) return fail(Code::denied, fmt::format("the journal {} is open for reading only", db_.shown()));
  const std::uint64_t term = lease_->term();
  if (term == 0) return fail(Code::denied, fmt::format("this controller does not lead the journal {}", db_.shown()));
  while (!lease_->is_lost()) {
    Status able = ready();
    if (able && head_.term == term) return {};
    Result<PgHead> head = able ? stored_head() : unexpected(able.error());
    if (head && head->term == term) {
      head_ = *head;
      return {};
    }
    if (head) return lost();
    if (!head.error().retryable) return unexpected(head.error());
    std::this_thread::sleep_for(k_retry_pause);
  }
  return lost();
}

Result<PgHead> PostgresJournal::stored_head() {
  Result<PgRows> rows = db_.run(k_head, {}, patience());
  if (!rows) return unexpected(rows.error());
  if (rows->count() != 1) return corrupt("its head is missing");
  return PgHead{rows->number(0, 0), rows->integer(0, 1), rows->number(0, 2), rows->number(0, 3), rows->number(0, 4)};
}

/// Several statements of a reader see one moment.
template <class Work>
auto PostgresJournal::in_one_view(Work work) -> decltype(work()) {
  if (in_view_) return work();
  if (Status able = ready(); !able) return unexpected(able.error());
  if (Status begun = db_.run_all("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", patience()); !begun) {
    return unexpected(begun.error());
  }
  in_view_ = true;
  auto result = work();
  in_view_ = false;
  if (db_.is_open()) (void)db_.run_all("ROLLBACK", patience());
  return result;
}

/// A read that the connection broke under is made again on a new one: a leader's as long as it may lead, else once.
template <class Work>
auto PostgresJournal::over_breaks(Work work) -> decltype(work()) {
  const bool leads = lease_ && lease_->term() != 0;
  for (int tries = 0;; ++tries) {
    const Status able = ready();
    decltype(work()) result = able ? work() : decltype(work())(unexpected(able.error()));
    if (result || !result.error().retryable || db_.is_open() || in_view_) return result;
    if (leads ? lease_->is_lost() : tries > 0) return result;
    std::this_thread::sleep_for(k_retry_pause);
  }
}

// Appending and reading ----------------------------------------------------------------------------------------------

Result<Seq> PostgresJournal::append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                                    std::span<const VmRecord> vms) {
  if (Status able = ready_to_write(); !able) return unexpected(able.error());
  const Seq first{head_.last + 1};
  if (entries.empty() && jobs.empty() && vms.empty()) return first;
  const PgBatch batch = make_batch(head_, entries, jobs, vms);
  Result<std::uint64_t> new_jobs = settle(batch);
  if (!new_jobs) return unexpected(new_jobs.error());
  head_ = batch.after;
  if (archived_jobs_) *archived_jobs_ += *new_jobs;
  return first;
}

/// Carries the batch out, once, and knows it. Returns how many job records are new.
Result<std::uint64_t> PostgresJournal::settle(const PgBatch& batch) {
  bool in_doubt = false;
  while (!lease_->is_lost()) {
    if (Status able = ready(); !able) {
      std::this_thread::sleep_for(k_retry_pause);
      continue;
    }
    Result<PgRows> done = db_.run(batch.statement, batch.arguments, patience());
    if (done && done->integer(0, 0) == 1) return done->number(0, 1);
    if (done) {
      Result<PgHead> head = stored_head();
      if (!head) continue;
      if (head->term != batch.after.term) return lost();
      // The first try was carried out, though its answer was lost; how many records it added has to be counted anew.
      if (in_doubt && head->batch == batch.after.batch) {
        archived_jobs_.reset();
        return 0;
      }
      return corrupt("somebody else writes under this controller's term");
    }
    // The server said no, so nothing of it was kept, unless an earlier try is still on its way.
    if (db_.is_open() && !in_doubt) return unexpected(done.error());
    in_doubt = true;
    std::this_thread::sleep_for(k_retry_pause);
  }
  return lost();
}

Status PostgresJournal::read(Seq after, const std::function<bool(Seq, const Event&)>& each) {
  const auto read_on = [&](Seq seq, const Event& event) {
    after = seq;
    return each(seq, event);
  };
  return over_breaks([&] { return in_one_view([&] { return read_events(after, read_on); }); });
}

Status PostgresJournal::read_events(Seq after, const std::function<bool(Seq, const Event&)>& each) {
  Result<PgHead> head = stored_head();
  if (!head) return unexpected(head.error());
  std::uint64_t last_read = std::max(after.value, head->compacted);
  while (last_read < head->last) {
    Result<PgRows> rows = db_.run("SELECT seq, crc, record FROM events WHERE seq > $1 ORDER BY seq LIMIT $2",
                                  PgArguments().number(last_read).integer(k_events_at_once), patience());
    if (!rows) return unexpected(rows.error());
    if (rows->count() == 0) return corrupt(fmt::format("events {} to {} are missing", last_read + 1, head->last));
    for (int row = 0; row < rows->count(); ++row) {
      const std::uint64_t seq = rows->number(row, 0);
      if (seq != last_read + 1) {
        return corrupt(fmt::format("event {} is missing; event {} follows", last_read + 1, seq));
      }
      Result<Event> event =
          read_record<Event>(seq, static_cast<std::uint32_t>(rows->integer(row, 1)), rows->bytes(row, 2));
      if (!event) return corrupt(fmt::format("event {} {}", seq, event.error().message));
      if (!each(Seq{seq}, *event)) return {};
      last_read = seq;
    }
  }
  return {};
}

Result<LaunchPayload> PostgresJournal::payload(Seq seq) {
  Result<PgRows> rows = over_breaks([&] {
    return db_.run("SELECT crc, record FROM payloads WHERE seq = $1", PgArguments().number(seq.value), patience());
  });
  if (!rows) return unexpected(rows.error());
  if (rows->count() == 0) {
    return fail(Code::not_found,
                fmt::format("the journal {} keeps no script for event {} (any more)", db_.shown(), seq.value));
  }
  Result<LaunchPayload> payload =
      read_record<LaunchPayload>(seq.value, static_cast<std::uint32_t>(rows->integer(0, 0)), rows->bytes(0, 1));
  if (!payload) return corrupt(fmt::format("the script of event {} {}", seq.value, payload.error().message));
  return payload;
}

Status PostgresJournal::payloads(const std::function<bool(Seq, const LaunchPayload&)>& each) {
  return in_one_view([&]() -> Status {
    for (std::uint64_t after = 0;;) {
      Result<PgRows> rows = db_.run("SELECT seq FROM payloads WHERE seq > $1 ORDER BY seq LIMIT $2",
                                    PgArguments().number(after).integer(k_events_at_once), patience());
      if (!rows) return unexpected(rows.error());
      if (rows->count() == 0) return {};
      for (int row = 0; row < rows->count(); ++row) {
        after = rows->number(row, 0);
        Result<LaunchPayload> read = payload(Seq{after});
        if (!read) return unexpected(read.error());
        if (!each(Seq{after}, *read)) return {};
      }
    }
  });
}

// Snapshots ----------------------------------------------------------------------------------------------------------

Status PostgresJournal::save_snapshot(const Snapshot& snapshot) {
  if (Status able = ready_to_write(); !able) return able;
  if (!snapshot.seq || snapshot.seq.value > head_.last || digest_of(snapshot.state) != snapshot.digest) {
    return fail(Code::invalid, fmt::format("snapshot {} does not follow a kept event, or its digest is not that of its "
                                           "state; the last event is {}",
                                           snapshot.seq.value, head_.last));
  }
  Result<PgRows> put = db_.run(
      "WITH fence AS (SELECT 1 FROM head WHERE id = 1 AND term = $1 FOR UPDATE),"
      " put AS (INSERT INTO snapshots SELECT $2, $3, $4 WHERE EXISTS (SELECT FROM fence)"
      "   ON CONFLICT (seq) DO UPDATE SET digest = excluded.digest, state = excluded.state)"
      " SELECT count(*) FROM fence",
      PgArguments().number(head_.term).number(snapshot.seq.value).number(snapshot.digest).bytes(snapshot.state),
      patience());
  if (!put) return unexpected(put.error());
  if (put->integer(0, 0) == 0) return lost();
  Result<PgRows> dropped = db_.run(
      "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT $2)"
      " AND EXISTS (SELECT 1 FROM head WHERE id = 1 AND term = $1 FOR UPDATE)",
      PgArguments().number(head_.term).integer(k_snapshots_kept), patience());
  return dropped ? Status{} : Status{unexpected(dropped.error())};
}

Result<std::optional<Snapshot>> PostgresJournal::snapshot(std::string_view which, const char* statement) {
  return in_one_view([&]() -> Result<std::optional<Snapshot>> {
    Result<PgHead> head = stored_head();
    if (!head) return unexpected(head.error());
    Result<PgRows> rows = db_.run(statement, {}, patience());
    if (!rows) return unexpected(rows.error());
    if (rows->count() == 0) {
      if (head->compacted == 0) return std::nullopt;
      return corrupt("its snapshot is missing, and the events it stood for were dropped");
    }
    Snapshot snapshot{Seq{rows->number(0, 0)}, rows->number(0, 1), rows->text(0, 2)};
    if (digest_of(snapshot.state) != snapshot.digest) {
      return corrupt(fmt::format("the snapshot after event {} does not match its digest", snapshot.seq.value));
    }
    if (snapshot.seq.value < head->compacted || snapshot.seq.value > head->last) {
      return corrupt(fmt::format("its {} snapshot is of event {}, but its events are {} to {}", which,
                                 snapshot.seq.value, head->compacted + 1, head->last));
    }
    return snapshot;
  });
}

Status PostgresJournal::compact() {
  if (Status able = ready_to_write(); !able) return able;
  // The snapshot is read and checked first: once the events are gone it is all there is.
  Result<std::optional<Snapshot>> newest = newest_snapshot();
  if (!newest) return unexpected(newest.error());
  if (!*newest) return {};
  const std::uint64_t covered = (*newest)->seq.value;
  newest->reset();
  return compact_journal(db_, head_, covered, patience());
}

// Accounts and the whole ---------------------------------------------------------------------------------------------

Result<std::vector<Job>> PostgresJournal::archived_jobs(const AccountQuery& query) {
  return over_breaks([&] { return find_jobs(db_, query, patience()); });
}

Result<std::vector<VmRecord>> PostgresJournal::archived_vms(const AccountQuery& query) {
  return over_breaks([&] { return find_vms(db_, query, patience()); });
}

Result<JournalInfo> PostgresJournal::info() {
  return over_breaks([&] { return stored_info(); });
}

Result<JournalInfo> PostgresJournal::stored_info() {
  Result<PgHead> head = stored_head();
  if (!head) return unexpected(head.error());
  JournalInfo info;
  if (head->last > head->compacted) info.first = Seq{head->compacted + 1};
  info.last = Seq{head->last};
  info.last_time = Time{head->last_time_ns};
  Result<PgRows> rest = db_.run(
      "SELECT (SELECT coalesce(max(seq), 0) FROM snapshots), (SELECT max(version) FROM schema_versions),"
      " (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
      "  WHERE relnamespace = 'virga'::regnamespace AND relkind = 'r')",
      {}, patience());
  if (!rest) return unexpected(rest.error());
  info.snapshot = Seq{rest->number(0, 0)};
  info.schema_version = static_cast<std::uint32_t>(rest->integer(0, 1));
  info.bytes = rest->number(0, 2);
  const bool counts = lease_ && lease_->leads();
  if (!archived_jobs_ || !counts) {
    Result<PgRows> jobs = db_.run("SELECT count(*) FROM jobs", {}, patience());
    if (!jobs) return unexpected(jobs.error());
    archived_jobs_ = jobs->number(0, 0);
  }
  info.archived_jobs = *archived_jobs_;
  return info;
}

Status PostgresJournal::backup(const std::string& path) {
  if (!options_.backup) return fail(Code::refused, "this program cannot back up a journal in PostgreSQL");
  return in_one_view([&] { return options_.backup(*this, path); });
}

Result<JournalReport> PostgresJournal::verify() {
  return in_one_view([&] { return verify_all(); });
}

Result<JournalReport> PostgresJournal::verify_all() {
  JournalReport report;
  Result<PgHead> head = stored_head();
  if (!head) return unexpected(head.error());
  Time last_time{head->last_time_ns};
  Status read = read_events(Seq{0}, [&](Seq, const Event& event) {
    ++report.events;
    last_time = event.at;
    return true;
  });
  if (!read) return unexpected(read.error());
  if (last_time.ns != head->last_time_ns) return corrupt("its head does not have the time of its last event");
  Result<PgRows> beyond = db_.run("SELECT count(*) FROM events WHERE seq > $1 OR seq <= $2",
                                  PgArguments().number(head->last).number(head->compacted), patience());
  if (!beyond) return unexpected(beyond.error());
  if (beyond->integer(0, 0) != 0) return corrupt("it has events that its head does not know");
  if (Status ok = verify_snapshots(report); !ok) return unexpected(ok.error());
  Status scripts = payloads([&](Seq, const LaunchPayload&) {
    ++report.payloads;
    return true;
  });
  if (!scripts) return unexpected(scripts.error());
  if (Status ok = verify_accounts(db_, report, patience()); !ok) return unexpected(ok.error());
  return report;
}

Status PostgresJournal::verify_snapshots(JournalReport& report) {
  if (Result<std::optional<Snapshot>> newest = newest_snapshot(); !newest) return unexpected(newest.error());
  Result<PgRows> rows = db_.run("SELECT seq, digest, state FROM snapshots ORDER BY seq", {}, patience());
  if (!rows) return unexpected(rows.error());
  for (int row = 0; row < rows->count(); ++row) {
    if (digest_of(rows->bytes(row, 2)) != rows->number(row, 1)) {
      return corrupt(fmt::format("the snapshot after event {} does not match its digest", rows->number(row, 0)));
    }
    ++report.snapshots;
  }
  return {};
}

Status PostgresJournal::import(Journal& source) {
  if (Status able = ready_to_write(); !able) return able;
  Status done = import_journal(db_, head_, source, patience());
  head_.term = 0;  // read anew by the next write
  archived_jobs_.reset();
  return done;
}

// Opening ------------------------------------------------------------------------------------------------------------

namespace {

std::string url_of(std::string_view text) {
  constexpr std::string_view k_prefix = "postgres:";
  std::string_view rest = text.starts_with(k_prefix) ? text.substr(k_prefix.size()) : std::string_view();
  const bool is_whole = rest.empty() || rest.starts_with("//");
  return std::string(is_whole ? text : rest);
}

Result<PgConnection> open_prepared(const PostgresOptions& options, OpenMode mode) {
  Result<PgConnection> db =
      open_session(options.url, "virgad " + options.self.name, patience_of_ms(k_read_patience_ms));
  if (!db) return db;
  Status prepared = prepare_schema(*db, mode != OpenMode::read_only, mode == OpenMode::create_or_open);
  if (!prepared) return unexpected(prepared.error());
  return db;
}

std::shared_ptr<Lease> lease_of(const PostgresOptions& options) {
  return std::make_shared<Lease>(LeaseOptions{options.url, options.self, options.lease, options.say});
}

}  // namespace

Result<std::unique_ptr<Journal>> open_postgres_journal(PostgresOptions options, OpenMode mode) {
  options.url = url_of(options.url);
  if (options.self.pid == 0) options.self.pid = static_cast<std::uint32_t>(getpid());
  Result<PgConnection> db = open_prepared(options, mode);
  if (!db) return unexpected(db.error());
  if (mode == OpenMode::read_only) {
    return std::make_unique<PostgresJournal>(std::move(options), *std::move(db), nullptr);
  }
  std::shared_ptr<Lease> lease = lease_of(options);
  if (Status leads = lease->wait_to_lead(); !leads) return unexpected(leads.error());
  auto journal = std::make_unique<PostgresJournal>(std::move(options), *std::move(db), std::move(lease));
  journal->resign_at_end();
  return journal;
}

Result<PostgresStandby> open_postgres_standby(PostgresOptions options) {
  options.url = url_of(options.url);
  Result<PgConnection> db = open_prepared(options, OpenMode::create_or_open);
  if (!db) return unexpected(db.error());
  std::shared_ptr<Lease> lease = lease_of(options);
  auto journal = std::make_unique<PostgresJournal>(std::move(options), *std::move(db), lease);
  return PostgresStandby{std::move(journal), std::move(lease)};
}

}  // namespace virga
