#include "journals/sqlite/accounts.hpp"

#include <SQLiteCpp/Database.h>
#include <SQLiteCpp/Exception.h>
#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/binary.hpp"
#include "journals/sqlite/record.hpp"
#include "journals/sqlite/sqlite_error.hpp"
#include "ports/journal_record.hpp"

namespace virga {

namespace {

std::int64_t stored_key(const Job& job) { return static_cast<std::int64_t>(job_key(job.id, job.incarnation)); }

constexpr const char* k_job_columns = "jobs.key, crc, record, uid, started, ended";
constexpr const char* k_vm_columns = "vm_id, crc, record, granted, released";

Error damaged_job(const std::string& path, JobId job, std::uint32_t incarnation, std::string_view how) {
  return damaged(path, fmt::format("the accounting record of job {} (incarnation {}) {}", job.value, incarnation, how));
}

/// The row must be k_job_columns.
Result<Job> job_of(SQLite::Statement& row, const std::string& path) {
  const auto key = static_cast<std::uint64_t>(row.getColumn(0).getInt64());
  const JobId id{static_cast<std::uint32_t>(key >> 32)};
  const auto incarnation = static_cast<std::uint32_t>(key);
  Result<Job> job = read_record<Job>(key, row.getColumn(1).getUInt(), blob_of(row.getColumn(2)));
  if (!job) return unexpected(damaged_job(path, id, incarnation, job.error().message));
  if (job->id != id || job->incarnation != incarnation) {
    return unexpected(damaged_job(path, id, incarnation, "is that of another job"));
  }
  return job;
}

/// The row must be k_vm_columns.
Result<VmRecord> vm_of(SQLite::Statement& row, const std::string& path) {
  const VmId id{static_cast<std::uint64_t>(row.getColumn(0).getInt64())};
  auto bad = [&](std::string_view how) {
    return unexpected(damaged(path, fmt::format("the accounting record of VM {} {}", id.value, how)));
  };
  Result<VmRecord> vm = read_record<VmRecord>(id.value, row.getColumn(1).getUInt(), blob_of(row.getColumn(2)));
  if (!vm) return bad(vm.error().message);
  if (vm->id != id) return bad("is that of another VM");
  return vm;
}

std::string as_json_array(const std::vector<JobId>& ids) {
  std::string text = "[";
  for (JobId id : ids) {
    if (text.size() > 1) text += ',';
    text += std::to_string(id.value);
  }
  return text + "]";
}

}  // namespace

struct Accounts::Writers {
  explicit Writers(SQLite::Database& db)
      : insert_job(db,
                   "INSERT OR IGNORE INTO jobs(key, uid, started, ended, crc, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"),
        update_job(db, "UPDATE jobs SET uid = ?2, started = ?3, ended = ?4, crc = ?5, record = ?6 WHERE key = ?1"),
        put_droppable(db, "INSERT OR REPLACE INTO droppable(payload_seq, job_key) VALUES (?, ?)"),
        put_vm(db, "INSERT OR REPLACE INTO vms(vm_id, granted, released, crc, record) VALUES (?, ?, ?, ?, ?)") {}

