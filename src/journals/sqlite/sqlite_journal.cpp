// The journal over SQLite. What goes where: schema.cpp has the file and its tables, accounts.cpp the records of what
// is over, backup.cpp copies and restores, sqlite_error.cpp the words for failures.
#include "journals/sqlite/sqlite_journal.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <SQLiteCpp/Transaction.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include "base/digest.hpp"
#include "core/binary.hpp"
#include "journals/sqlite/accounts.hpp"
#include "journals/sqlite/backup.hpp"
#include "journals/sqlite/lock_file.hpp"
#include "journals/sqlite/record.hpp"
#include "journals/sqlite/schema.hpp"
#include "journals/sqlite/sqlite_error.hpp"
#include "journals/sqlite/writers.hpp"
#include "ports/journal_record.hpp"

namespace virga {

namespace {

constexpr std::uint64_t k_snapshots_kept = 2;
// compact() works in transactions of bounded size, so that the WAL stays small and a crash costs little.
constexpr std::uint64_t k_compact_events = 20'000;
constexpr std::uint32_t k_compact_payloads = 2'000;
// What one compact() gives back to the file system at most: 32 MB. The rest is used again, or given back next time.
constexpr int k_vacuum_pages = 8'192;

/// One consistent view for several statements of a reader. A writer needs none: nobody else changes its journal.
class ReadScope {
 public:
  ReadScope(SQLite::Database& db, bool wanted) : db_(wanted ? &db : nullptr) {
    if (db_ != nullptr) db_->exec("SAVEPOINT reading");
  }
  ~ReadScope() {
    if (db_ != nullptr) db_->tryExec("RELEASE reading");
  }
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;

 private:
  SQLite::Database* db_;
};

}  // namespace

class SqliteJournal : public Journal {
 public:
  SqliteJournal(std::string path, std::optional<LockFile> lock, OpenDatabase open)
      : path_(std::move(path)),
        lock_(std::move(lock)),
        db_(std::move(open.db)),
        immutable_(open.immutable),
        accounts_(*db_, path_, !lock_) {
    if (!lock_) return;
    writers_.emplace(*db_);
    head_ = stored_head();
    archived_jobs_ = accounts_.count_jobs();
  }

  Status check_head();

  Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                     std::span<const VmRecord> vms) override;
  Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) override;
  Result<LaunchPayload> payload(Seq seq) override;
  Status payloads(const std::function<bool(Seq, const LaunchPayload&)>& each) override;
  Status save_snapshot(const Snapshot& snapshot) override;
  Result<std::optional<Snapshot>> newest_snapshot() override { return snapshot("newest", "DESC"); }
  Result<std::optional<Snapshot>> oldest_snapshot() override { return snapshot("oldest", "ASC"); }
  Status compact() override;
  Result<std::vector<Job>> archived_jobs(const AccountQuery& query) override { return accounts_.jobs(query); }
  Result<std::vector<VmRecord>> archived_vms(const AccountQuery& query) override { return accounts_.vms(query); }
  Result<JournalInfo> info() override;
  Status backup(const std::string& path) override { return backup_sqlite_journal(path_, path); }
  Result<JournalReport> verify() override;
  Status import(Journal& source) override;

 private:
  Head stored_head();
  Head head() { return lock_ ? head_ : stored_head(); }
  Status read_events(Seq after, const std::function<bool(Seq, const Event&)>& each, std::uint64_t& last_read);
  Result<std::optional<Snapshot>> snapshot(const char* which, const char* order);
  Status verify_snapshots(JournalReport& report);
  void compact_events(std::uint64_t covered);
  Status import_all(Journal& source, Head& next);
  void put_snapshot(const Snapshot& snapshot);

  tl::unexpected<Error> refuse_to_write() const {
    return fail(Code::denied, fmt::format("the journal {} is open for reading only", path_));
  }
  tl::unexpected<Error> failed(const SQLite::Exception& e, std::string_view doing) {
    return unexpected(explained(sqlite_error(e, db_.get(), path_, doing)));
  }
  tl::unexpected<Error> corrupt(std::string_view what) { return unexpected(explained(damaged(path_, what))); }
  /// A reader without locks whose file was at rest cannot tell damage from a writer that came meanwhile.
  Error explained(Error error) const {
    if (error.code == Code::corrupt && immutable_ && file_exists(path_ + "-wal")) {
      return {Code::conflict, fmt::format("a writer opened the journal {} while it was read; read it again", path_),
              true};
    }
    return error;
  }

  std::string path_;
  std::optional<LockFile> lock_;  ///< a writer's; destroyed last
  std::unique_ptr<SQLite::Database> db_;
  bool immutable_ = false;
  Accounts accounts_;
  std::optional<Writers> writers_;
  Head head_;  ///< what is committed, if this is the writer
  std::uint64_t archived_jobs_ = 0;
};

