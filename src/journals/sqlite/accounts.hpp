// The accounts: a record of every finished job incarnation and of every VM that is gone, with columns to search by.
//
// put() runs inside the journal's transaction and throws SQLite::Exception; the others answer with Result.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "ports/journal.hpp"

namespace SQLite {
class Database;
class Statement;
}  // namespace SQLite

namespace virga {

class Accounts {
 public:
  /// `db` must outlive it.
  Accounts(SQLite::Database& db, std::string path, bool read_only);
  ~Accounts();

  /// True if there was no record of this incarnation yet.
  bool put(const Job& job);
  void put(const VmRecord& vm);

  std::uint64_t count_jobs();
  Result<std::vector<Job>> jobs(const AccountQuery& query);
  Result<std::vector<VmRecord>> vms(const AccountQuery& query);

  /// Removes payloads of jobs whose last incarnation is final, at most about `count_max`; false when none are left.
  bool drop_payloads(std::uint32_t count_max);

  /// Checks every record against its checksum, its key and its columns, and counts them.
  Status verify(JournalReport& report);

 private:
  struct Writers;
  SQLite::Database& db_;
  std::string path_;
  std::unique_ptr<Writers> writers_;  ///< null when read-only
};

}  // namespace virga