  SQLite::Statement insert_job;
  SQLite::Statement update_job;
  SQLite::Statement put_droppable;
  SQLite::Statement put_vm;
};

Accounts::Accounts(SQLite::Database& db, std::string path, bool read_only) : db_(db), path_(std::move(path)) {
  if (!read_only) writers_ = std::make_unique<Writers>(db);
}
Accounts::~Accounts() = default;

bool Accounts::put(const Job& job) {
  const std::string record = encode(job);
  const JobColumns columns(job);
  auto run = [&](SQLite::Statement& s) {
    Using use(s);
    s.bind(1, stored_key(job));
    s.bind(2, columns.uid);
    s.bind(3, columns.started);
    s.bind(4, columns.ended);
    s.bind(5, record_crc(job_key(job.id, job.incarnation), record));
    bind_blob(s, 6, record);
    return s.exec() > 0;
  };
  const bool is_new = run(writers_->insert_job);
  if (!is_new) run(writers_->update_job);
  if (is_new && is_over(job) && job.submitted_at_seq) {
    Using use(writers_->put_droppable);
    writers_->put_droppable.bind(1, static_cast<std::int64_t>(job.submitted_at_seq.value));
    writers_->put_droppable.bind(2, stored_key(job));
    writers_->put_droppable.exec();
  }
  return is_new;
}

void Accounts::put(const VmRecord& vm) {
  const std::string record = encode(vm);
  SQLite::Statement& s = writers_->put_vm;
  Using use(s);
  s.bind(1, static_cast<std::int64_t>(vm.id.value));
  s.bind(2, vm.granted.ns);
  s.bind(3, vm.released.ns);
  s.bind(4, record_crc(vm.id.value, record));
  bind_blob(s, 5, record);
  s.exec();
}

std::uint64_t Accounts::count_jobs() {
  SQLite::Statement s(db_, "SELECT count(*) FROM jobs");
  return s.executeStep() ? static_cast<std::uint64_t>(s.getColumn(0).getInt64()) : 0;
}

Result<std::vector<Job>> Accounts::jobs(const AccountQuery& query) {
  std::string sql = fmt::format("SELECT {} FROM jobs", k_job_columns);
  if (!query.jobs.empty()) {
    sql +=
        " JOIN (SELECT DISTINCT value << 32 AS first FROM json_each(:ids)) ON key BETWEEN first AND first + 0xFFFFFFFF";
  }
  sql += " WHERE 1";
  if (query.uid) sql += " AND uid = :uid";
  if (query.ended_after) sql += " AND ended > :ended";
  if (query.started_before) sql += " AND started < :started";
  sql += " ORDER BY key DESC LIMIT :limit";
  try {
    SQLite::Statement s(db_, sql);
    if (!query.jobs.empty()) s.bind(":ids", as_json_array(query.jobs));
    if (query.uid) s.bind(":uid", *query.uid);
    if (query.ended_after) s.bind(":ended", query.ended_after->ns);
    if (query.started_before) s.bind(":started", query.started_before->ns);
    s.bind(":limit", query.limit);
    std::vector<Job> found;
    while (s.executeStep()) {
      Result<Job> job = job_of(s, path_);
      if (!job) return unexpected(job.error());
      found.push_back(*std::move(job));
    }
    std::reverse(found.begin(), found.end());
    return found;
  } catch (const SQLite::Exception& e) {
    return unexpected(sqlite_error(e, &db_, path_, "cannot read the accounts of"));
  }
}

Result<std::vector<VmRecord>> Accounts::vms(const AccountQuery& query) {
  std::string sql = fmt::format("SELECT {} FROM vms WHERE 1", k_vm_columns);
  if (query.ended_after) sql += " AND released > :ended";
  if (query.started_before) sql += " AND granted < :started";
  sql += " ORDER BY vm_id DESC LIMIT :limit";
  try {
    SQLite::Statement s(db_, sql);
    if (query.ended_after) s.bind(":ended", query.ended_after->ns);
    if (query.started_before) s.bind(":started", query.started_before->ns);
    s.bind(":limit", query.limit);
    std::vector<VmRecord> found;
    while (s.executeStep()) {
      Result<VmRecord> vm = vm_of(s, path_);
      if (!vm) return unexpected(vm.error());
      found.push_back(*std::move(vm));
    }
    std::reverse(found.begin(), found.end());
    return found;
  } catch (const SQLite::Exception& e) {
    return unexpected(sqlite_error(e, &db_, path_, "cannot read the accounts of"));
  }
}

bool Accounts::drop_payloads(std::uint32_t count_max) {
  std::vector<std::int64_t> found;
  SQLite::Statement find(db_,
                         "SELECT payload_seq FROM droppable AS d WHERE NOT EXISTS "
                         "(SELECT 1 FROM jobs WHERE key > d.job_key AND key <= (d.job_key | 0xFFFFFFFF)) LIMIT ?");
  find.bind(1, count_max);
  while (find.executeStep()) found.push_back(find.getColumn(0).getInt64());
  SQLite::Statement drop_payload(db_, "DELETE FROM payloads WHERE seq = ?");
  SQLite::Statement drop_name(db_, "DELETE FROM droppable WHERE payload_seq = ?");
  for (std::int64_t seq : found) {
    for (SQLite::Statement* drop : {&drop_payload, &drop_name}) {
      Using use(*drop);
      drop->bind(1, seq);
      drop->exec();
    }
  }
  return found.size() == count_max;
}

Status Accounts::verify(JournalReport& report) {
  SQLite::Statement jobs(db_, fmt::format("SELECT {} FROM jobs", k_job_columns));
  while (jobs.executeStep()) {
    Result<Job> job = job_of(jobs, path_);
    if (!job) return unexpected(job.error());
    const JobColumns columns(*job);
    if (jobs.getColumn(3).getInt64() != columns.uid || jobs.getColumn(4).getInt64() != columns.started ||
        jobs.getColumn(5).getInt64() != columns.ended) {
      return unexpected(damaged_job(path_, job->id, job->incarnation, "does not match the columns it is found by"));
    }
    ++report.archived_jobs;
  }
  SQLite::Statement vms(db_, fmt::format("SELECT {} FROM vms", k_vm_columns));
  while (vms.executeStep()) {
    Result<VmRecord> vm = vm_of(vms, path_);
    if (!vm) return unexpected(vm.error());
    if (vms.getColumn(3).getInt64() != vm->granted.ns || vms.getColumn(4).getInt64() != vm->released.ns) {
      return unexpected(damaged(path_, fmt::format("the accounting record of VM {} does not match the columns it is "
                                                   "found by",
                                                   vm->id.value)));
    }
    ++report.archived_vms;
  }
  return {};
}

}  // namespace virga
