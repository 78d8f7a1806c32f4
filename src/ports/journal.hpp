// Journal: durable events, their snapshots, and the accounts. Adapters: journals/sqlite, journals/postgres.
//
//   auto seqs = journal.append(batch);          // one commit; on return the batch survives a power cut
//   journal.read(after, [&](Seq, Event) { … }); // in order
//
// Contract (ports/contract/journal_contract.hpp checks every adapter against it):
//  * append() is all or nothing and gives consecutive sequence numbers; it returns after the data is on stable storage.
//  * When append() fails (disk full …) nothing of the batch is kept and the journal stays usable.
//  * A record that is damaged, or a gap, is told by read() as Code::corrupt with the sequence number; an unfinished
//    last commit is as if it had never been asked for.
//  * One writer at a time: opening a journal that another process has open fails with Code::conflict. Where several
//    controllers share a journal, the one that leads writes (ports/leadership.hpp); append() of another one, or of one
//    that lost the lead meanwhile, fails with Code::conflict, and then nobody may be told that the batch was refused.
//  * compact() drops only events that a snapshot covers, and payloads of jobs that are in the accounts as final.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "core/command.hpp"
#include "core/event.hpp"

namespace virga {

enum class OpenMode {
  create_or_open,
  open_existing,
  read_only,  ///< keeps no writer out, changes nothing; sees what is committed when a call begins
};

struct JournalEntry {
  Event event;
  std::optional<LaunchPayload> payload;  ///< kept under the event's sequence number
};

struct Snapshot {
  Seq seq;                   ///< state after this event
  std::uint64_t digest = 0;  ///< of `state`
  std::string state;         ///< Brain::save()
};

/// Which accounts to read; empty members do not restrict. Answers are ordered by id (and incarnation), oldest first.
/// A job that never started counts as started when it ended. `jobs` and `uid` say nothing about VMs.
struct AccountQuery {
  std::vector<JobId> jobs = {};
  std::optional<std::uint32_t> uid = {};
  std::optional<Time> ended_after = {};
  std::optional<Time> started_before = {};
  std::uint32_t limit = 100'000;  ///< the newest ones, when there are more
};

struct JournalInfo {
  Seq first;  ///< oldest event still kept; zero when empty
  Seq last;
  Time last_time;
  Seq snapshot;
  std::uint64_t bytes = 0;
  std::uint64_t archived_jobs = 0;
  std::uint32_t schema_version = 0;
};

/// What verify() found to be whole.
struct JournalReport {
  std::uint64_t events = 0;
  std::uint64_t payloads = 0;
  std::uint64_t snapshots = 0;
  std::uint64_t archived_jobs = 0;  ///< one for each incarnation
  std::uint64_t archived_vms = 0;
};

class Journal {
 public:
  virtual ~Journal() = default;

  /// Appends the entries and replaces the account records in one commit. Returns the first entry's number.
  virtual Result<Seq> append(std::span<const JournalEntry> entries, std::span<const Job> archived_jobs,
                             std::span<const VmRecord> archived_vms) = 0;
  /// Calls `each` for all events after `after`, oldest first, until it returns false.
  virtual Status read(Seq after, const std::function<bool(Seq, const Event&)>& each) = 0;
  virtual Result<LaunchPayload> payload(Seq seq) = 0;
  /// Calls `each` for every payload that is kept, in order, until it returns false.
  virtual Status payloads(const std::function<bool(Seq, const LaunchPayload&)>&) {
    return fail(Code::internal, "this journal cannot be copied");
  }

  virtual Status save_snapshot(const Snapshot& snapshot) = 0;
  virtual Result<std::optional<Snapshot>> newest_snapshot() = 0;
  /// The oldest one after which all events are kept; the same where no other one is.
  virtual Result<std::optional<Snapshot>> oldest_snapshot() = 0;
  /// Keeps the newest snapshot and the events after it; frees the rest.
  virtual Status compact() = 0;

  virtual Result<std::vector<Job>> archived_jobs(const AccountQuery& query) = 0;
  virtual Result<std::vector<VmRecord>> archived_vms(const AccountQuery& query) = 0;

  virtual Result<JournalInfo> info() = 0;
  /// A consistent copy while the journal is in use. `path` must not exist.
  virtual Status backup(const std::string& path) = 0;
  /// Makes this journal, which must be empty, hold all that `source` keeps, under the same numbers: all or nothing.
  virtual Status import(Journal& source) {
    static_cast<void>(source);
    return fail(Code::internal, "nothing can be copied into this journal");
  }
  /// Reads and checks everything that is kept; Code::corrupt names the first thing that is damaged.
  virtual Result<JournalReport> verify() { return fail(Code::internal, "this journal cannot verify itself"); }
};

}  // namespace virga
