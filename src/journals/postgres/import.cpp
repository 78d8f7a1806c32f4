#include "journals/postgres/import.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "core/binary.hpp"
#include "ports/journal_record.hpp"

namespace virga {

namespace {

/// Rows are sent in pieces of about this size.
constexpr std::size_t k_piece_bytes = 8U << 20;

/// Records on their way into a table of (key, crc, record).
class Piece {
 public:
  Piece(PgConnection& db, const char* insert, const Patience& patience)
      : db_(db), insert_(insert), patience_(patience) {}

  Status add(std::uint64_t key, std::string record) {
    keys_.push_back(static_cast<std::int64_t>(key));
    crcs_.push_back(record_crc(key, record));
    bytes_ += record.size();
    records_.push_back(std::move(record));
    return bytes_ < k_piece_bytes ? Status{} : send();
  }
  Status send() {
    if (keys_.empty()) return {};
    Result<PgRows> done =
        db_.run(insert_, PgArguments().integers(keys_).integers(crcs_).byte_strings(records_), patience_);
    keys_.clear();
    crcs_.clear();
    records_.clear();
    bytes_ = 0;
    return done ? Status{} : Status{unexpected(done.error())};
  }

 private:
  PgConnection& db_;
  const char* insert_;
  const Patience& patience_;
  std::vector<std::int64_t> keys_, crcs_;
  std::vector<std::string> records_;
  std::size_t bytes_ = 0;
};

Status copy_events(PgConnection& db, Journal& source, const Patience& patience) {
  Piece events(db, "INSERT INTO events SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])", patience);
  Status sent;
  Status read = source.read(Seq{0}, [&](Seq seq, const Event& event) {
    sent = events.add(seq.value, encode(event));
    return sent.has_value();
  });
  if (!read) return read;
  if (sent) sent = events.send();
  if (!sent) return sent;
  Piece payloads(db, "INSERT INTO payloads SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[])", patience);
  read = source.payloads([&](Seq seq, const LaunchPayload& payload) {
    sent = payloads.add(seq.value, encode(payload));
    return sent.has_value();
  });
  if (!read) return read;
  return sent ? payloads.send() : sent;
}

/// In appends without events, which know how accounts are written.
Status copy_accounts(PgConnection& db, PgHead& head, Journal& source, const Patience& patience) {
  const AccountQuery everything{.limit = std::numeric_limits<std::uint32_t>::max()};
  Result<std::vector<Job>> jobs = source.archived_jobs(everything);
  if (!jobs) return unexpected(jobs.error());
  Result<std::vector<VmRecord>> vms = source.archived_vms(everything);
  if (!vms) return unexpected(vms.error());
  constexpr std::size_t k_at_once = 1'000;
  const std::span<const Job> all_jobs(*jobs);
  const std::span<const VmRecord> all_vms(*vms);
  for (std::size_t done = 0; done < std::max(all_jobs.size(), all_vms.size()); done += k_at_once) {
    const auto part = [&](auto all) {
      return done < all.size() ? all.subspan(done, std::min(k_at_once, all.size() - done)) : all.subspan(0, 0);
    };
    const PgBatch batch = make_batch(head, {}, part(all_jobs), part(all_vms));
    Result<PgRows> put = db.run(batch.statement, batch.arguments, patience);
    if (!put) return unexpected(put.error());
    if (put->integer(0, 0) != 1) return fail(Code::conflict, "another controller leads the journal now");
    head = batch.after;
  }
  return {};
}

Status copy_snapshots(PgConnection& db, Journal& source, const Patience& patience) {
  Result<std::optional<Snapshot>> oldest = source.oldest_snapshot();
  if (!oldest) return unexpected(oldest.error());
  Result<std::optional<Snapshot>> newest = source.newest_snapshot();
  if (!newest) return unexpected(newest.error());
  for (const std::optional<Snapshot>* snapshot : {&*oldest, &*newest}) {
    if (!*snapshot) continue;
    Result<PgRows> put = db.run(
        "INSERT INTO snapshots SELECT $1, $2, $3 ON CONFLICT (seq) DO NOTHING",
        PgArguments().number((*snapshot)->seq.value).number((*snapshot)->digest).bytes((*snapshot)->state), patience);
    if (!put) return unexpected(put.error());
  }
  return {};
}

Status copy_all(PgConnection& db, PgHead head, Journal& source, const Patience& patience) {
  Result<JournalInfo> info = source.info();
  if (!info) return unexpected(info.error());
  if (Status copied = copy_events(db, source, patience); !copied) return copied;
  if (Status copied = copy_snapshots(db, source, patience); !copied) return copied;
  head.last = info->last.value;
  head.last_time_ns = info->last_time.ns;
  const std::uint64_t compacted = info->first ? info->first.value - 1 : info->last.value;
  Result<PgRows> fence = db.run(
      "UPDATE head SET last_seq = $2, last_time_ns = $3, compacted_seq = $4 WHERE id = 1 AND term = $1 RETURNING 1",
      PgArguments().number(head.term).number(head.last).integer(head.last_time_ns).number(compacted), patience);
  if (!fence) return unexpected(fence.error());
  if (fence->count() == 0) return fail(Code::conflict, "another controller leads the journal now");
  return copy_accounts(db, head, source, patience);
}

}  // namespace

Status import_journal(PgConnection& db, const PgHead& head, Journal& source, const Patience& patience) {
  if (head.last != 0 || head.compacted != 0) {
    return fail(Code::conflict,
                fmt::format("the journal in {} has {} events already; copy into an empty one", db.shown(), head.last));
  }
  if (Status begun = db.run_all("BEGIN", patience); !begun) return begun;
  Status copied = copy_all(db, head, source, patience);
  if (copied) return db.run_all("COMMIT", patience);
  if (db.is_open()) (void)db.run_all("ROLLBACK", patience);
  return copied;
}

}  // namespace virga