// Appending and reading ----------------------------------------------------------------------------------------------

Head SqliteJournal::stored_head() {
  SQLite::Statement s(*db_, "SELECT last_seq, last_time_ns, compacted_seq FROM head WHERE id = 1");
  if (!s.executeStep()) throw SQLite::Exception("its head is missing", SQLITE_CORRUPT);
  return {as_unsigned(s.getColumn(0).getInt64()), s.getColumn(1).getInt64(), as_unsigned(s.getColumn(2).getInt64())};
}

/// A quick look at opening: the events must end where the head says. verify() and read() look at all of them.
Status SqliteJournal::check_head() {
  ReadScope scope(*db_, !lock_);
  const Head head = this->head();
  SQLite::Statement s(*db_, "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)");
  s.executeStep();
  const std::uint64_t oldest = as_unsigned(s.getColumn(0).getInt64());
  const std::uint64_t newest = as_unsigned(s.getColumn(1).getInt64());
  const bool any = head.last > head.compacted;
  if (newest != (any ? head.last : 0)) {
    return corrupt(fmt::format("its last event should be {}, but it is {}", any ? head.last : 0, newest));
  }
  if (any && oldest > head.compacted + 1) {
    return corrupt(fmt::format("event {} is missing; event {} follows", head.compacted + 1, oldest));
  }
  if (any && oldest <= head.compacted) {
    return corrupt(fmt::format("it says that events up to {} were dropped, but {} is there", head.compacted, oldest));
  }
  return {};
}

Result<Seq> SqliteJournal::append(std::span<const JournalEntry> entries, std::span<const Job> jobs,
                                  std::span<const VmRecord> vms) {
  if (!lock_) return refuse_to_write();
  const Seq first{head_.last + 1};
  if (entries.empty() && jobs.empty() && vms.empty()) return first;
  try {
    SQLite::Transaction transaction(*db_, SQLite::TransactionBehavior::IMMEDIATE);
    Head next = head_;
    for (const JournalEntry& entry : entries) {
      ++next.last;
      next.last_time_ns = entry.event.at.ns;
      writers_->put_event(next.last, encode(entry.event));
      if (entry.payload) writers_->put_payload(next.last, encode(*entry.payload));
    }
    std::uint64_t new_jobs = 0;
    for (const Job& job : jobs) new_jobs += accounts_.put(job) ? 1 : 0;
    for (const VmRecord& vm : vms) accounts_.put(vm);
    if (!entries.empty()) writers_->put(next);
    transaction.commit();
    head_ = next;
    archived_jobs_ += new_jobs;
    return first;
  } catch (const SQLite::Exception& e) {
    return failed(e, "cannot append to");
  }
}

Status SqliteJournal::read(Seq after, const std::function<bool(Seq, const Event&)>& each) {
  std::uint64_t last_read = after.value;
  try {
    return read_events(after, each, last_read);
  } catch (const SQLite::Exception& e) {
    return failed(e, fmt::format("cannot read on after event {} in", last_read));
  }
}

Status SqliteJournal::read_events(Seq after, const std::function<bool(Seq, const Event&)>& each,
                                  std::uint64_t& last_read) {
  ReadScope scope(*db_, !lock_);
  const Head head = this->head();
  last_read = std::max(after.value, head.compacted);
  SQLite::Statement s(*db_, "SELECT seq, crc, record FROM events WHERE seq > ? AND seq <= ? ORDER BY seq");
  s.bind(1, as_signed(last_read));
  s.bind(2, as_signed(head.last));
  while (s.executeStep()) {
    const std::uint64_t seq = as_unsigned(s.getColumn(0).getInt64());
    if (seq != last_read + 1) return corrupt(fmt::format("event {} is missing; event {} follows", last_read + 1, seq));
    Result<Event> event = read_record<Event>(seq, s.getColumn(1).getUInt(), blob_of(s.getColumn(2)));
    if (!event) return corrupt(fmt::format("event {} {}", seq, event.error().message));
    if (!each(Seq{seq}, *event)) return {};
    last_read = seq;
  }
  if (last_read < head.last) return corrupt(fmt::format("events {} to {} are missing", last_read + 1, head.last));
  return {};
}

