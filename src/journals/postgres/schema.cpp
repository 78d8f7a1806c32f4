#include "journals/postgres/schema.hpp"

#include <fmt/format.h>

#include "core/event.hpp"

namespace virga {

namespace {

constexpr int k_patience_ms = 30'000;
/// Two controllers that start together must not both make the tables: "virga" as a number.
constexpr std::int64_t k_schema_lock = 0x7669726761;

// Integers that are 64 bits without a sign are stored as bigint, bit for bit; a CRC-32C needs one, too.
//
// head      one row: which events there are, and the newest term. Each write to the journal names the term it was made
//           under and changes or locks this row, so that none of an older term can come after a takeover.
//           `batch` counts appends: an append names the number it follows, so that it is done once however often it is
//           given, and whether it was done can be asked.
// leaders   who led in which term, for people; the newest one's addresses are for clients.
// beats     one row: the leader of `term` lives, as long as `beat` moves; -1: it has given the lead back. Not logged,
// so
//           that a beat costs no fsync; after a crash of the server the table is empty, and whoever finds it so begins
//           to count anew.
// members   controllers that follow, and how far they have come. Not logged.
// The others are as in the SQLite journal: jobs.key is job_id * 2^32 + incarnation, droppable names the payloads of
// finished jobs.
constexpr const char* k_schema_1 = R"sql(
CREATE SCHEMA IF NOT EXISTS virga;
SET search_path = virga;
CREATE TABLE schema_versions(
  version integer PRIMARY KEY, made_by text NOT NULL, made_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE head(
  id integer PRIMARY KEY CHECK (id = 1),
  last_seq bigint NOT NULL,
  last_time_ns bigint NOT NULL,
  compacted_seq bigint NOT NULL,
  batch bigint NOT NULL,
  term bigint NOT NULL);
INSERT INTO head VALUES (1, 0, 0, 0, 0, 0);
CREATE TABLE leaders(
  term bigint PRIMARY KEY,
  name text NOT NULL, host text NOT NULL, pid bigint NOT NULL, socket text NOT NULL, url text NOT NULL,
  since timestamptz NOT NULL);
CREATE UNLOGGED TABLE beats(id integer PRIMARY KEY CHECK (id = 1), term bigint NOT NULL, beat bigint NOT NULL);
INSERT INTO beats VALUES (1, 0, -1);
CREATE UNLOGGED TABLE members(
  name text, host text, pid bigint NOT NULL, socket text NOT NULL, url text NOT NULL,
  applied_seq bigint NOT NULL, seen timestamptz NOT NULL, PRIMARY KEY (name, host));
CREATE TABLE events(seq bigint PRIMARY KEY, crc bigint NOT NULL, record bytea NOT NULL);
CREATE TABLE payloads(seq bigint PRIMARY KEY, crc bigint NOT NULL, record bytea NOT NULL);
CREATE TABLE snapshots(seq bigint PRIMARY KEY, digest bigint NOT NULL, state bytea NOT NULL);
ALTER TABLE snapshots ALTER COLUMN state SET STORAGE EXTERNAL;
CREATE TABLE droppable(payload_seq bigint PRIMARY KEY, job_key bigint NOT NULL);
CREATE TABLE jobs(
  key bigint PRIMARY KEY,
  uid bigint NOT NULL,
  started bigint NOT NULL,
  ended bigint NOT NULL,
  crc bigint NOT NULL,
  record bytea NOT NULL);
CREATE INDEX jobs_by_started ON jobs(started);
CREATE INDEX jobs_by_ended ON jobs(ended);
CREATE INDEX jobs_by_uid ON jobs(uid, ended);
CREATE TABLE vms(
  vm_id bigint PRIMARY KEY,
  granted bigint NOT NULL,
  released bigint NOT NULL,
  crc bigint NOT NULL,
  record bytea NOT NULL);
CREATE INDEX vms_by_released ON vms(released);
ALTER TABLE head SET (fillfactor = 10);
ALTER TABLE beats SET (fillfactor = 10);
)sql";

Result<std::int64_t> version_of(PgConnection& db, const Patience& patience) {
  Result<PgRows> there = db.run("SELECT to_regclass('virga.schema_versions') IS NOT NULL", {}, patience);
  if (!there) return unexpected(there.error());
  if (there->integer(0, 0) == 0) return 0;
  Result<PgRows> newest = db.run("SELECT coalesce(max(version), 0) FROM virga.schema_versions", {}, patience);
  if (!newest) return unexpected(newest.error());
  return newest->integer(0, 0);
}

/// One transaction; the lock makes a second maker wait, and find everything made.
Status create(PgConnection& db, const Patience& patience) {
  const std::string text = fmt::format("{}INSERT INTO schema_versions(version, made_by) VALUES ({}, 'virga {}');",
                                       k_schema_1, k_schema_version, VIRGA_VERSION);
  Status done = db.run_all("BEGIN", patience);
  if (done) done = db.run_all(fmt::format("SELECT pg_advisory_xact_lock({})", k_schema_lock), patience);
  Result<std::int64_t> version = done ? version_of(db, patience) : unexpected(done.error());
  if (!version) done = unexpected(version.error());
  if (done && *version == 0) done = db.run_all(text, patience);
  if (done) return db.run_all("COMMIT", patience);
  (void)db.run_all("ROLLBACK", patience);
  return done;
}

}  // namespace

Result<PgConnection> open_session(const std::string& url, const std::string& application, const Patience& patience) {
  Result<PgConnection> db = PgConnection::open(url, application, patience);
  if (!db) return db;
  // remote_apply is more than is asked for, and stays. A transaction that nobody ends would keep old rows for ever.
  Status set = db->run_all(
      "SET search_path = virga; SET idle_in_transaction_session_timeout = '10min';"
      "SELECT set_config('synchronous_commit', 'on', false)"
      " WHERE current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')",
      patience);
  if (!set) return unexpected(set.error());
  Result<PgRows> fsync = db->run("SELECT current_setting('fsync') = 'on'", {}, patience);
  if (!fsync) return unexpected(fsync.error());
  if (fsync->integer(0, 0) == 0) {
    return fail(Code::refused, fmt::format("the server of {} runs with fsync = off, so nothing that it accepts is "
                                           "durable; set fsync = on in its postgresql.conf",
                                           db->shown()));
  }
  return db;
}

Status prepare_schema(PgConnection& db, bool may_write, bool may_create) {
  const Patience patience = patience_of_ms(k_patience_ms);
  Result<std::int64_t> version = version_of(db, patience);
  if (!version) return unexpected(version.error());
  if (*version == 0) {
    if (!may_create || !may_write) return fail(Code::not_found, fmt::format("there is no journal in {}", db.shown()));
    if (Status created = create(db, patience); !created) return created;
    version = version_of(db, patience);
    if (!version) return unexpected(version.error());
  }
  if (*version > k_schema_version) {
    return fail(Code::refused, fmt::format("the journal in {} has schema version {}, written by a newer Virga; this "
                                           "one ({}) knows versions up to {}: install the newer Virga",
                                           db.shown(), *version, VIRGA_VERSION, k_schema_version));
  }
  // Step n brings version n to n + 1, in one transaction with its row of schema_versions. There is no older version
  // yet.
  if (*version < k_schema_version) {
    return fail(Code::internal, fmt::format("the journal in {} has schema version {}, and no step leads from it",
                                            db.shown(), *version));
  }
  return {};
}

}  // namespace virga
