// How a record lies in a table: its bytes (core/binary.hpp) and a CRC-32C over its key and them, so that a record
// that was changed, or found under another key, is not believed.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.hpp"

namespace SQLite {
class Column;
class Statement;
}  // namespace SQLite

namespace virga {

std::uint32_t record_crc(std::uint64_t key, std::string_view record);

/// The key of an account record.
inline std::uint64_t job_key(JobId job, std::uint32_t incarnation) {
  return std::uint64_t{job.value} << 32 | incarnation;
}

/// Valid until the statement's next step.
std::string_view blob_of(const SQLite::Column& column);
/// Without a copy: `bytes` must live until the statement has run.
void bind_blob(SQLite::Statement& statement, int index, std::string_view bytes);

/// A kept statement, ready to bind again when this goes out of scope; an unfinished SELECT would hold back the WAL.
class Using {
 public:
  explicit Using(SQLite::Statement& statement) : statement_(statement) {}
  ~Using();
  Using(const Using&) = delete;
  Using& operator=(const Using&) = delete;

 private:
  SQLite::Statement& statement_;
};

}  // namespace virga