Result<LaunchPayload> SqliteJournal::payload(Seq seq) {
  try {
    SQLite::Statement s(*db_, "SELECT crc, record FROM payloads WHERE seq = ?");
    s.bind(1, as_signed(seq.value));
    if (!s.executeStep()) {
      return fail(Code::not_found,
                  fmt::format("the journal {} keeps no script for event {} (any more)", path_, seq.value));
    }
    Result<LaunchPayload> payload =
        read_record<LaunchPayload>(seq.value, s.getColumn(0).getUInt(), blob_of(s.getColumn(1)));
    if (!payload) return corrupt(fmt::format("the script of event {} {}", seq.value, payload.error().message));
    return payload;
  } catch (const SQLite::Exception& e) {
    return failed(e, fmt::format("cannot read the script of event {} in", seq.value));
  }
}

Status SqliteJournal::payloads(const std::function<bool(Seq, const LaunchPayload&)>& each) {
  std::vector<Seq> kept;
  try {
    SQLite::Statement s(*db_, "SELECT seq FROM payloads ORDER BY seq");
    while (s.executeStep()) kept.push_back(Seq{as_unsigned(s.getColumn(0).getInt64())});
  } catch (const SQLite::Exception& e) {
    return failed(e, "cannot read the scripts in");
  }
  for (Seq seq : kept) {
    Result<LaunchPayload> read = payload(seq);
    if (!read) return unexpected(read.error());
    if (!each(seq, *read)) break;
  }
  return {};
}

// Snapshots ----------------------------------------------------------------------------------------------------------

void SqliteJournal::put_snapshot(const Snapshot& snapshot) {
  SQLite::Statement put(*db_, "INSERT OR REPLACE INTO snapshots(seq, digest, state) VALUES (?, ?, ?)");
  put.bind(1, as_signed(snapshot.seq.value));
  put.bind(2, as_signed(snapshot.digest));
  bind_blob(put, 3, snapshot.state);
  put.exec();
}

Status SqliteJournal::save_snapshot(const Snapshot& snapshot) {
  if (!lock_) return refuse_to_write();
  if (!snapshot.seq || snapshot.seq.value > head_.last || digest_of(snapshot.state) != snapshot.digest) {
    return fail(Code::invalid, fmt::format("snapshot {} does not follow a kept event, or its digest is not that of its "
                                           "state; the last event is {}",
                                           snapshot.seq.value, head_.last));
  }
  try {
    SQLite::Transaction transaction(*db_, SQLite::TransactionBehavior::IMMEDIATE);
    put_snapshot(snapshot);
    SQLite::Statement drop(
        *db_, "DELETE FROM snapshots WHERE seq NOT IN (SELECT seq FROM snapshots ORDER BY seq DESC LIMIT ?)");
    drop.bind(1, as_signed(k_snapshots_kept));
    drop.exec();
    transaction.commit();
    return {};
  } catch (const SQLite::Exception& e) {
    return failed(e, "cannot save a snapshot in");
  }
}

Result<std::optional<Snapshot>> SqliteJournal::snapshot(const char* which, const char* order) {
  try {
    ReadScope scope(*db_, !lock_);
    SQLite::Statement s(*db_, fmt::format("SELECT seq, digest, state FROM snapshots ORDER BY seq {} LIMIT 1", order));
    if (!s.executeStep()) {
      if (head().compacted == 0) return std::nullopt;
      return corrupt("its snapshot is missing, and the events it stood for were dropped");
    }
    Snapshot snapshot{Seq{as_unsigned(s.getColumn(0).getInt64())}, as_unsigned(s.getColumn(1).getInt64()),
                      std::string(blob_of(s.getColumn(2)))};
    if (digest_of(snapshot.state) != snapshot.digest) {
      return corrupt(fmt::format("the snapshot after event {} does not match its digest", snapshot.seq.value));
    }
    const Head head = this->head();
    if (snapshot.seq.value < head.compacted || snapshot.seq.value > head.last) {
      return corrupt(fmt::format("its {} snapshot is of event {}, but its events are {} to {}", which,
                                 snapshot.seq.value, head.compacted + 1, head.last));
    }
    return snapshot;
  } catch (const SQLite::Exception& e) {
    return failed(e, fmt::format("cannot read the {} snapshot of", which));
  }
}

