#include "journals/postgres/batch.hpp"

#include <map>

#include "core/binary.hpp"
#include "ports/journal_record.hpp"

namespace virga {

namespace {

// Every part depends on `fence`: the append is of the newest term, and follows the batch that it says it follows.
// A notification tells followers; it goes out with the commit.
const std::string k_begin = R"sql(
WITH fence AS (
  UPDATE head SET last_seq = $3, last_time_ns = $4, batch = $2 + 1
  WHERE id = 1 AND term = $1 AND batch = $2 RETURNING 1),
new_events AS (
  INSERT INTO events SELECT * FROM unnest($5::bigint[], $6::bigint[], $7::bytea[])
  WHERE EXISTS (SELECT FROM fence)),
new_payloads AS (
  INSERT INTO payloads SELECT * FROM unnest($8::bigint[], $9::bigint[], $10::bytea[])
  WHERE EXISTS (SELECT FROM fence)))sql";

const std::string k_append_events = k_begin + R"sql(
SELECT (SELECT count(*) FROM fence), 0::bigint, pg_notify('virga_journal', ''))sql";

const std::string k_append_all = k_begin + R"sql(,
new_jobs AS (
  INSERT INTO jobs
  SELECT * FROM unnest($11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bytea[])
  WHERE EXISTS (SELECT FROM fence)
  ON CONFLICT (key) DO UPDATE SET uid = excluded.uid, started = excluded.started, ended = excluded.ended,
    crc = excluded.crc, record = excluded.record
  RETURNING key, xmax = 0 AS is_new),
new_droppable AS (
  INSERT INTO droppable SELECT seq, key FROM unnest($17::bigint[], $18::bigint[]) AS over(seq, key)
  WHERE key IN (SELECT key FROM new_jobs WHERE is_new)
  ON CONFLICT (payload_seq) DO UPDATE SET job_key = excluded.job_key),
new_vms AS (
  INSERT INTO vms
  SELECT * FROM unnest($19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bytea[])
  WHERE EXISTS (SELECT FROM fence)
  ON CONFLICT (vm_id) DO UPDATE SET granted = excluded.granted, released = excluded.released,
    crc = excluded.crc, record = excluded.record)
SELECT (SELECT count(*) FROM fence), (SELECT count(*) FROM new_jobs WHERE is_new), pg_notify('virga_journal', ''))sql";

using Column = std::vector<std::int64_t>;

struct Records {
  Column keys, crcs;
  std::vector<std::string> records;

  void add(std::uint64_t key, std::string record) {
    keys.push_back(static_cast<std::int64_t>(key));
    crcs.push_back(record_crc(key, record));
    records.push_back(std::move(record));
  }
  void put(PgArguments& into) const { into.integers(keys).integers(crcs).byte_strings(records); }
};

/// One statement may not write a row twice: of two records of one key the later one counts.
void put_jobs(PgArguments& into, std::span<const Job> jobs) {
  std::map<std::uint64_t, const Job*> by_key;
  for (const Job& job : jobs) by_key[job_key(job.id, job.incarnation)] = &job;
  Records all;
  Column uids, started, ended, over_seqs, over_keys;
  std::map<std::uint64_t, std::uint64_t> over;  // the last incarnation's key, by the payload's number
  for (const auto& [key, job] : by_key) {
    const JobColumns columns(*job);
    all.add(key, encode(*job));
    uids.push_back(columns.uid);
    started.push_back(columns.started);
    ended.push_back(columns.ended);
    if (is_over(*job) && job->submitted_at_seq) over[job->submitted_at_seq.value] = key;
  }
  for (const auto& [seq, key] : over) {
    over_seqs.push_back(static_cast<std::int64_t>(seq));
    over_keys.push_back(static_cast<std::int64_t>(key));
  }
  into.integers(all.keys).integers(uids).integers(started).integers(ended).integers(all.crcs);
  into.byte_strings(all.records).integers(over_seqs).integers(over_keys);
}

void put_vms(PgArguments& into, std::span<const VmRecord> vms) {
  std::map<VmId, const VmRecord*> by_id;
  for (const VmRecord& vm : vms) by_id[vm.id] = &vm;
  Records all;
  Column granted, released;
  for (const auto& [id, vm] : by_id) {
    all.add(id.value, encode(*vm));
    granted.push_back(vm->granted.ns);
    released.push_back(vm->released.ns);
  }
  into.integers(all.keys).integers(granted).integers(released).integers(all.crcs).byte_strings(all.records);
}

}  // namespace

PgBatch make_batch(const PgHead& before, std::span<const JournalEntry> entries, std::span<const Job> jobs,
                   std::span<const VmRecord> vms) {
  PgHead after = before;
  ++after.batch;
  Records events, payloads;
  for (const JournalEntry& entry : entries) {
    ++after.last;
    after.last_time_ns = entry.event.at.ns;
    events.add(after.last, encode(entry.event));
    if (entry.payload) payloads.add(after.last, encode(*entry.payload));
  }
  PgBatch batch{k_append_events.c_str(), {}, after};
  batch.arguments.number(before.term).number(before.batch).number(after.last).integer(after.last_time_ns);
  events.put(batch.arguments);
  payloads.put(batch.arguments);
  if (jobs.empty() && vms.empty()) return batch;
  batch.statement = k_append_all.c_str();
  put_jobs(batch.arguments, jobs);
  put_vms(batch.arguments, vms);
  return batch;
}

}  // namespace virga
