#include "journals/postgres/accounts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "ports/journal_record.hpp"

namespace virga {

namespace {

constexpr std::int64_t k_any_uid = -1;
constexpr std::int64_t k_rows_at_once = 5'000;

// Absent conditions are values that hold for all: one statement, prepared once. The newest rows come first, so that
// a limit keeps them.
constexpr const char* k_find_jobs = R"sql(
SELECT key, crc, record FROM jobs
WHERE (uid = $1 OR $1 = -1) AND ended > $2 AND started < $3 ORDER BY key DESC LIMIT $4)sql";
constexpr const char* k_find_named_jobs = R"sql(
SELECT key, crc, record FROM jobs JOIN (SELECT DISTINCT unnest($5::bigint[]) << 32 AS first) AS wanted
  ON key BETWEEN first AND first + 4294967295
WHERE (uid = $1 OR $1 = -1) AND ended > $2 AND started < $3 ORDER BY key DESC LIMIT $4)sql";
constexpr const char* k_find_vms = R"sql(
SELECT vm_id, crc, record FROM vms WHERE released > $1 AND granted < $2 ORDER BY vm_id DESC LIMIT $3)sql";

Result<Job> job_of(const PgConnection& db, const PgRows& rows, int row) {
  const std::uint64_t key = rows.number(row, 0);
  const JobId id{static_cast<std::uint32_t>(key >> 32)};
  const auto incarnation = static_cast<std::uint32_t>(key);
  auto bad = [&](std::string_view how) {
    return unexpected(
        damaged(db, fmt::format("the accounting record of job {} (incarnation {}) {}", id.value, incarnation, how)));
  };
  Result<Job> job = read_record<Job>(key, static_cast<std::uint32_t>(rows.integer(row, 1)), rows.bytes(row, 2));
  if (!job) return bad(job.error().message);
  if (job->id != id || job->incarnation != incarnation) return bad("is that of another job");
  return job;
}

Result<VmRecord> vm_of(const PgConnection& db, const PgRows& rows, int row) {
  const VmId id{rows.number(row, 0)};
  auto bad = [&](std::string_view how) {
    return unexpected(damaged(db, fmt::format("the accounting record of VM {} {}", id.value, how)));
  };
  Result<VmRecord> vm =
      read_record<VmRecord>(id.value, static_cast<std::uint32_t>(rows.integer(row, 1)), rows.bytes(row, 2));
  if (!vm) return bad(vm.error().message);
  if (vm->id != id) return bad("is that of another VM");
  return vm;
}

std::int64_t ns_or(const std::optional<Time>& time, std::int64_t absent) { return time ? time->ns : absent; }

constexpr std::int64_t k_first = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t k_last = std::numeric_limits<std::int64_t>::max();

}  // namespace

Error damaged(const PgConnection& db, std::string_view what) {
  return {
      Code::corrupt,
      fmt::format("the journal in {} is damaged: {}; restore a backup: virga journal copy sqlite:BACKUP postgres:URL",
                  db.shown(), what),
      false};
}

Result<std::vector<Job>> find_jobs(PgConnection& db, const AccountQuery& query, const Patience& patience) {
  PgArguments arguments;
  arguments.integer(query.uid ? std::int64_t{*query.uid} : k_any_uid)
      .integer(ns_or(query.ended_after, k_first))
      .integer(ns_or(query.started_before, k_last))
      .integer(query.limit);
  if (!query.jobs.empty()) {
    std::vector<std::int64_t> ids;
    for (JobId id : query.jobs) ids.push_back(id.value);
    arguments.integers(ids);
  }
  Result<PgRows> rows = db.run(query.jobs.empty() ? k_find_jobs : k_find_named_jobs, arguments, patience);
  if (!rows) return unexpected(rows.error());
  std::vector<Job> found;
  for (int row = rows->count() - 1; row >= 0; --row) {
    Result<Job> job = job_of(db, *rows, row);
    if (!job) return unexpected(job.error());
    found.push_back(*std::move(job));
  }
  return found;
}

Result<std::vector<VmRecord>> find_vms(PgConnection& db, const AccountQuery& query, const Patience& patience) {
  PgArguments arguments;
  arguments.integer(ns_or(query.ended_after, k_first))
      .integer(ns_or(query.started_before, k_last))
      .integer(query.limit);
  Result<PgRows> rows = db.run(k_find_vms, arguments, patience);
  if (!rows) return unexpected(rows.error());
  std::vector<VmRecord> found;
  for (int row = rows->count() - 1; row >= 0; --row) {
    Result<VmRecord> vm = vm_of(db, *rows, row);
    if (!vm) return unexpected(vm.error());
    found.push_back(*std::move(vm));
  }
  return found;
}

Status verify_accounts(PgConnection& db, JournalReport& report, const Patience& patience) {
  for (std::int64_t after = k_first;;) {
    Result<PgRows> rows =
        db.run("SELECT key, crc, record, uid, started, ended FROM jobs WHERE key > $1 ORDER BY key LIMIT $2",
               PgArguments().integer(after).integer(k_rows_at_once), patience);
    if (!rows) return unexpected(rows.error());
    for (int row = 0; row < rows->count(); ++row) {
      Result<Job> job = job_of(db, *rows, row);
      if (!job) return unexpected(job.error());
      const JobColumns columns(*job);
      if (rows->integer(row, 3) != columns.uid || rows->integer(row, 4) != columns.started ||
          rows->integer(row, 5) != columns.ended) {
        return unexpected(damaged(db, fmt::format("the accounting record of job {} does not match the columns it is "
                                                  "found by",
                                                  job->id.value)));
      }
      ++report.archived_jobs;
      after = rows->integer(row, 0);
    }
    if (rows->count() < k_rows_at_once) break;
  }
  for (std::int64_t after = k_first;;) {
    Result<PgRows> rows =
        db.run("SELECT vm_id, crc, record, granted, released FROM vms WHERE vm_id > $1 ORDER BY vm_id LIMIT $2",
               PgArguments().integer(after).integer(k_rows_at_once), patience);
    if (!rows) return unexpected(rows.error());
    for (int row = 0; row < rows->count(); ++row) {
      Result<VmRecord> vm = vm_of(db, *rows, row);
      if (!vm) return unexpected(vm.error());
      if (rows->integer(row, 3) != vm->granted.ns || rows->integer(row, 4) != vm->released.ns) {
        return unexpected(damaged(
            db, fmt::format("the accounting record of VM {} does not match the columns it is found by", vm->id.value)));
      }
      ++report.archived_vms;
      after = rows->integer(row, 0);
    }
    if (rows->count() < k_rows_at_once) break;
  }
  return {};
}

}  // namespace virga
