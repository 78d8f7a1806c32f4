#include "journals/postgres/compaction.hpp"

#include <algorithm>

namespace virga {

namespace {

// Transactions of bounded size, so that nothing waits long for one.
constexpr std::uint64_t k_compact_events = 20'000;
constexpr std::int64_t k_compact_payloads = 2'000;

}  // namespace

Status compact_journal(PgConnection& db, PgHead& head, std::uint64_t covered, const Patience& patience) {
  Result<PgRows> dropped = db.run(
      "DELETE FROM snapshots WHERE seq < $2 AND EXISTS (SELECT 1 FROM head WHERE id = 1 AND term = $1 FOR UPDATE)",
      PgArguments().number(head.term).number(covered), patience);
  if (!dropped) return unexpected(dropped.error());
  while (head.compacted < covered) {
    const std::uint64_t next = std::min(covered, head.compacted + k_compact_events);
    // Given twice, or late, it does no harm: what is dropped is covered for ever.
    Result<PgRows> done = db.run(
        "WITH fence AS (UPDATE head SET compacted_seq = greatest(compacted_seq, $2) WHERE id = 1 AND term = $1"
        "   RETURNING 1),"
        " gone AS (DELETE FROM events WHERE seq <= $2 AND EXISTS (SELECT FROM fence))"
        " SELECT count(*) FROM fence",
        PgArguments().number(head.term).number(next), patience);
    if (!done) return unexpected(done.error());
    if (done->integer(0, 0) == 0) return fail(Code::conflict, "another controller leads the journal now");
    head.compacted = next;
  }
  for (std::int64_t gone = k_compact_payloads; gone == k_compact_payloads;) {
    Result<PgRows> done = db.run(
        "WITH fence AS (SELECT 1 FROM head WHERE id = 1 AND term = $1 FOR UPDATE),"
        " over AS (SELECT payload_seq FROM droppable AS d WHERE EXISTS (SELECT FROM fence) AND NOT EXISTS"
        "   (SELECT 1 FROM jobs WHERE key > d.job_key AND key <= (d.job_key | 4294967295)) LIMIT $2),"
        " gone AS (DELETE FROM payloads WHERE seq IN (SELECT payload_seq FROM over)),"
        " named AS (DELETE FROM droppable WHERE payload_seq IN (SELECT payload_seq FROM over) RETURNING 1)"
        " SELECT count(*) FROM named",
        PgArguments().number(head.term).integer(k_compact_payloads), patience);
    if (!done) return unexpected(done.error());
    gone = done->integer(0, 0);
  }
  return {};
}

}  // namespace virga