Status SqliteJournal::compact() {
  if (!lock_) return refuse_to_write();
  // The snapshot is read and checked first: once the events are gone it is all there is.
  Result<std::optional<Snapshot>> newest = newest_snapshot();
  if (!newest) return unexpected(newest.error());
  if (!*newest) return {};
  const Seq covered = (*newest)->seq;
  newest->reset();
  try {
    compact_events(covered.value);
    for (bool more = true; more;) {
      SQLite::Transaction transaction(*db_, SQLite::TransactionBehavior::IMMEDIATE);
      more = accounts_.drop_payloads(k_compact_payloads);
      transaction.commit();
    }
    db_->exec(fmt::format("PRAGMA incremental_vacuum({})", k_vacuum_pages));
    return {};
  } catch (const SQLite::Exception& e) {
    return failed(e, "cannot compact");
  }
}

void SqliteJournal::compact_events(std::uint64_t covered) {
  SQLite::Statement drop_snapshots(*db_, "DELETE FROM snapshots WHERE seq < ?");
  drop_snapshots.bind(1, as_signed(covered));
  drop_snapshots.exec();
  SQLite::Statement drop(*db_, "DELETE FROM events WHERE seq <= ?");
  while (head_.compacted < covered) {
    SQLite::Transaction transaction(*db_, SQLite::TransactionBehavior::IMMEDIATE);
    Head next = head_;
    next.compacted = std::min(covered, head_.compacted + k_compact_events);
    drop.bind(1, as_signed(next.compacted));
    drop.exec();
    drop.reset();
    writers_->put(next);
    transaction.commit();
    head_ = next;
  }
}

// The whole ----------------------------------------------------------------------------------------------------------

Result<JournalInfo> SqliteJournal::info() {
  try {
    ReadScope scope(*db_, !lock_);
    const Head head = this->head();
    JournalInfo info;
    if (head.last > head.compacted) info.first = Seq{head.compacted + 1};
    info.last = Seq{head.last};
    info.last_time = Time{head.last_time_ns};
    SQLite::Statement snapshot(*db_, "SELECT max(seq) FROM snapshots");
    if (snapshot.executeStep()) info.snapshot = Seq{as_unsigned(snapshot.getColumn(0).getInt64())};
    info.archived_jobs = lock_ ? archived_jobs_ : accounts_.count_jobs();
    SQLite::Statement version(*db_, "PRAGMA user_version");
    if (version.executeStep()) info.schema_version = version.getColumn(0).getUInt();
    for (const char* end : {"", "-wal"}) {
      std::error_code missing;
      const std::uintmax_t size = std::filesystem::file_size(path_ + end, missing);
      if (!missing) info.bytes += size;
    }
    return info;
  } catch (const SQLite::Exception& e) {
    return failed(e, "cannot read");
  }
}

Status SqliteJournal::import(Journal& source) {
  if (!lock_) return refuse_to_write();
  if (head_.last != 0 || head_.compacted != 0) {
    return fail(Code::conflict,
                fmt::format("the journal {} has {} events already; copy into an empty one", path_, head_.last));
  }
  try {
    SQLite::Transaction transaction(*db_, SQLite::TransactionBehavior::IMMEDIATE);
    Head next;
    if (Status copied = import_all(source, next); !copied) return copied;
    transaction.commit();
    head_ = next;
    archived_jobs_ = accounts_.count_jobs();
    return {};
  } catch (const SQLite::Exception& e) {
    return failed(e, "cannot copy into");
  }
}

/// Inside the transaction.
Status SqliteJournal::import_all(Journal& source, Head& next) {
  const AccountQuery everything{.limit = std::numeric_limits<std::uint32_t>::max()};
  Result<JournalInfo> info = source.info();
  if (!info) return unexpected(info.error());
  next = {info->last.value, info->last_time.ns, info->first ? info->first.value - 1 : info->last.value};
  Status events = source.read(Seq{0}, [&](Seq seq, const Event& event) {
    writers_->put_event(seq.value, encode(event));
    return true;
  });
  if (!events) return events;
  Status scripts = source.payloads([&](Seq seq, const LaunchPayload& payload) {
    writers_->put_payload(seq.value, encode(payload));
    return true;
  });
  if (!scripts) return scripts;
  Result<std::optional<Snapshot>> oldest = source.oldest_snapshot();
  if (!oldest) return unexpected(oldest.error());
  if (*oldest) put_snapshot(**oldest);
  Result<std::optional<Snapshot>> newest = source.newest_snapshot();
  if (!newest) return unexpected(newest.error());
  if (*newest) put_snapshot(**newest);
  Result<std::vector<Job>> jobs = source.archived_jobs(everything);
  if (!jobs) return unexpected(jobs.error());
  for (const Job& job : *jobs) accounts_.put(job);
  Result<std::vector<VmRecord>> vms = source.archived_vms(everything);
  if (!vms) return unexpected(vms.error());
  for (const VmRecord& vm : *vms) accounts_.put(vm);
  writers_->put(next);
  return {};
}

Result<JournalReport> SqliteJournal::verify() {
  JournalReport report;
  try {
    ReadScope scope(*db_, !lock_);
    // SQLite's own look at its trees and indices comes last: ours names the record.
    if (Status ends = check_head(); !ends) return unexpected(ends.error());
    Time last_time{head().last_time_ns};
    Status events = read(Seq{0}, [&](Seq, const Event& event) {
      ++report.events;
      last_time = event.at;
      return true;
    });
    if (!events) return unexpected(events.error());
    if (last_time.ns != head().last_time_ns) return corrupt("its head does not have the time of its last event");
    if (Status ok = verify_snapshots(report); !ok) return unexpected(ok.error());
    Status scripts = payloads([&](Seq, const LaunchPayload&) {
      ++report.payloads;
      return true;
    });
    if (!scripts) return unexpected(scripts.error());
    if (Status ok = accounts_.verify(report); !ok) return unexpected(explained(ok.error()));
    SQLite::Statement check(*db_, "PRAGMA integrity_check(1)");
    if (check.executeStep() && check.getColumn(0).getString() != "ok") return corrupt(check.getColumn(0).getString());
    return report;
  } catch (const SQLite::Exception& e) {
    return failed(e, "cannot verify");
  }
}

Status SqliteJournal::verify_snapshots(JournalReport& report) {
  if (Result<std::optional<Snapshot>> newest = newest_snapshot(); !newest) return unexpected(newest.error());
  SQLite::Statement s(*db_, "SELECT seq, digest, state FROM snapshots");
  while (s.executeStep()) {
    if (digest_of(blob_of(s.getColumn(2))) != as_unsigned(s.getColumn(1).getInt64())) {
      return corrupt(fmt::format("the snapshot after event {} does not match its digest", s.getColumn(0).getInt64()));
    }
    ++report.snapshots;
  }
  return {};
}

// Opening ------------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Journal>> open_sqlite_journal(const std::string& path, OpenMode mode) {
  std::optional<LockFile> lock;
  if (mode != OpenMode::read_only) {
    if (mode == OpenMode::open_existing && !file_exists(path)) {
      return fail(Code::not_found, fmt::format("there is no journal {}", path));
    }
    Result<LockFile> taken = LockFile::take(path);
    if (!taken) return unexpected(taken.error());
    lock.emplace(*std::move(taken));
    if (!file_exists(path)) {
      if (Status created = create_journal_file(path); !created) return unexpected(created.error());
    }
  }
  Result<OpenDatabase> open = lock ? open_for_writing(path) : open_for_reading(path);
  if (!open) return unexpected(open.error());
  try {
    auto journal = std::make_unique<SqliteJournal>(path, std::move(lock), *std::move(open));
    if (Status whole = journal->check_head(); !whole) return unexpected(whole.error());
    return journal;
  } catch (const SQLite::Exception& e) {
    return unexpected(sqlite_error(e, nullptr, path, "cannot open"));
  }
}

}  // namespace virga
